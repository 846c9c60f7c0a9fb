"""Settings of all tests."""

from hypothesis import settings

# The first call of a kernel may compile it, so a deadline would judge the compiler.
settings.register_profile("tilesim", deadline=None)
settings.load_profile("tilesim")
