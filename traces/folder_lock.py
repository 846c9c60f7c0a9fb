"""A run folder has one writer: the lock that sees to it, and that ends with its process."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from types import TracebackType
from typing import Self

from traces.errors import InputError

LOCK = ".lock"


class FolderLock:
    """Held from construction to `release`; the file of one that died means nothing.

    A process may hold several for the same folder; the first released releases all.
    place: what the message calls the folder. Raises InputError when another process holds it, and
    when the folder can't be written.
    """

    def __init__(self, folder: Path, place: str = "") -> None:
        self._path = folder / LOCK
        self._place = place or str(folder)
        self._file = self._locked_file()

    def release(self) -> None:
        """Let others in; a second time does nothing."""
        if self._file < 0:
            return
        if _is_at(self._file, self._path):
            self._path.unlink()
        os.close(self._file)
        self._file = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.release()

    def _locked_file(self) -> int:
        while True:
            try:
                file = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o666)
            except OSError as error:
                raise InputError(f"{self._place}: can't be written: {error.strerror}") from None
            try:
                # Of a process, not of an open file: what prepared the folder may open it again.
                fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                os.close(file)
                raise InputError(f"{self._place}: another run is writing to it") from None
            if _is_at(file, self._path):
                return file
            os.close(file)  # its holder removed it between the two steps above


def _is_at(file: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file), os.stat(path))
    except FileNotFoundError:
        return False
