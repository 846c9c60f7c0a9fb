"""The commands of docs/walkthroughs run, one page after the other, and their pictures are there."""

import re
import shlex
import shutil
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.command_line import status_of

PAGES = Path(__file__).parent.parent / "docs" / "walkthroughs"
NAMES = ["double_buffering", "shared_channel", "starved_sparse_core"]
FEW_LAYERS = "0:2"
MOST_PICTURE_BYTES = 300_000


def text_of(name):
    return (PAGES / f"{name}.md").read_text(encoding="utf-8")


def commands(name):
    """Words of every command of a page, networks cut to a few layers."""
    for line in re.findall(r"^\$ tilesim (.*)$", text_of(name), flags=re.MULTILINE):
        words = shlex.split(line)
        if words[0] == "run":
            if "--layers" in words:
                words[words.index("--layers") + 1] = FEW_LAYERS
            else:
                words += ["--layers", FEW_LAYERS]
        yield words


def test_every_page_is_tested():
    assert sorted(path.stem for path in PAGES.glob("*.md")) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_the_commands_of_a_page_run(name, tmp_path, monkeypatch):
    for chip in PAGES.glob("*.yaml"):
        shutil.copy(chip, tmp_path)
    monkeypatch.chdir(tmp_path)
    done = [words[0] for words in commands(name) if status_of(words) == 0]
    assert done == [words[0] for words in commands(name)]
    assert {"run", "stalls", "replay"} <= set(done)


@pytest.mark.parametrize("name", NAMES)
def test_the_pictures_of_a_page_are_small_and_complete(name):
    pictures = re.findall(r"!\[.+\]\((\S+)\)", text_of(name))
    assert len(pictures) >= 2
    for picture in pictures:
        path = PAGES / picture
        assert path.stat().st_size < MOST_PICTURE_BYTES
        assert ElementTree.parse(path).getroot().tag == "{http://www.w3.org/2000/svg}svg"
        assert "var(" not in path.read_text(encoding="utf-8")
