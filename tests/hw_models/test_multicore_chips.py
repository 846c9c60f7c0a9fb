"""Chips of several cores: what they are made of, against the published descriptions."""

import csv
from fractions import Fraction
from importlib.resources import files
from typing import get_args

import numpy as np
import pytest

from hw_models.chip_files import load_chip, preset_names
from hw_models.commands.chips import summary
from hw_models.cost.area import chip_area
from hw_models.cost.energy import ActionEnergies
from hw_models.cost.network import link_energies_pj_per_bit
from hw_models.floorplan import floorplan
from hw_models.links import link_graph
from hw_models.spec import Op
from hw_models.tile_cost import tile_cost

REFERENCES = files("validation") / "references" / "multicore"
BITS = 8
LINKED = [name for name in preset_names() if load_chip(name).noc.kind == "links"]
EXPLORED = [name for name in LINKED if name.startswith("stream_")]
every_linked = pytest.mark.parametrize("name", LINKED)

# preset and its cores: rows of chip_arch.csv
VALIDATED = {
    "depfin": ("DepFiN", {"core": "0"}),
    "diana": (
        "DIANA",
        {"digital": "0 digital", "pooling": "1 pooling", "analog": "2 analog", "simd": "3 simd"},
    ),
    "aimc_4x4": (
        "AiMC4x4",
        {
            "cimu0_1": "0 (CIMU 0-1)",
            "cimu2_3": "1 (CIMU 2-3)",
            "cimu4_11": "2 (CIMU 4-11)",
            "cimu12_13": "3 (CIMU 12-13)",
            "cimu14_15": "4 (CIMU 14-15)",
        },
    ),
}
PUBLISHED_NAMES = {"weights": "l1_w", "l1": "l1_shared"}
# core file: memories of expl_memories.csv that its buffers are
EXPLORED_MEMORIES = {
    "stream_single_16x16": ("256KB_2_128KB_1r1w_64b", "256KB_2_128KB_1r1w_128b"),
    "stream_single_32x32": ("1MB_8_128KB_1r1w_32b", "1MB_8_128KB_1r1w_64b"),
    "stream_single_64x64": ("4MB_32_128KB_1r1w_16b", "4MB_32_128KB_1r1w_32b"),
    "stream_single_128x128": ("16MB_128_128KB_1r1w_8b", "16MB_128_128KB_1r1w_16b"),
}


def rows(name):
    lines = (REFERENCES / name).read_text(encoding="utf-8").splitlines()
    return list(csv.DictReader(line for line in lines if not line.startswith("#")))


@every_linked
def test_every_core_reaches_every_other_and_dram(name):
    graph = link_graph(load_chip(name))
    assert len(graph.routes) == len(graph.nodes) * (len(graph.nodes) - 1)


@every_linked
def test_dram_is_no_narrower_than_the_links_at_it(name):
    chip = load_chip(name)
    widths = [link.width_bytes for link in chip.noc.links if "dram" in link.ends]
    assert chip.dram_bytes_per_cycle >= sum(widths)


@pytest.mark.parametrize("name", EXPLORED)
def test_some_core_takes_each_kind_of_layer(name):
    chip = load_chip(name)
    for op in get_args(Op):
        assert any(core.takes(op) for core in chip.cores), op


@pytest.mark.parametrize(
    ("name", "core"), [(name, core) for name, (_, cores) in VALIDATED.items() for core in cores]
)
def test_buffers_of_the_validated_chips_are_the_published_ones(name, core):
    published, cores = VALIDATED[name]
    spec = next(c for c in load_chip(name).cores if c.name == core)
    of_chip = [row for row in rows("chip_arch.csv") if row["chip"] == published]
    energies = {entry.name: entry for entry in spec.pe_array.buffers}
    for buffer in spec.buffers:
        names = {PUBLISHED_NAMES.get(buffer.name), "l1_act", "l1_io"}
        (row,) = (
            r
            for r in of_chip
            if r["name_or_dims"] in names
            and (r["core"] == cores[core] or r["name_or_dims"] == "l1_shared")
            and (r["name_or_dims"] == "l1_w") == (buffer.name == "weights")
            and (r["name_or_dims"] == "l1_shared") == (buffer.name == "l1")
        )
        assert buffer.size_bytes == float(row["size_KiB"]) * 1024
        assert buffer.bytes_per_cycle * BITS == int(row["read_bw"])
        energy = energies[buffer.name]
        assert (energy.read_pj, energy.write_pj) == (
            float(row["read_cost_or_unit_energy"]),
            float(row["write_cost"]),
        )


