"""Tile costs against what Stream's cost model says of its chips, and against plain counting."""

import csv
from itertools import permutations
from math import ceil, prod
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import validation
from hw_models.chip_files import load_chip
from hw_models.cost.energy import action_energies_pj
from hw_models.nest.order import Allocator, factors, mapped, orders
from hw_models.pe_array.dataflow_machine import machine_of, nest_of
from hw_models.pe_array.dataflow_nest_costs import NestCosts
from hw_models.pe_array.tile import Stream, Tile
from hw_models.pe_array.timing import SHAPE_COLUMNS
from hw_models.spec import BufferSpec
from hw_models.tile_cost import tile_cost, tile_energy_pj
from hw_models.yaml_file import InputError

MULTICORE = Path(validation.__file__).parent / "references" / "multicore"
BUS_BITS = 64


def cost(chip, op, core=0, stride=1, **given):
    streams = {key: given[key] for key in given if key.startswith("stream")}
    shape = np.array([given.get(loop, 1) for loop in SHAPE_COLUMNS])
    window = np.array([stride, stride, 1, 1])
    return tile_cost(chip.cores[core], chip.precision, op, shape, window, **streams)


def rows(name):
    lines = (MULTICORE / name).read_text(encoding="utf-8").splitlines()
    return list(csv.DictReader(line for line in lines if not line.startswith("#")))


FSRCNN = ((56, 1, 5), (12, 56, 1), *4 * [(12, 12, 3)], (56, 12, 1), (16, 56, 3))
"""Output channels, input channels, window of the layers of FSRCNN at 960 x 540
(references/multicore/chip_workloads.csv)."""
RESIDUAL_3X3, RESIDUAL_1X1 = {"k": 64, "c": 64, "fy": 3, "fx": 3}, {"k": 64, "c": 64}
TILES = {
    "DepFiN": [("conv2d", {"k": k, "c": c, "fy": f, "fx": f, "ox": 960}, 1) for k, c, f in FSRCNN],
    "DIANA": [
        ("conv2d", {"k": 16, "c": 3, "fy": 7, "fx": 7, "ox": 14}, 2),
        ("pool", {"g": 64, "fy": 2, "fx": 2, "ox": 14}, 2),
        ("conv2d", RESIDUAL_3X3 | {"ox": 56}, 1),
        ("conv2d", RESIDUAL_1X1 | {"ox": 56}, 1),
        ("conv2d", RESIDUAL_3X3 | {"ox": 56}, 1),
        ("elementwise", {"g": 64, "ox": 56}, 1),
        ("conv2d", RESIDUAL_3X3 | {"ox": 56}, 1),
        ("conv2d", RESIDUAL_3X3 | {"ox": 56}, 1),
        ("elementwise", {"g": 64, "ox": 56}, 1),
    ],
    "AiMC4x4": [
        ("conv2d", {"k": 64, "c": 256, "ox": 2}, 1),
        ("conv2d", RESIDUAL_3X3 | {"ox": 2}, 1),
        ("conv2d", {"k": 256, "c": 64, "ox": 2}, 1),
        ("conv2d", {"k": 64, "c": 256, "ox": 2}, 1),
        ("conv2d", RESIDUAL_3X3 | {"ox": 2}, 1),
    ],
}
PRESETS = {"DepFiN": "depfin", "DIANA": "diana", "AiMC4x4": "aimc_4x4"}


@pytest.mark.parametrize(
    "row", rows("chip_layer_schedule.csv"), ids=lambda row: f"{row['chip']}_{row['layer']}"
)
def test_a_tile_takes_the_cycles_and_the_energy_of_the_reference(row):
    op, loops, stride = TILES[row["chip"]][int(row["layer"])]
    got = cost(load_chip(PRESETS[row["chip"]]), op, int(row["core"]), stride, **loops)
    assert got.cycles == int(row["tile_cycles"])
    assert got.array_cycles == int(row["ideal_tile_cycles"])
    assert got.energy_pj == pytest.approx(
        float(row["onchip_energy"]) / int(row["n_tiles"]), rel=2e-3
    )


def whole_layers():
    """Duration of every layer of DepFiN run layer by layer: differences of their ends."""
    (row,) = (row for row in rows("depfin_sweep.csv") if row["oy_tiles"] == "lbl")
    spans = (layer.split(":")[1].split("-") for layer in row["layers"].split())
    return [int(end) - int(start) for start, end in spans]


