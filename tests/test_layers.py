"""Imports point left only: traces <- hw_models <- simulator <- validation (STYLE, Layers)."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("traces", "hw_models", "simulator", "validation")
MODULES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))


def imported_packages(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield (node.module or "").split(".")[0]


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_module_imports_nothing_from_the_right(path):
    own = PACKAGES.index(path.relative_to(ROOT).parts[0])
    to_the_right = set(PACKAGES[own + 1 :])
    assert not to_the_right & set(imported_packages(path))


def test_there_are_modules_to_check():
    assert len(MODULES) > 50
