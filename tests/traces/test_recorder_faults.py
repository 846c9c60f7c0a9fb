"""What is left of a run whose disk fills up, whose process is killed, or that isn't alone."""

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from simulator.commands.run import prepare_folder
from simulator.run import simulate
from tests.command_line import tilesim
from tests.simulator.networks import chip, residual_network
from traces.errors import InputError
from traces.folder_lock import LOCK, FolderLock
from traces.recorder import Recorder
from traces.run_folder import read_manifest, read_table
from traces.schema import MANIFEST, TABLES

NO_SPACE = os.strerror(errno.ENOSPC)
PAUSE_EVENTS, BATCH_ROWS = 64, 8
"""So short that a small run is written in many batches."""

ROOT = Path(__file__).parents[2]
VERBS = (
    ("stalls",),
    ("critical-path",),
    ("replay",),
    ("report",),
    ("export", "--format", "perfetto"),
)


class Disk:
    """A disk with room for so many bytes."""

    def __init__(self, room):
        self.room, self.taken = room, 0

    def write(self, file, data):
        fits = max(0, min(len(data), self.room - self.taken))
        self.taken += file.write(memoryview(data)[:fits])
        file.flush()
        if fits < len(data):
            raise OSError(errno.ENOSPC, NO_SPACE)
        return fits

    def open(self, path, mode):
        return File(self, Path(path).open(mode))


class File:
    """A file on a `Disk`."""

    def __init__(self, disk, file):
        self.disk, self.file = disk, file
        self.tell, self.close, self.flush = file.tell, file.close, file.flush

    @property
    def closed(self):
        return self.file.closed

    def write(self, data):
        return self.disk.write(self.file, data)


@pytest.fixture
def on_disk(monkeypatch):
    """Put all files of a run on a disk with so much room."""

    def put(room):
        disk = Disk(room)

        def write_text(path, text, encoding):
            with path.open("wb") as file:
                disk.write(file, text.encode(encoding))

        monkeypatch.setattr("traces.recorder.pa.OSFile", disk.open)
        monkeypatch.setattr("traces.whole_file.Path.write_text", write_text)

    return put


@pytest.fixture
def short_batches(monkeypatch):
    shorten(monkeypatch)


def shorten(monkeypatch):
    monkeypatch.setattr("simulator.engine.engine.PAUSE_EVENTS", PAUSE_EVENTS)
    monkeypatch.setattr("traces.ledger.BATCH_ROWS", BATCH_ROWS)


def run(folder, progress=None):
    simulate(residual_network(), chip(), memory="simple", out=folder, progress=progress)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A run that went well, in short batches."""
    folder = tmp_path_factory.mktemp("whole")
    with pytest.MonkeyPatch.context() as patch:
        shorten(patch)
        run(folder)
    return folder


def rows_left(folder, whole):
    """Rows of the tables, each of which must be the beginning of that of the whole run."""
    assert read_manifest(folder)["complete"] is False
    rows = {}
    for name in TABLES:
        table = read_table(folder, name)
        rows[name] = table.num_rows
        assert table.equals(read_table(whole, name).slice(0, table.num_rows))
    return rows


def check_analyses(folder, rows, capsys):
    """All analyses take the beginning of a run, and say that it is one."""
    for words in VERBS:
        code, out, err = tilesim([*words, str(folder)], capsys)
        if words[0] in ("report", "export") and not (rows["tasks"] and rows["intervals"]):
            assert err == f"tilesim: {folder}: must hold tasks and intervals to show, not none\n"
            continue
        assert code == 0, (words, err)
        assert "incomplete" in out + err, words


@pytest.mark.parametrize("percent", [*range(15, 100, 20), 99])
@pytest.mark.usefixtures("short_batches")
def test_a_full_disk_leaves_what_was_written(
    percent, whole, tmp_path, on_disk, monkeypatch, capsys
):
    size = sum(path.stat().st_size for path in whole.iterdir())
    folder = tmp_path / "run"
    on_disk(size * percent // 100)
    with pytest.raises(InputError) as refused:
        run(folder)
    monkeypatch.undo()

    assert str(refused.value) == f"{folder}: can't be written: {NO_SPACE}"
    rows = rows_left(folder, whole)
    assert bool(rows["tasks"]) == (percent > 50)
    assert sorted(path.name for path in folder.iterdir() if path.name[0] == ".") == []
    check_analyses(folder, rows, capsys)


@pytest.mark.usefixtures("short_batches")
def test_what_does_not_fit_is_cut_off_at_the_last_whole_batch(
    whole, tmp_path, on_disk, monkeypatch
):
    size = sum(path.stat().st_size for path in whole.iterdir())
    on_disk(size // 2)
    with pytest.raises(InputError):
        run(tmp_path)
    monkeypatch.undo()
    for name in TABLES:
        left, full = ((f / f"{name}.arrows").read_bytes() for f in (tmp_path, whole))
        assert full.startswith(left)


def test_a_disk_that_is_full_at_once_leaves_no_run(tmp_path, on_disk):
    on_disk(0)
    folder = tmp_path / "run"
    with pytest.raises(InputError, match=rf"^.*run: can't be written: {NO_SPACE}$"):
        run(folder)
    assert list(folder.iterdir()) == []


def test_a_manifest_that_can_not_be_renewed_stays_incomplete(tmp_path, on_disk, monkeypatch):
    recorder = Recorder(tmp_path, dict.fromkeys(WORDS, ("a",)), {})
    recorder.complete({})
    on_disk(0)
    with pytest.raises(InputError, match=rf"^.*: can't be written: {NO_SPACE}$"), recorder:
        pass
    monkeypatch.undo()
    assert read_manifest(tmp_path)["complete"] is False


WORDS = (
    *("kind", "unit", "server", "layer", "operand", "buffer", "cause", "dependence"),
    *("component", "action"),
)


def test_the_command_ends_with_one_line(tmp_path, on_disk, capsys):
    on_disk(20_000)
    words = ["run", "resnet18", "--chip", "edge_os_16x16", "--layers", "0:1", "--memory", "ideal"]
    code, out, err = tilesim([*words, "--out", str(tmp_path / "run")], capsys)
    assert (code, out) == (2, "")
    assert err == f"tilesim: {tmp_path / 'run'}: can't be written: {NO_SPACE}\n"


def python(text, *words):
    """A Python process that runs `text` in the checkout."""
    return subprocess.Popen([sys.executable, "-c", text, *words], cwd=ROOT, stdout=subprocess.PIPE)


KILLED = f"""
import os, signal, sys
from pathlib import Path
import simulator.engine.engine, traces.ledger
from tests.traces.test_recorder_faults import run
simulator.engine.engine.PAUSE_EVENTS, traces.ledger.BATCH_ROWS = {PAUSE_EVENTS}, {BATCH_ROWS}
def progress(ended, total):
    if 2 * ended > total:
        os.kill(os.getpid(), signal.SIGKILL)
