"""What actions cost and parts take: energy per action and area of a chip, from sourced tables."""
