"""The scheduler on the three chips whose schedules by Stream are published."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from simulator.fusion.problem import SchedulingProblem
from simulator.fusion.schedule import EVICTION, Schedule, schedule
from tests.simulator.fusion.scheduling_problems import Tile, problem_of

REFERENCES = Path(__file__).parents[3] / "validation" / "references" / "multicore"
OFFCHIP_BITS = 64
KIB = 1024

# FSRCNN: output channels, input channels, window; rows and columns of every layer
FSRCNN = (
    (56, 1, 5), (12, 56, 1), (12, 12, 3), (12, 12, 3), (12, 12, 3), (12, 12, 3), (56, 12, 1),
    (16, 56, 3),
)  # fmt: skip
ROWS, COLUMNS = 540, 960
# cycles of a row in steady state and of filling and emptying the array, of every layer
ROW_CYCLES = (800, 448, 864, 864, 864, 864, 448, 4032)
FILL_CYCLES = (15, 13, 13, 13, 13, 13, 13, 16)


def table(name: str) -> list[dict[str, str]]:
    path = REFERENCES / name
    lines = [row for row in path.read_text().splitlines() if not row.startswith("#")]
    return list(csv.DictReader(lines))


def near(first: int, last: int, tiles: int) -> range:
    return range(max(first, 0), min(last, tiles - 1) + 1)


def depfin(rows: int, width_bits: int, sram_kib: int) -> SchedulingProblem:
    """FSRCNN in tiles of some rows; input rows come with their halo and padding columns."""
    tiles = []
    for layer, (k, c, window) in enumerate(FSRCNN):
        halo = window // 2
        for y in range(ROWS // rows):
            first, last = (y * rows - halo) // rows, ((y + 1) * rows - 1 + halo) // rows
            reads = near(first, last, ROWS // rows) if layer else ()
            row_bytes = (rows + 2 * halo) * (COLUMNS + 2 * halo)
            tiles.append(
                Tile(
                    layer=layer,
                    cycles=rows * ROW_CYCLES[layer] + FILL_CYCLES[layer],
                    out_bytes=k * COLUMNS * rows,
                    reads=tuple((layer - 1, n) for n in reads),
                    loads=() if layer else ((f"rows{y}", row_bytes),),
                    weight=(f"w{layer}", k * c * window**2),
                    final=layer == len(FSRCNN) - 1,
                )
            )
    return problem_of(
        tiles,
        pools={"act": sram_kib * KIB, "w": 512 * KIB},
        activations=["act"],
        weights=["w"],
        links={"bus": width_bits},
        routes={(0, 1): ["bus"], (1, 0): ["bus"]},
    )


def spans(problem: SchedulingProblem, result: Schedule) -> list[str]:
    """First start and last end of every layer."""
    return [
        f"{layer}:{result.node_start[here].min()}-{result.node_end[here].max()}"
        for layer in range(len(problem.layer_names))
        for here in [problem.layer == layer]
    ]


SPLIT_ROWS = [row for row in table("depfin_sweep.csv") if row["oy_tiles"] != "lbl"]


@pytest.mark.parametrize("row", SPLIT_ROWS, ids=lambda row: "-".join(list(row.values())[1:4]))
def test_depfin_is_scheduled_to_the_cycle(row: dict[str, str]) -> None:
    rows = int(row["tile_rows"].split()[0])
    problem = depfin(rows, int(row["offchip_bw_bit"]), int(row["l1_act_KiB"]))
    result = schedule(problem)
    assert result.latency == int(row["latency"])
    assert result.link_busy_cycles[0] == int(row["link_busy"])
    assert result.link_transfers[0] == int(row["link_transfers"])
    assert 8 * result.pool_peak_bytes[0] == float(row["peak_l1_act_bit"])
    assert spans(problem, result) == row["layers"].split()
    assert (result.transfers["reason"] == EVICTION).any() == (float(row["evict_energy"]) > 0)


def conv(y: int, x: int, size: tuple[int, int]) -> list[tuple[int, int]]:
    return [(v, u) for v in near(y - 1, y + 1, size[0]) for u in near(x - 1, x + 1, size[1])]


def diana() -> SchedulingProblem:
    """Start of ResNet-18: digital, pooling, analog, SIMD core around one shared L1."""
    stem = [
        Tile(0, 152, 16 * 14, loads=((f"in{y},{x}", 3 * 7 * 33),), weight=(f"w0,{k}", 16 * 147))
        for y in range(112)
        for x in range(8)
        for k in range(4)
    ]
    pool = [
        Tile(1, 64, 64 * 14, core=1, reads=tuple(
            (0, (v * 8 + u) * 4 + k)
            for v in (2 * y, 2 * y + 1) for u in (2 * x, 2 * x + 1) for k in range(4)
        ))
        for y in range(56)
        for x in range(4)
    ]  # fmt: skip
    rows = []
    for layer, core, cycles, weight_bytes, halo, makers in (
        (2, 2, 2690, 64 * 64 * 9, 1, (1,)),
        (3, 2, 898, 64 * 64, 0, (1,)),
        (4, 2, 2690, 64 * 64 * 9, 1, (2,)),
        (5, 3, 1794, 0, 0, (3, 4)),
        (6, 2, 2690, 64 * 64 * 9, 1, (5,)),
        (7, 2, 2690, 64 * 64 * 9, 1, (6,)),
        (8, 3, 1794, 0, 0, (5, 7)),
    ):
        for y in range(56):
            read = [(m, v) for m in makers for v in near(y - halo, y + halo, 56)]
            pooled = [(1, 4 * v + x) for m, v in read if m == 1 for x in range(4)]
            weight = (f"w{layer}", weight_bytes) if weight_bytes else None
            reads = tuple(pooled or read)
            rows.append(Tile(layer, cycles, 64 * 56, reads, (), weight, layer == 8, core))
    routes = {pair: [link] for c in range(4) for pair, link in (((4, c), "in"), ((c, 4), "out"))}
    return problem_of(
        [*stem, *pool, *rows],
        pools={"l1": 256 * KIB, "w0": 64 * KIB, "w2": 256 * KIB, "none": 0},
        activations=["l1"] * 4,
        weights=["w0", "none", "w2", "none"],
        links={"in": 128, "out": 128},
        routes=routes,
    )


def aimc() -> SchedulingProblem:
    """Five convolutions of ResNet-50, one on each core, in tiles of two pixels."""
    tiles = []
    layers = (
        (256, 64, 1, 34),
        (64, 64, 3, 38),
        (64, 256, 1, 34),
        (256, 64, 1, 34),
        (64, 64, 3, 38),
    )
    for layer, (c, k, window, cycles) in enumerate(layers):
        for y in range(56):
            for x in range(28):
                read = conv(y, x, (56, 28)) if window == 3 else [(y, x)]
                tiles.append(
                    Tile(
                        layer=layer,
                        core=layer,
                        cycles=cycles,
                        out_bytes=2 * k,
                        reads=tuple((layer - 1, v * 28 + u) for v, u in read) if layer else (),
                        loads=() if layer else ((f"in{y},{x}", 2 * c),),
                        weight=(f"w{layer}", c * k * window**2),
                        final=layer == 4,
                    )
                )
    pools = {f"io{n}": 16 * KIB for n in range(5)} | {f"w{n}": 256 * KIB for n in range(5)}
    onchip, offchip = [f"to{n + 1}" for n in range(4)], [f"dram{n}" for n in range(5)]
    routes = {(n, n + 1): [onchip[n]] for n in range(4)}
    for n in range(5):
        routes |= {(n, 5): [offchip[n]], (5, n): [offchip[n]]}
    return problem_of(
        tiles,
        pools=pools,
        activations=[f"io{n}" for n in range(5)],
        weights=[f"w{n}" for n in range(5)],
        links=dict.fromkeys([*onchip, *offchip], 128),
        routes=routes,
    )


def published(chip: str) -> tuple[int, list[str], list[int], list[int]]:
    """Latency, spans of layers, busy cycles of links and peak bits of memories of a chip."""
    (latency,) = [int(r["stream_full"]) for r in table("chip_results.csv") if r["chip"] == chip]
    layers = [r for r in table("chip_layer_schedule.csv") if r["chip"] == chip]
    rows = [r for r in table("chip_mem_link.csv") if r["chip"] == chip]
    busy = [int(r["peak_bits_or_busy_cycles"]) for r in rows if r["kind"] == "link"]
    peaks = [int(r["peak_bits_or_busy_cycles"]) for r in rows if r["kind"] == "memory"]
    return latency, [f"{r['layer']}:{r['start']}-{r['end']}" for r in layers], busy, peaks


def test_diana_is_scheduled_to_the_cycle() -> None:
    latency, layers, busy, peaks = published("DIANA")
    problem = diana()
    result = schedule(problem)
    assert result.latency == latency
    assert spans(problem, result) == layers
    assert result.link_busy_cycles.tolist() == busy[::-1]
    weights, shared, _registers, analog_weights, _l2 = peaks
    assert (8 * result.pool_peak_bytes).tolist() == [shared, weights, analog_weights, 0]


def test_aimc_waits_for_weights_that_stream_does_not_wait_for() -> None:
    """Core 1 starts when its weights have come; in the published schedule it starts before."""
    latency, layers, busy, _peaks = published("AiMC4x4")
    problem = aimc()
    result = schedule(problem)
    weights_come = 64 * 64 * 9 * 8 // 128
    late = weights_come - int(layers[1].split(":")[1].split("-")[0])
    assert result.node_start[problem.layer == 1].min() == weights_come
    assert result.latency == latency + late
    onchip, offchip = busy[0::2][:4], [busy[1], busy[3], busy[5], busy[7], busy[8]]
    assert result.link_busy_cycles.tolist() == onchip + offchip
