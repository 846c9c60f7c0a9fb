"""Verbs of the command line that are about hardware."""
