"""What runs on a chip, and when: workloads, mapping, tile programs and the engine."""