run(Path(sys.argv[1]), progress)
"""


def test_a_killed_run_leaves_what_was_written(whole, tmp_path, capsys):
    folder = tmp_path / "run"
    assert python(KILLED, str(folder)).wait() == -signal.SIGKILL
    rows = rows_left(folder, whole)
    assert 0 < rows["tasks"] < read_table(whole, "tasks").num_rows
    check_analyses(folder, rows, capsys)

    with prepare_folder(folder, force=True):
        assert not list(folder.glob("*.arrows"))
        assert not (folder / MANIFEST).exists()


HOLDER = """
import sys, time
from pathlib import Path
from simulator.commands.run import prepare_folder
lock = prepare_folder(Path(sys.argv[1]), force=False)
print("ready", flush=True)
time.sleep(60)
"""


@pytest.mark.parametrize("force", [False, True])
def test_another_run_is_kept_out(tmp_path, force):
    holder = python(HOLDER, str(tmp_path))
    assert holder.stdout.readline() == b"ready\n"
    message = f"^--out {tmp_path}: another run is writing to it$"
    with pytest.raises(InputError, match=message):
        prepare_folder(tmp_path, force=force)
    with pytest.raises(InputError, match=message.removeprefix("^--out ")):
        run(tmp_path)

    holder.kill()
    holder.wait()
    assert (tmp_path / LOCK).exists()  # what a dead process leaves keeps nobody out
    prepare_folder(tmp_path, force=force).release()
    assert list(tmp_path.iterdir()) == []


def test_two_commands_for_one_folder_leave_one_whole_run(tmp_path):
    command = [*(sys.executable, "-c", "from traces.cli import main; main()"), "run", "resnet18"]
    command += ["--chip", "edge_os_16x16", "--layers", "0:1", "--out", str(tmp_path / "run")]
    both = [
        subprocess.Popen([*command, "--json"], cwd=ROOT, stdout=-1, stderr=-1) for _ in range(2)
    ]
    errors = {process.communicate()[1].decode() for process in both}
    assert sorted(process.returncode for process in both) == [0, 2]
    refused = f"tilesim: --out {tmp_path / 'run'}: "
    reasons = (
        "another run is writing to it",
        "must be empty or new; --force replaces an earlier run",
    )
    assert errors - {""} <= {f"{refused}{reason}\n" for reason in reasons}
    assert read_manifest(tmp_path / "run")["complete"] is True


def test_the_process_that_prepared_a_folder_may_write_to_it(tmp_path):
    with prepare_folder(tmp_path, force=False):
        run(tmp_path)
    assert read_manifest(tmp_path)["complete"] is True
    assert not (tmp_path / LOCK).exists()


def test_a_folder_that_must_not_be_emptied_is_left_unlocked(tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(InputError, match="must be empty or new"):
        prepare_folder(tmp_path, force=False)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_a_lock_is_not_taken_from_who_came_next(tmp_path):
    first, again = FolderLock(tmp_path), FolderLock(tmp_path)
    first.release()
    (tmp_path / LOCK).write_text("of another process")
    again.release()
    again.release()
    assert (tmp_path / LOCK).exists()


def test_a_folder_without_manifest_is_locked_too(tmp_path):
    FolderLock(tmp_path).release()
    assert not (tmp_path / MANIFEST).exists()
