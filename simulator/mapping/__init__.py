"""Mapping: how a layer is cut into tiles, in which order they run, what stays in the buffers."""
