"""The documentation builds without a warning, its links lead somewhere, and its examples hold."""

import importlib.util
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from traces.cli import verbs
from validation.bench.__main__ import BENCHMARKS

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
TUTORIALS = sorted(path.stem for path in (DOCS / "tutorials").glob("*.md"))
PAGES = sorted(str(path.relative_to(DOCS)) for path in DOCS.rglob("*.md"))
WIDTH = "100"
"""Columns of the terminal in which the tutorials' output was printed."""


def of_docs(name):
    """A module of docs/, which is no package."""
    spec = importlib.util.spec_from_file_location(f"docs_{name}", DOCS / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


examples, generated = of_docs("examples"), of_docs("generated")
FILES = [name for name in generated.PAGES if name.endswith(" file")]


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The built site. Notebooks are run by test_notebooks.py, and only shown here."""
    folder = tmp_path_factory.mktemp("site")
    words = ["-m", "sphinx", "-q", "-W", "-D", "nb_execution_mode=off", str(DOCS), str(folder)]
    done = subprocess.run([sys.executable, *words], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    return folder


class Links(HTMLParser):
    """Targets of links, and ids, of a page."""

    def __init__(self):
        super().__init__()
        self.hrefs, self.ids = set(), set()

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        self.ids |= {given[name] for name in ("id", "name") if given.get(name)}
        self.hrefs |= {given[name] for name in ("href", "src") if given.get(name)}


def parsed(path):
    links = Links()
    links.feed(path.read_text(encoding="utf-8"))
    return links


def test_every_link_inside_the_site_leads_somewhere(site):
    pages = {path.resolve(): parsed(path) for path in site.rglob("*.html")}
    assert len(pages) > len(PAGES)
    for path, links in pages.items():
        for href in links.hrefs:
            parts = urlsplit(href)
            if parts.scheme or parts.netloc or href == "#":
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            assert target.exists(), f"{path.name}: {href}"
            if parts.fragment and target in pages:
                assert unquote(parts.fragment) in pages[target].ids, f"{path.name}: {href}"


def test_the_reference_has_every_verb(site):
    ids = parsed(site / "reference" / "commands.html").ids
    assert {f"tilesim-{verb}" for verb in verbs()} <= ids


@pytest.mark.parametrize("name", TUTORIALS)
def test_the_examples_of_a_tutorial_hold(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", WIDTH)
    monkeypatch.setattr(sys, "path", [*sys.path])
    done = 0
    for example in examples.examples(DOCS / "tutorials" / f"{name}.md"):
        assert example.holds(), f"{example.source}\n" + "\n".join(example.printed)
        done += 1
    assert done >= 2


@pytest.mark.parametrize(
    ("shown", "printed", "failed", "holds"),
    [
        ([], ["a"], False, True),
        (["a", "..."], ["a", "b", "c"], False, True),
        (["...", "c"], ["a", "b", "c"], False, True),
        (["a", "...", "c"], ["a", "c"], False, True),
        (["a"], ["a", "b"], False, False),
        (["...", "b"], ["a", "b", "c"], False, False),
        (["..."], ["tilesim: no"], True, False),
        ([], ["tilesim: no"], True, False),
        (["tilesim: no"], ["tilesim: no"], True, True),
    ],
)
def test_lines_left_out_stand_for_any_but_never_hide_a_failure(shown, printed, failed, holds):
    assert examples.Example("", shown, printed, failed).holds() is holds


@pytest.mark.parametrize("page", PAGES)
def test_verbs_and_benchmarks_that_a_page_names_exist(page):
    text = (DOCS / page).read_text(encoding="utf-8")
    named = re.findall(r"(?:`|^    |^\$ )tilesim ([a-z-]+)", text, flags=re.M)
    assert set(named) <= set(verbs())
    named = re.findall(r"-m validation\.bench ([a-z_]+)", text)
    assert set(named) <= {*BENCHMARKS, "all"}


def test_every_key_of_every_file_has_a_meaning():
    rows = [line for name in FILES for line in generated.PAGES[name]().splitlines()]
    keys = [line for line in rows if line.startswith("| `")]
    assert len(keys) > 100
    assert [line for line in keys if line.endswith("|  |")] == []


def test_a_meaning_is_written_once():
    sections = {}
    for name in FILES:
        for part in generated.PAGES[name]().split("\n### ")[1:]:
            title, _, text = part.partition("\n")
            sections[title] = set(re.findall(r"^\| `(\w+)` \|", text, flags=re.M))
    for title, meanings in generated.MEANINGS.items():
        assert set(meanings) <= sections[title], title


def test_meanings_are_read_from_docstrings():
    text = "A memory. banks, width: what a cycle moves; ports: ways in. slots: tiles."
    intro, meanings = generated.explained(text, ["banks", "width", "ports", "slots"])
    assert intro == "A memory."
    assert meanings == {
        "banks": "what a cycle moves",
        "width": "what a cycle moves",
        "ports": "ways in.",
        "slots": "tiles.",
    }


def test_keys_come_with_their_rule_and_default():
    from simulator.explore.study import Study

    page = generated.keys_page(Study)
    assert "| `batch` | int | at least 1, at most 4096 | 1 |" in page
    assert "| `name` | text | must match `^[A-Za-z0-9_.-]+$` | required |" in page
