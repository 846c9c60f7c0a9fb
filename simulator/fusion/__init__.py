"""Fine-grained layer fusion: nodes, what they depend on, and when each runs on which core."""
