"""Verbs that this package brings to the command line."""
