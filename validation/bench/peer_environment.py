"""Environments of their own for simulators to compare with, made once and used again from then on.

They lie under `.bench/` of the checkout: what a peer needs seldom goes with what tilesim needs.
"""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

BENCH = Path(__file__).resolve().parents[2] / ".bench"


class PeerError(RuntimeError):
    """A peer can't be installed or run; one line."""


@dataclass(frozen=True, slots=True)
class PeerEnvironment:
    """Where a peer is installed. name: as errors call it. requirements: as pip takes them."""

    name: str
    requirements: tuple[str, ...]
    folder: Path

    def run(self, program: Path, task: str, text: str = "") -> str:
        """What a program prints under the peer's interpreter, given a text on standard input.

        Raises PeerError when the environment can't be made or the program fails.
        """
        # -I keeps the packages of this environment out of the peer's.
        return self._call([str(self.python()), "-I", str(program)], task, text)

    def python(self) -> Path:
        """The interpreter of the environment, which is made when it is not there yet.

        Raises PeerError when it can't be made.
        """
        python, ready = self.folder / "bin" / "python", self.folder / "ready.txt"
        wanted = "\n".join(self.requirements)
        if python.exists() and ready.exists() and ready.read_text(encoding="utf-8") == wanted:
            return python
        self._call(
            [sys.executable, "-m", "venv", "--clear", str(self.folder)], f"make {self.folder}"
        )
        install = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        self._call([*install, *self.requirements], f"install {' and '.join(self.requirements)}")
        ready.write_text(wanted, encoding="utf-8")
        return python

    def _call(self, arguments: list[str], task: str, text: str = "") -> str:
        """Output of a program. Raises PeerError with the last line that it had to say."""
        try:
            done = subprocess.run(
                arguments, input=text, capture_output=True, text=True, check=False, encoding="utf-8"
            )
        except OSError as error:
            raise PeerError(f"{self.name}: can't {task}: {error.strerror}") from None
        if done.returncode:
            said = [x.strip() for x in (done.stderr + done.stdout).splitlines() if x.strip()]
            reason = said[-1] if said else f"exit code {done.returncode}"
            raise PeerError(f"{self.name}: can't {task}: {reason}")
        return done.stdout
