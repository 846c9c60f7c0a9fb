"""`validate exploration`: points, energy, stacks, gains, resuming, and what can't run."""

import re
from dataclasses import replace
from itertools import pairwise
from types import SimpleNamespace

import pytest
import typer
from typer.testing import CliRunner

from hw_models.yaml_file import InputError
from simulator.fusion.compile import FusionChoices, compile_fused
from simulator.fusion.granularity import Granularity
from simulator.fusion.groups import WHOLE, Group, GroupCosts
from simulator.workload.graph import Layer, LayerOp, LoopDims, Operand
from validation.exploration import study
from validation.exploration.command import command
from validation.exploration.energy import program_energy
from validation.exploration.evaluate import (
    Row,
    Search,
    evaluate,
    groups_of,
    weight_bytes,
    weight_rooms,
)
from validation.exploration.gains import best_edp, best_gain, gains
from validation.exploration.pictures import plot_gains
from validation.exploration.report import best_table, closing_line, conclusions, network_table
from validation.exploration.space import (
    ARCHITECTURES,
    KINDS,
    LAYER,
    LINE,
    NETWORKS,
    STACKS,
    WAYS,
    Point,
    exploration_network,
    points,
)
from validation.exploration.store import Store
from validation.multicore.runs import READY_FIRST
from validation.multicore.stream_runs import read_runs
from validation.multicore.workloads import REFERENCES, chip_workloads, linked
from validation.reference_file import number, read_reference, text

GREEDY = Search("greedy", 1.0)
SIDE, CHANNELS = 8, 256


def convolutions(*channels, side=SIDE):
    """1x1 convolutions one after another; channels: of the input, then of each output."""
    layers = []
    for n, (c, k) in enumerate(pairwise(channels)):
        dims = LoopDims(b=1, g=1, k=k, c=c, oy=side, ox=side, fy=1, fx=1, iy=side, ix=side)
        source = layers[-1].output if layers else "input"
        weight = Operand(f"w{n}", ("g", "k", "c", "fy", "fx"))
        layers.append(
            Layer(f"conv{n}", LayerOp.CONV2D, dims, (Operand(source),), f"out{n}", weight=weight)
        )
    return linked("convolutions", tuple(layers))


def row(way=LAYER, network="resnet18", chip="4hetero_bus", cycles=100, energy_pj=10.0, **more):
    point = Row(network, chip, way, GREEDY.name, GREEDY.seconds, stacks=1, nodes=1)
    return replace(point, cycles=cycles, core_pj=energy_pj, **more)


# -- points


def test_all_chips_of_the_exploration_are_there():
    known = (REFERENCES / "expl_arch.csv").read_text()
    for one in ARCHITECTURES.values():
        assert re.sub("_mesh.*|_bus$", "", one.stream_name) in known
        convolving = [core for core in one.chip().cores if core.takes("conv2d")]
        assert (len(convolving) > 1) == (one.kind == "heterogeneous")
        assert (sum(core.count for core in convolving) > 1) == (one.kind != "single core")
    assert {one.kind for one in ARCHITECTURES.values()} == set(KINDS)


def test_points_are_all_combinations_and_ways_stand_together():
    found = points(("resnet18", "fsrcnn"), ("4homo_bus",))
    assert found[:3] == tuple(Point("resnet18", "4homo_bus", way) for way in WAYS)
    assert len(points(tuple(NETWORKS), tuple(ARCHITECTURES))) == 5 * 15 * 3


def test_fsrcnn_is_that_of_the_published_chip():
    theirs = next(p for name, p in chip_workloads().items() if name.lower().startswith("depfin"))
    ours = exploration_network("fsrcnn")
    assert [layer.dims.macs for layer in ours.layers] == [
        layer.dims.macs for layer in theirs.workload.layers
    ]


# -- energy


def test_energy_of_a_layer_is_that_of_its_tile_and_of_each_byte_once_over_the_edge():
    chip = ARCHITECTURES["1x16x16"].chip()
    inputs = outputs = SIDE * SIDE * CHANNELS
    weights = CHANNELS * CHANNELS
    fused = compile_fused(
        convolutions(CHANNELS, CHANNELS),
        chip,
        FusionChoices(Granularity.parse("layer"), {"conv0": ("core",)}, **READY_FIRST),
    )
    energy = program_energy(fused)
    weight_width, weight_write_pj = 256 // 8 // 2, 26.76
    width, read_pj, write_pj = 256 // 8, 52.0, 47.3
    assert energy.dram_bytes == inputs + outputs + weights
    assert energy.dram_pj == pytest.approx(energy.dram_bytes * 8 * 700 / 64)
    assert energy.moved_pj == pytest.approx(
        weights / weight_width * weight_write_pj
        + inputs / width * write_pj
        + outputs / width * read_pj
    )
    assert energy.core_pj == fused.costs.energy_pj > inputs * CHANNELS * 0.04
    assert energy.total_pj == energy.core_pj + energy.moved_pj + energy.dram_pj


