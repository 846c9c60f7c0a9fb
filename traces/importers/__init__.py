"""Traces of other simulators and profilers as run folders."""