@pytest.mark.parametrize("name", sorted(EXPLORED_MEMORIES))
def test_buffers_of_the_explored_cores_are_the_published_ones(name):
    memories = {row["name"].removeprefix("sram_"): row for row in rows("expl_memories.csv")}
    core = load_chip(name).cores[0]
    for buffer, energy, memory in zip(
        core.buffers, core.pe_array.buffers, EXPLORED_MEMORIES[name], strict=True
    ):
        row = memories[memory]
        assert buffer.size_bytes * BITS == int(row["size_bit"])
        assert buffer.bytes_per_cycle * BITS == int(row["read_bw"])
        assert buffer.width_bytes * BITS == int(memory.rpartition("_")[2][:-1])
        assert (energy.read_pj, energy.write_pj) == (
            float(row["read_cost"]),
            float(row["write_cost"]),
        )


WINDOW = np.array((1, 1, 1, 1))


@pytest.mark.parametrize(
    ("name", "core", "op", "layer"),
    [
        ("depfin", "core", "conv2d", 7),
        ("diana", "analog", "conv2d", 2),
        ("diana", "simd", "elementwise", 5),
        ("aimc_4x4", "cimu2_3", "conv2d", 1),
    ],
)
def test_a_tile_takes_the_published_cycles(name, core, op, layer):
    chip, (published, _) = load_chip(name), VALIDATED[name]
    (work,) = by_layer("chip_workloads.csv", published, layer)
    (row,) = by_layer("chip_layer_schedule.csv", published, layer)
    columns = 2 if name == "aimc_4x4" else int(work["OX"])
    sizes = [int(work[loop] or 1) for loop in ("B", "G", "K", "C", "OY", "OX", "FY", "FX")]
    sizes[4], sizes[5] = 1, columns
    spec = next(c for c in chip.cores if c.name == core)
    cost = tile_cost(spec, chip.precision, op, np.array(sizes), WINDOW)
    assert cost.cycles == int(row["tile_cycles"])
    assert cost.energy_pj * int(row["n_tiles"]) == pytest.approx(float(row["onchip_energy"]))


def by_layer(file, chip, layer):
    return [row for row in rows(file) if (row["chip"], row["layer"]) == (chip, str(layer))]


def test_the_cores_of_diana_share_one_l1():
    chip = load_chip("diana")
    plan = floorplan(chip)
    assert plan.buffers == ("digital.weights", "shared.l1", "analog.weights")
    assert {core.buffer_of("output").index for core in plan.cores} == {1}
    kib = (64 + 256 + 256) * 1024
    assert summary(chip)["on_chip_kib"] * 1024 == kib
    sram = [part.component for part in chip_area(chip).components if part.kind == "sram"]
    assert sram == ["digital.weights", "digital.l1", "analog.weights"]


def test_energy_of_an_access_is_that_of_the_file_over_its_width():
    energies = ActionEnergies.of(load_chip("depfin"))
    activations = load_chip("depfin").cores[0].pe_array.buffers[1]
    assert energies.of_action("core.activations.read_byte").pj == activations.read_pj / 128
    assert energies.of_action("core.activations.write_byte").pj == activations.write_pj / 128
    assert energies.of_action("noc_byte").pj == 0


def test_chiplets_are_joined_by_narrow_links():
    chip = load_chip("simba_2x2")
    graph, core = link_graph(chip), chip.core_names.index
    inside = graph.route(core("a0"), core("a1"))
    across = graph.route(core("a3"), core("d3"))
    narrow, wide = (min(graph.width_bits[link] for link in way) for way in (across, inside))
    assert narrow < wide
    crossed = [graph.names[link] for link in across if graph.width_bits[link] == narrow]
    assert len(crossed) == 2
    energies = link_energies_pj_per_bit(graph)
    package = next(link.pj_per_bit for link in chip.noc.links if link.name == "a1_b0")
    assert energies[graph.names.index("noc.a1_b0")] == package
    assert energies[inside[0]] == link_energies_pj_per_bit(link_graph(chip))[inside[0]] > 0


def test_energy_of_links_without_one_is_that_of_a_bus():
    with_bus = load_chip("tpu_like")
    bus = ActionEnergies.of(with_bus).of_action("noc_byte").pj
    simba = link_graph(load_chip("simba_2x2"))
    inside = simba.route(0, 1)[0]
    assert link_energies_pj_per_bit(simba)[inside] * BITS == pytest.approx(bus)


def test_mesh_and_bus_variants_differ_in_ways_and_ports_only():
    mesh, bus = load_chip("stream_4hetero"), load_chip("stream_4hetero_bus")
    assert mesh.cores == bus.cores
    ways = [link_graph(chip) for chip in (mesh, bus)]
    dram = len(mesh.core_names)
    assert ways[0].route(dram, 0) != ways[0].route(0, dram)
    assert ways[1].route(dram, 0) == ways[1].route(0, dram) != ways[1].route(0, 1)
    assert mesh.dram_bytes_per_cycle == 2 * bus.dram_bytes_per_cycle == Fraction(16)