def test_energy_of_streams_own_run_is_streams():
    runs, name = REFERENCES / "stream_runs.csv", "rn18few_tpuquad_fused"
    columns = {"run": text, "energy_pJ": number, "e_on_core": number}
    [theirs] = [r for r in read_reference(runs, columns) if r["run"] == name]
    [run] = [r for r in read_runs(runs, REFERENCES / "stream_run_layers.csv") if r.name == name]
    names = run.chip.core_names
    choices = FusionChoices(
        Granularity.parse("layer", run.placed.tiles),
        {layer: (names[core],) for layer, core in run.placed.cores.items()},
        **READY_FIRST,
    )
    energy = program_energy(compile_fused(run.placed.workload, run.chip, choices))
    assert energy.core_pj == pytest.approx(float(theirs["e_on_core"]), rel=0.01)
    assert energy.total_pj == pytest.approx(float(theirs["energy_pJ"]), rel=0.05)


# -- ways


def costs_of(workload, chip="1x16x16"):
    return GroupCosts(workload, ARCHITECTURES[chip].chip(), FusionChoices(**READY_FIRST))


def test_stacks_hold_weights_that_fit_and_larger_layers_stay_whole():
    room = 256 * 1024
    fits, large = (256, 512), (512, 1024)
    assert fits[0] * fits[1] * 2 == room < large[0] * large[1]
    costs = costs_of(convolutions(256, 512, 256, 512, 1024, side=2))
    assert sum(weight_rooms(costs.plan).values()) == room
    assert weight_bytes(costs.workload)[2:] == [256 * 512, 512 * 1024]
    assert groups_of(costs, STACKS) == (Group(0, 1, LINE), Group(2, 2, WHOLE), Group(3, 3, WHOLE))


def test_weights_that_only_fit_together_are_divided_until_they_fit_core_by_core():
    half = 512, 384  # 192 KiB, of which two don't fit on a core of 256
    costs = costs_of(convolutions(512, 384, 512, 384, 512, 384, 512, side=2), "4homo_bus")
    assert half[0] * half[1] * 6 > sum(weight_rooms(costs.plan).values())
    room = weight_rooms(costs.plan)
    for group in groups_of(costs, STACKS):
        if group.is_fused:
            assert (group.last - group.first + 1) * half[0] * half[1] <= sum(room.values())


def test_each_way_of_a_small_network(monkeypatch):
    small = convolutions(16, 16, 16)
    monkeypatch.setattr("validation.exploration.evaluate.exploration_network", lambda _: small)
    layer, line, stacks = evaluate("small", "1x16x16", WAYS, GREEDY)
    assert (layer.nodes, line.nodes) == (2, 2 * SIDE)
    assert stacks == replace(line, way=STACKS)
    assert line.dram_bytes == layer.dram_bytes == 2 * SIDE * SIDE * 16 + 2 * 16 * 16
    assert line.cycles > 0
    assert [one.way for one in (layer, line, stacks)] == list(WAYS)


def test_a_layer_that_fits_no_core_is_told(monkeypatch):
    bus = ARCHITECTURES["4homo_bus"].chip()
    chip = bus.model_copy(update={"cores": bus.cores[1:]})
    bare = SimpleNamespace(chip=lambda: chip, kind="homogeneous")
    monkeypatch.setitem(ARCHITECTURES, "bare", bare)
    small = convolutions(16, 16)
    monkeypatch.setattr("validation.exploration.evaluate.exploration_network", lambda _: small)
    found = list(evaluate("small", "bare", WAYS, GREEDY))
    problem = "layer conv0 must fit a core of stream_4homo_bus: none of pooling, simd runs conv2d"
    assert [one.problem for one in found] == [problem] * len(WAYS)
    assert closing_line(found) == (
        "points=3 failed=3 best_single_edp_gain=none best_homo_edp_gain=none "
        "best_hetero_edp_gain=none"
    )


# -- gains


def test_gain_is_edp_layer_by_layer_over_fused():
    cycles, energy = (300, 100, 150), (20.0, 12.0, 5.0)
    rows = [row(way, cycles=c, energy_pj=e) for way, c, e in zip(WAYS, cycles, energy, strict=True)]
    line, stacks = gains(rows)
    assert line.factor == cycles[0] * energy[0] / (cycles[1] * energy[1])
    assert stacks.factor == cycles[0] * energy[0] / (cycles[2] * energy[2])
    assert best_gain(rows, "heterogeneous") == stacks
    assert best_gain(rows, "single core") is None
    assert best_edp(rows, "resnet18", "heterogeneous") == rows[2]


def test_no_gain_without_both_ways():
    assert gains([row(LAYER, problem="no room"), row(LINE)]) == []
    assert gains([row(LAYER), row(LINE, problem="no room")]) == []


