"""The file that a verb writes: never over another without being told to, never half of one."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from traces.errors import InputError


@contextmanager
def output_file(path: Path, *, force: bool) -> Iterator[TextIO]:
    """A text file to write, in place only when all of it is. Raises InputError."""
    if path.is_dir():
        raise InputError(f"--out {path}: must be a file, not a folder")
    if path.exists() and not force:
        raise InputError(f"--out {path}: must be new; --force replaces it")
    partial = path.with_name(f".{path.name}.partial")
    try:
        text = partial.open("w", encoding="utf-8", newline="\n")
    except OSError as error:
        raise InputError(f"--out {path}: can't be written: {error.strerror}") from None
    try:
        with text:
            yield text
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)
