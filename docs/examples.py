"""Running what a page shows: its files, commands and Python, and what they print.

A code block with a caption is a file. A console block holds `$` commands and lines that they print,
a text block what the Python block before it prints; a line `...` stands for any lines.
"""

from __future__ import annotations

import contextlib
import io
import re
import runpy
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from traces import cli

BLOCK = re.compile(
    r"^```(?:\{code-block\} \w+\n:caption: (?P<file>\S+)\n\n|(?P<kind>console|python|text)\n)"
    r"(?P<text>.*?)^```",
    flags=re.M | re.S,
)
SKIPPED = "..."


@dataclass(frozen=True, slots=True)
class Example:
    """A command or a Python block with the lines that its page shows and those that it printed."""

    source: str
    shown: list[str]
    printed: list[str]
    failed: bool

    def holds(self) -> bool:
        """Whether the page is right; what fails must be shown in full."""
        if self.failed and (not self.shown or SKIPPED in self.shown):
            return False
        pattern = "".join(
            "(?:.*\n)*?" if line.strip() == SKIPPED else re.escape(line.rstrip()) + "\n"
            for line in self.shown or [SKIPPED]
        )
        text = "".join(f"{line.rstrip()}\n" for line in self.printed)
        return re.fullmatch(pattern, text) is not None


def examples(page: Path) -> Iterator[Example]:
    """Run a page in the current folder."""
    names: dict[str, object] = {"__name__": "__main__"}
    last = Example("", [], [], failed=False)
    for block in BLOCK.finditer(page.read_text(encoding="utf-8")):
        text = block["text"]
        if block["file"]:
            Path(block["file"]).write_text(text, encoding="utf-8")
        elif block["kind"] == "console":
            for part in re.split(r"^\$ ", text, flags=re.M)[1:]:
                command, *shown = part.splitlines()
                printed, failed = _command(command)
                yield Example(command, shown, printed, failed)
        elif block["kind"] == "python":
            last = Example(text, [], _python(text, names), failed=False)
            yield last
        else:
            yield Example(last.source, text.splitlines(), last.printed, failed=False)


def _command(command: str) -> tuple[list[str], bool]:
    """What `tilesim ...` or `python FILE` prints on both streams, and whether it failed."""
    program, *words = shlex.split(command, comments=True)
    out, status = io.StringIO(), 0
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
        if program == "python":
            runpy.run_path(words[0], run_name="__main__")
        else:
            assert program == "tilesim", command
            try:
                cli.main(words)
            except SystemExit as exit_:
                status = int(exit_.code or 0)
    return out.getvalue().splitlines(), status != 0


def _python(text: str, names: dict[str, object]) -> list[str]:
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        exec(text, names)
    return out.getvalue().splitlines()
