"""`validate stream`: runs on the same work, differences explained, and unusable files."""

import re

import pytest

from hw_models.yaml_file import InputError
from tests.validation.multicore.fakes import outcome
from validation import stream
from validation.multicore.stream_runs import read_runs
from validation.multicore.workloads import REFERENCES
from validation.stream import LAYERS, validate

RUNS = "stream_runs.csv"
FEW = ("rn18few_tpuquad_fused", "rn18few_tpuquad_lbl")


@pytest.fixture
def part(tmp_path):
    """Writes the runs of some names and their layers, with replacements in both."""

    def write(names, replace=()):
        for file in (RUNS, LAYERS):
            lines = [
                line
                for line in (REFERENCES / file).read_text().splitlines()
                if line.startswith("run,") or line.split(",")[0] in names
            ]
            text = "\n".join(lines) + "\n"
            for old, new in replace:
                text = text.replace(old, new, 1)
            (tmp_path / file).write_text(text)
        return tmp_path / RUNS

    return write


def figures(done, run):
    return {row["figure"]: row for row in done.rows if row["run"] == run}


def test_the_shipped_example_fused_and_layer_by_layer(part):
    done = validate(part(FEW))
    fused, whole = (figures(done, run)["latency"] for run in FEW)
    assert fused["value_error_pct"] < 1
    assert whole["value_error_pct"] < 6
    assert figures(done, FEW[0])["tiles"]["value_error_pct"] == 0
    assert done.passed
    assert "fusion_signs=1/1" in done.summary_line()


def test_differences_of_tiles_and_between_them_add_up(part, monkeypatch):
    cycles = 2_000_000
    monkeypatch.setattr(stream, "run_case", lambda case: outcome(case, cycles))
    rows = figures(validate(part(FEW[:1])), FEW[0])
    theirs, core1 = 1304338, 1234800
    assert rows["latency"]["explained"] == (
        f"{cycles - theirs:+,} = {1 - core1:+,} tiles of core1 "
        f"{cycles - theirs + core1 - 1:+,} between them"
    )
    assert rows["tiles"]["explained"] == f"conv1 {1 - core1:+,}"
    half = cycles // 2
    assert rows["between tiles"]["explained"] == (
        f"core1: compute {half:,}, dram_bandwidth {half:,}"
    )


@pytest.mark.parametrize(("fused", "whole", "passed"), [(9, 10, True), (10, 9, False)])
def test_fusion_must_help_where_it_helps_there(part, monkeypatch, fused, whole, passed):
    path = part(FEW)
    latencies = [run.latency_cycles for run in read_runs(path, path.parent / LAYERS)]
    cycles = iter([latencies[1] * fused // 10, latencies[1] * whole // 10])
    monkeypatch.setattr(stream, "run_case", lambda case: outcome(case, next(cycles)))
    done = validate(path)
    assert ("fusion_signs=1/1" in done.summary_line()) is passed


def test_tiles_and_cores_are_those_of_the_table():
    [run] = [
        run
        for run in read_runs(REFERENCES / RUNS, REFERENCES / LAYERS)
        if run.name == "rn18_4homo_fused"
    ]
    placed = run.placed
    assert placed.tiles["conv1"] == (1, 1, 112)
    assert placed.cores["layer1.0.add1"] == run.chip.core_names.index("simd")
    assert run.offchip_cycles == 125 + 12731852
    assert run.is_cut


@pytest.mark.parametrize(
    ("replace", "file", "line", "message"),
    [
        (("quad_core", "quad_cores"), RUNS, 2, "hardware must be one of "),
        (("rn18few,TPU", "rn19,TPU"), RUNS, 2, "workload must be one of rn18, "),
        ((",conv,1,112", ",add,1,112"), LAYERS, 2, "type must be that of conv1, conv2d, not 'add'"),
        (
            ("118013952", "118013953"),
            LAYERS,
            2,
            "macs must be those of conv1, 118013952, not 118013953",
        ),
        (
            (",conv,1,112", ",conv,6,112"),
            LAYERS,
            2,
            "core must be one of 0 to 5 of stream_tpu_quad, not 6",
        ),
        (
            ("B:1 K:64 C:3", "B:1 K:63 C:3"),
            LAYERS,
            2,
            "tile_dims must have K or G that divide 64, not ",
        ),
        (("OY:1 OX:112", "OY:1 OX:113"), LAYERS, 2, "tile_dims must have OY, OX of at most "),
    ],
)
def test_a_bad_row_is_one_line(part, replace, file, line, message):
    path = part(FEW[:1], [replace])
    place = re.escape(f"{path.parent / file}: line {line}: {message}")
    with pytest.raises(InputError, match=f"^{place}"):
        validate(path)


def test_a_run_without_its_layers_is_told(part):
    path = part(FEW[:1])
    layers = path.parent / LAYERS
    layers.write_text("\n".join(layers.read_text().splitlines()[:-1]) + "\n")
    message = f"must have 8 layers of run {FEW[0]}, those of resnet18, not 7"
    with pytest.raises(InputError, match=f"^{re.escape(f'{layers}: {message}')}$"):
        validate(path)


def test_whole_layers_on_the_heterogeneous_chip(tmp_path):
    for file in (RUNS, LAYERS):
        lines = (REFERENCES / "extra" / file).read_text().splitlines()
        (tmp_path / file).write_text("\n".join(x for x in lines if "_fused," not in x) + "\n")
    done = validate(tmp_path / RUNS)
    assert done.errors_pct("latency") == [pytest.approx(0.6, abs=0.4)]
