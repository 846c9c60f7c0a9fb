import subprocess
import sys
from importlib.metadata import version

import pytest
import typer

from traces import cli
from traces.errors import InputError


def run(words, capsys):
    with pytest.raises(SystemExit) as exit_:
        cli.main(words)
    return exit_.value.code, capsys.readouterr()


def test_help_names_every_verb_with_its_summary(capsys):
    code, output = run(["--help"], capsys)
    assert code == 0
    for verb in ("chips", "networks", "run", "validate"):
        assert verb in cli.verbs()
        assert f"  {verb} " in output.out
    assert "simulate a network on a chip" in output.out


def test_help_loads_no_heavy_library():
    code = (
        "import sys; from traces.cli import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: pass\n"
        "print(sorted({'numpy', 'numba', 'onnx', 'pyarrow', 'pydantic'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_version(capsys):
    code, output = run(["--version"], capsys)
    assert code == 0
    assert output.out == f"tilesim {version('tilesim')}\n"


def test_an_unknown_verb_is_refused(capsys):
    code, output = run(["runn"], capsys)
    assert code == 2
    assert "No such command 'runn'" in output.err


def raises(error):
    def verb() -> None:
        raise error

    return verb


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (InputError("chip.yaml: rows must be at least 1, not 0"), 2, "chip.yaml: rows must be"),
        (KeyboardInterrupt(), 130, "interrupted"),
    ],
)
def test_errors_end_with_one_line(error, code, message, capsys, monkeypatch):
    app = typer.Typer()
    app.command()(raises(error))
    app.callback()(lambda: None)
    monkeypatch.setattr(cli, "build_app", lambda _words: app)
    got, output = run(["verb"], capsys)
    assert got == code
    assert output.out == ""
    assert output.err.startswith(f"tilesim: {message}")
    assert len(output.err.splitlines()) == 1
