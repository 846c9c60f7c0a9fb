"""Lowering: a network and its mappings become a tile program."""