@pytest.mark.parametrize("layer", range(len(FSRCNN)))
def test_streamed_layers_take_the_cycles_of_the_reference(layer):
    k, c, f = FSRCNN[layer]
    streamed = frozenset(("output",) if layer == 0 else ("input", "output"))
    got = cost(
        load_chip("depfin"),
        "conv2d",
        k=k,
        c=c,
        fy=f,
        fx=f,
        ox=960,
        oy=540,
        streamed=streamed,
        stream_bits_per_cycle=BUS_BITS,
    )
    assert got.cycles == pytest.approx(whole_layers()[layer], rel=2e-3)
    halo_again = f if layer == 7 else 1
    least = 0 if layer == 0 else c * 960 * 540 * halo_again
    assert least <= got.stream_read_bytes < least * 1.06 + 1
    assert got.stream_write_bytes == k * 960 * 540


def test_streamed_weights_take_the_time_of_the_bus():
    loops = {"k": 512, "c": 512, "fy": 3, "fx": 3, "ox": 7}
    got = cost(
        load_chip("stream_single_32x32"),
        "conv2d",
        **loops,
        streamed=frozenset({"weight"}),
        stream_bits_per_cycle=BUS_BITS,
    )
    weights = 512 * 512 * 3 * 3
    assert got.stream_read_bytes == weights
    assert got.cycles == pytest.approx(weights * 8 / BUS_BITS, rel=0.01)
    (row,) = (
        row
        for row in rows("stream_run_layers.csv")
        if (row["run"], row["layer"]) == ("rn18_single32_fused", "37")
    )
    assert got.cycles == int(row["busy"]) / int(row["n_tiles"])


EXPLORATION = {
    "rn18_single32": ("stream_single_32x32", (0, 1, 2)),
    "rn18_4homo": ("stream_4homo", (0, 0, 0, 0, 1, 2)),
    "rn18few_tpuquad": ("stream_tpu_quad", (0, 0, 0, 0, 1, 2)),
}
OPS = {
    "conv": "conv2d",
    "gemm": "matmul",
    "pooling": "pool",
    "maxpool": "pool",
    "add": "elementwise",
}
HALVING = {(64, 3, 112), (128, 64, 28), (256, 128, 14), (512, 256, 7)}
"""Output channels, input channels, columns of the layers of ResNet-18 with stride 2."""
WITHOUT_PADDING = {
    ("rn18_single32_fused", "15"),  # another order of loops when padding is not read
    ("rn18_single32_fused", "19"),
    ("rn18_single32_fused", "21"),
}
"""Tiles more than 5 % off: the reference leaves out padding, which tiles here count as data."""


def line_tiles():
    for row in rows("stream_run_layers.csv"):
        fits = "C:512" not in row["tile_dims"] and "K:512" not in row["tile_dims"]
        if row["run"].endswith("_fused") and fits and "K:256" not in row["tile_dims"]:
            yield row


def different(given):
    found = {(row["run"], row["type"], row["tile_dims"]): row for row in reversed(list(given))}
    return list(reversed(found.values()))


@pytest.mark.parametrize(
    "row", different(line_tiles()), ids=lambda row: f"{row['run']}_{row['layer']}"
)
def test_line_tiles_of_the_exploration_take_the_cycles_of_the_reference(row):
    preset, cores = EXPLORATION[row["run"].removesuffix("_fused")]
    loops = {
        loop.lower(): int(n) for loop, n in (part.split(":") for part in row["tile_dims"].split())
    }
    op = OPS[row["type"]]
    halves = (loops.get("k"), loops.get("c"), loops["ox"]) in HALVING
    stride = 2 if op == "pool" or halves else 1
    if op in ("pool", "elementwise"):
        loops["g"] = loops.pop("k", loops.get("g"))
    got = cost(load_chip(preset), op, cores[int(row["core"])], stride, **loops)
    error = got.cycles / (int(row["busy"]) / int(row["n_tiles"])) - 1
    assert abs(error) < (0.1 if (row["run"], row["layer"]) in WITHOUT_PADDING else 0.03)


