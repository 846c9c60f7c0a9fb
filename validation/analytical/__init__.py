"""Analytical models of accelerators, and how far each is from the simulation and why."""
