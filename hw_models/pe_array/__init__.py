"""PE arrays: how many cycles a tile takes on each type of array, and what it reads and writes."""
