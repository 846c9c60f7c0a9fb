"""What is built from the checkout has all that it needs, and runs away from the checkout."""

import os
import subprocess
import sys
import sysconfig
import tarfile
import tomllib
import zipfile
from importlib.metadata import PathDistribution
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("traces", "hw_models", "simulator", "validation")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]

TILESIM = f"""
import sys
from traces.cli import main
try:
    main(sys.argv[1:])
finally:
    files = [m.__file__ for name, m in sys.modules.items() if name.split(".")[0] in {PACKAGES}]
    for file in filter(None, files):
        assert file.startswith(sys.path[1]), file
"""
"""The command line, which must find all of its modules in the first folder of PYTHONPATH."""

LOAD_ALL = """
from hw_models.chip_files import load_chip, preset_names
for name in preset_names():
    load_chip(name)
"""


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The folder with wheel and source archive, made from the checkout."""
    folder = tmp_path_factory.mktemp("built")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-t", "sdist"]
    done = subprocess.run([*command, "-d", folder], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="module")
def installed(built, tmp_path_factory):
    """The folder that the wheel is installed in; one without compiled code is only unpacked."""
    folder = tmp_path_factory.mktemp("installed")
    with zipfile.ZipFile(next(built.glob("*.whl"))) as wheel:
        wheel.extractall(folder)
    return folder


def files_of(folders):
    """All files of the checkout below some folders, as paths from its root."""
    found = [path for folder in folders for path in (ROOT / folder).rglob("*") if path.is_file()]
    return {str(path.relative_to(ROOT)) for path in found if "__pycache__" not in path.parts}


def test_the_wheel_has_every_file_of_the_packages_and_nothing_else(installed):
    found = {str(path.relative_to(installed)) for path in installed.rglob("*") if path.is_file()}
    information = {name for name in found if ".dist-info/" in name}
    assert found - information == files_of(PACKAGES)
    assert any(name.endswith("licenses/LICENSE") for name in information)


def test_the_source_archive_has_the_tests_too(built):
    with tarfile.open(next(built.glob("*.tar.gz"))) as archive:
        found = {name.partition("/")[2] for name in archive.getnames()}
    others = {"pyproject.toml", "Makefile", "LICENSE", "README.md", "requirements.lock"}
    assert files_of((*PACKAGES, "tests")) | others <= found


def test_every_entry_point_is_in_the_wheel(installed):
    points = PathDistribution(next(installed.glob("*.dist-info"))).entry_points
    groups = {**PROJECT["entry-points"], "console_scripts": PROJECT["scripts"]}
    for group, values in groups.items():
        assert {p.name: p.value for p in points.select(group=group)} == values
    for point in points:
        assert (installed / f"{point.module.replace('.', '/')}.py").exists(), point


def python(installed, folder, text, *words):
    """Run `text` with the installed package and its dependencies, and without the checkout."""
    libraries = dict.fromkeys(sysconfig.get_path(name) for name in ("purelib", "platlib"))
    path = os.pathsep.join([str(installed), *libraries])
    environment = {**os.environ, "PYTHONPATH": path, "NUMBA_DISABLE_JIT": "1"}
    # -S: no .pth files, by which an editable install would lead back to the checkout.
    done = subprocess.run(
        [sys.executable, "-S", "-c", text, *words],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_wheel_runs_and_reports_outside_the_checkout(installed, tmp_path):
    # One layer and the quickest model, since kernels are not compiled here.
    words = ("resnet18", "--chip", "edge_os_16x16", "--layers", "20:20", "--memory", "ideal")
    told = python(installed, tmp_path, TILESIM, "run", *words, "--out", "mine")
    assert told.endswith("trace and result are in mine\n")
    assert python(installed, tmp_path, TILESIM, "report", "mine") == (
        "report is in mine/report.html\n"
    )
    assert (tmp_path / "mine" / "report.html").stat().st_size > 0


def test_every_preset_loads_outside_the_checkout(installed, tmp_path):
    python(installed, tmp_path, LOAD_ALL)


def test_every_verb_loads_outside_the_checkout(installed, tmp_path):
    for verb in PROJECT["entry-points"]["tilesim.commands"]:
        assert "Usage: tilesim" in python(installed, tmp_path, TILESIM, verb, "--help")