def test_report_names_the_best_gain_beside_the_published_one():
    rows = [row(LAYER, cycles=400), row(LINE, cycles=100), row(STACKS, problem="no room")]
    assert conclusions(rows) == [
        "heterogeneous: fusion lowers EDP by up to 4.00 times (resnet18 on 4hetero_bus, line); "
        "published: up to 2.2 (journal), up to 30 (first version)"
    ]
    assert closing_line(rows) == (
        "points=3 failed=1 best_single_edp_gain=none best_homo_edp_gain=none "
        "best_hetero_edp_gain=4.00"
    )
    table = network_table(rows)
    assert [next(iter(column.cells)) for column in table.columns] == [
        *("4hetero_bus", "0.0004", "0.0001", "-", "1e-08", "1e-08", "-"),
        *("4e-12", "4", "-"),
    ]


def test_best_of_each_kind_is_named():
    rows = [
        row(LAYER, energy_pj=2e9, cycles=3_000_000),
        row(LINE, energy_pj=2e9, cycles=1_000_000),
        row(LAYER, chip="1x16x16", energy_pj=1e9, cycles=500_000),
    ]
    assert [next(iter(column.cells)) for column in best_table(rows).columns] == [
        *("resnet18", "0.5\n1x16x16, layer", "-", "2\n4hetero_bus, line")
    ]


def test_picture(tmp_path):
    rows = [row(LAYER), row(LINE, cycles=10), row(STACKS, problem="no room")]
    plot_gains(rows, tmp_path / "gain.png")
    assert (tmp_path / "gain.png").read_bytes().startswith(b"\x89PNG")


# -- going on


def test_store_goes_on_after_a_line_that_was_cut_short(tmp_path):
    first, second = row(LAYER), row(LINE)
    Store(tmp_path).add([first, second])
    path = tmp_path / "points.jsonl"
    path.write_text(path.read_text()[:-10])
    store = Store(tmp_path)
    assert store.find(Point("resnet18", "4hetero_bus", LAYER), GREEDY) == first
    assert store.find(Point("resnet18", "4hetero_bus", LINE), GREEDY) is None
    assert store.find(Point("resnet18", "4hetero_bus", LAYER), Search("cp", 1.0)) is None
    store.add([second])
    assert list(Store(tmp_path).rows.values()) == [first, second]


def test_store_of_something_else_is_an_error(tmp_path):
    path = tmp_path / "points.jsonl"
    path.write_text('{"network": "resnet18"}\n')
    wrong = f"{path}: line 1: must be a point of this study"
    with pytest.raises(InputError, match=f"^{re.escape(wrong)}$"):
        Store(tmp_path)


def test_only_missing_points_are_evaluated(tmp_path, monkeypatch):
    asked, told = [], []

    def fake(network, chip, ways, search):
        asked.append((network, chip, ways))
        return (row(way, network, chip) for way in ways)

    monkeypatch.setattr(study, "evaluate", fake)
    Store(tmp_path).add([row(LINE, "resnet18", "4homo_bus")])
    chosen = points(("resnet18",), ("4homo_bus", "1x16x16"))
    rows = study.explore(
        chosen, GREEDY, Store(tmp_path), 1, lambda done, total: told.append((done, total))
    )
    assert asked == [("resnet18", "4homo_bus", (LAYER, STACKS)), ("resnet18", "1x16x16", WAYS)]
    assert [(one.chip, one.way) for one in rows] == [(p.chip, p.way) for p in chosen]
    assert told == [(done, 6) for done in range(1, 7)]
    asked.clear()
    assert study.explore(chosen, GREEDY, Store(tmp_path), 1, lambda *_: None) == rows
    assert asked == []


# -- command


def invoke(*words):
    app = typer.Typer()
    app.command()(command)
    return CliRunner().invoke(app, words)


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (("--networks", "vgg16"), "--networks must be of {networks}, not 'vgg16'"),
        (("--chips", "tpu"), "--chips must be of {chips}, not 'tpu'"),
        (("--allocation", "best"), "--allocation must be one of cp, ga, greedy, not 'best'"),
    ],
)
def test_what_the_command_refuses(words, error):
    done = invoke(*words)
    assert done.exit_code == 2
    known = {"networks": ", ".join(NETWORKS), "chips": ", ".join(ARCHITECTURES)}
    assert done.stderr.strip() == error.format(**known)


def test_command_reports_what_is_stored(tmp_path):
    cycles = {LAYER: 440, LINE: 300, STACKS: 200}
    rows = [replace(row(way, cycles=cycles[way]), seconds=2.0) for way in WAYS]
    Store(tmp_path).add(rows)
    done = invoke("--networks", "resnet18", "--chips", "4hetero_bus", "--out", str(tmp_path))
    assert done.exit_code == 0
    assert done.stdout.splitlines()[-1] == closing_line(rows)
    assert closing_line(rows).endswith("best_hetero_edp_gain=2.20")
    assert (tmp_path / "edp_gain.png").exists()