small = st.fixed_dictionaries(
    {loop: st.integers(1, 4) for loop in ("g", "k", "c", "oy", "ox", "fy", "fx")}
)
few = settings(max_examples=15, deadline=None)
CORES = [("depfin", 0), ("diana", 2), ("stream_4homo", 0), ("stream_4hetero", 2)]


@few
@given(loops=small, place=st.sampled_from(CORES))
def test_no_tile_beats_its_array_or_its_steps(loops, place):
    chip = load_chip(place[0])
    got = cost(chip, "conv2d", place[1], **loops)
    lanes = prod(chip.cores[place[1]].pe_array.lanes)
    assert got.cycles >= got.array_cycles >= ceil(prod(loops.values()) / lanes)
    assert got.stream_read_bytes == got.stream_write_bytes == 0
    assert all(n > 0 for _, _, n in got.trains)


@few
@given(loops=small, place=st.sampled_from(CORES))
def test_orders_left_out_are_never_better(loops, place):
    """All orders on the one hand, those that differ on the other."""
    chip = load_chip(place[0])
    core, spec = chip.cores[place[1]], chip.cores[place[1]].pe_array
    machine = machine_of(core, spec, Stream())
    sizes = tuple(loops.get(loop, 1) for loop in SHAPE_COLUMNS)
    tile = Tile("conv2d", sizes, (1, 1, 1, 1), chip.precision, Stream())
    nest, steps = nest_of(spec, 0, machine, tile)
    steps = dict(list(steps.items())[:4] + [(loop, 1) for loop in list(steps)[4:]])
    allocator, costs = Allocator(nest, machine), NestCosts(spec, nest, machine)
    every = set()
    for order in set(permutations(factors(steps))):
        temporal = allocator.temporal(list(order))
        if temporal is not None:
            every.add(costs.cost(type(nest)(**fields_of(nest, temporal)).settled()).cycles)
    assert {costs.cost(found).cycles for found in mapped(nest, steps, machine)} == every


def fields_of(nest, temporal):
    names = ("sizes", "spatial", "stride", "bits", "relevant")
    return {name: getattr(nest, name) for name in names} | {"temporal": temporal}


@given(counts=st.lists(st.sampled_from([("k", 2), ("c", 2), ("ox", 3)]), max_size=5))
def test_every_order_comes_once(counts):
    found = [tuple(order) for order in orders(counts)]
    assert sorted(found) == sorted(set(permutations(counts)))


def test_factors_make_up_their_loops_and_are_at_most_six():
    found = factors({"ox": 960, "k": 56, "c": 12, "fy": 1})
    assert len(found) == 6
    for loop, size in (("ox", 960), ("k", 56), ("c", 12), ("fy", 1)):
        assert prod(n for name, n in found if name == loop) == size


def test_more_loops_than_six_keep_a_factor_each():
    found = factors(dict.fromkeys("abcdefgh", 4))
    assert found == [(loop, 4) for loop in "abcdefgh"]


def test_the_first_of_too_many_loops_stay_outermost():
    loops = dict.fromkeys(("b", "g", "k", "c", "oy", "ox", "fy", "fx"), 2)
    chip = load_chip("depfin")
    spec, nothing = chip.cores[0].pe_array, Stream()
    spec = spec.model_copy(update={"lanes": (1, 1)})
    machine = machine_of(chip.cores[0], spec, nothing)
    tile = Tile("conv2d", tuple(loops.values()), (1, 1, 1, 1), chip.precision, nothing)
    nest, steps = nest_of(spec, 0, machine, tile)
    found = [nest.temporal["W"][-1][-2:] for nest in mapped(nest, steps, machine)]
    assert found
    assert all(outer == [("G", 2), ("B", 2)] for outer in found)


def test_a_streamed_operand_without_a_bus_is_refused():
    with pytest.raises(ValueError, match=r"^stream_bits_per_cycle must be at least 1, not 0$"):
        cost(load_chip("depfin"), "conv2d", k=4, streamed=frozenset({"input"}))


def test_a_loop_of_nothing_is_refused():
    with pytest.raises(ValueError, match=r"^loop sizes of a tile must be at least 1, not 0$"):
        cost(load_chip("depfin"), "conv2d", k=0)


def test_a_buffer_without_energies_is_named():
    core = load_chip("depfin").cores[0]
    spec = core.pe_array.model_copy(update={"buffers": core.pe_array.buffers[:1]})
    chip = changed(load_chip("depfin"), pe_array=spec)
    with pytest.raises(
        InputError, match=r"^core core: pe_array\.buffers must name activations too$"
    ):
        cost(chip, "conv2d", k=4)


