"""Chips whose published figures per layer are compared with the simulator's, one module each."""
