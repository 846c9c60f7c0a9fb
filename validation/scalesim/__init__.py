"""A model of SCALE-Sim v3.0.0: what it counts and why, artefacts included (see README.md)."""