def changed(chip, **update):
    core = chip.cores[0].model_copy(update=update)
    return chip.model_copy(update={"cores": (core,)})


def test_a_tile_that_registers_cannot_hold_is_refused():
    chip = load_chip("depfin")
    spec = chip.cores[0].pe_array
    small = spec.stores[2].model_copy(update={"size_bits": 8})  # a partial sum has 16
    stores = (*spec.stores[:2], small)
    chip = changed(chip, pe_array=spec.model_copy(update={"stores": stores}))
    with pytest.raises(
        InputError, match=r"^core core: a tile must fit in some order, not conv2d of k 4 x c 2$"
    ):
        cost(chip, "conv2d", k=4, c=2)


def test_a_tile_a_little_too_large_for_its_buffer_is_timed_all_the_same():
    chip = load_chip("depfin")
    weights, activations = chip.cores[0].buffers
    tiny = changed(chip, buffers=(weights, activations.model_copy(update={"size_bytes": 128})))
    tile = {"k": 16, "ox": 128}
    stream = {"streamed": frozenset({"output"}), "stream_bits_per_cycle": 8}
    got, roomy = (cost(some, "conv2d", **tile, **stream) for some in (tiny, chip))
    assert got.stream_write_bytes == roomy.stream_write_bytes == 16 * 128
    assert got.cycles == roomy.cycles


def test_another_array_takes_its_own_time_or_that_of_its_ports():
    chip = load_chip("tpu_like")
    got = cost(chip, "conv2d", k=64, c=64, ox=56, fy=3, fx=3)
    assert got.cycles == got.array_cycles
    core = chip.cores[0]
    thin = tuple(
        BufferSpec(**b.model_dump() | {"banks": 1, "width_bytes": 1}) for b in core.buffers
    )
    narrow = changed(chip, buffers=thin)
    held = cost(narrow, "conv2d", k=64, c=64, ox=56, fy=3, fx=3)
    assert held.array_cycles == got.array_cycles
    assert held.cycles == max(n for _, _, n in held.trains)


def test_a_vector_layer_takes_the_vector_unit():
    chip = load_chip("tpu_like")
    lanes = chip.cores[0].vector_unit.lanes
    got = cost(chip, "activation", g=64, ox=56)
    assert got.array_cycles == ceil(64 * 56 / lanes)
    assert [n for _, _, n in got.trains] == [64 * 56, 64 * 56]


def test_a_stream_on_another_array_takes_the_time_of_its_bytes():
    chip = load_chip("tpu_like")
    got = cost(
        chip,
        "elementwise",
        g=64,
        ox=56,
        streamed=frozenset({"input", "output"}),
        stream_bits_per_cycle=8,
    )
    assert (got.stream_read_bytes, got.stream_write_bytes) == (2 * 64 * 56, 64 * 56)
    assert got.cycles == 3 * 64 * 56


def test_energy_without_that_of_the_array_comes_from_the_tables_of_the_chip():
    chip = load_chip("tpu_like")
    core, pj = chip.cores[0], action_energies_pj(chip)
    ways = ("read", "write")
    for op, loops, work in (
        ("matmul", {"k": 8, "c": 4, "ox": 5}, 8 * 4 * 5 * (pj["mac"] + pj["core.pe_store"])),
        ("elementwise", {"g": 8, "ox": 5}, 8 * 5 * pj["vector_operation"]),
    ):
        found = cost(chip, op, **loops)
        shape = np.array([loops.get(loop, 1) for loop in SHAPE_COLUMNS])
        moved = sum(n * pj[f"core.{name}.{ways[way]}_byte"] for name, way, n in found.trains)
        assert found.energy_pj == 0
        assert tile_energy_pj(chip, core, op, shape, found) == pytest.approx(work + moved)


def test_energy_of_a_dataflow_array_is_that_of_its_spec():
    chip = load_chip("depfin")
    found = cost(chip, "conv2d", k=16, c=12, ox=128)
    shape = np.array([1, 1, 16, 12, 1, 128, 1, 1])
    assert tile_energy_pj(chip, chip.cores[0], "conv2d", shape, found) == found.energy_pj > 0
