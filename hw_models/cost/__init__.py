"""What actions cost: energy per action of a chip, from published and measured tables."""
