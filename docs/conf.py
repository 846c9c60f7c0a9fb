"""Settings of the documentation: `sphinx-build -W docs build/docs`."""

from __future__ import annotations

import sys
from importlib.metadata import version as installed_version
from pathlib import Path

from sphinx.application import Sphinx

sys.path.insert(0, str(Path(__file__).parent))

from generated import filled

project = "tilesim"
version = release = installed_version("tilesim")
extensions = ["myst_nb"]
exclude_patterns = ["_build"]

html_theme = "furo"
html_title = "tilesim"
html_show_copyright = False

myst_enable_extensions = ["deflist"]
myst_heading_anchors = 3
suppress_warnings = ["myst.header"]  # generated parts begin where their page says
nb_execution_mode = "force"
nb_execution_raise_on_error = True
nb_execution_timeout = 300


def _fill(_app: Sphinx, _page: str, source: list[str]) -> None:
    if "<!-- generated: " in source[0]:
        source[0] = filled(source[0])


def setup(app: Sphinx) -> None:
    """Put what is generated into its pages."""
    app.connect("source-read", _fill)
