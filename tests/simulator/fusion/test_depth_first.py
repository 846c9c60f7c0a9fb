"""Depth-first tiles costed by their kinds."""

import re

import pytest

from hw_models.chip_files import load_chip
from simulator.fusion.depth_first import _chain_of, _strips, depth_first_cost
from simulator.fusion.granularity import Granularity
from simulator.fusion.memory_levels import DRAM, Memories
from simulator.fusion.overlap import split_stack
from tests.simulator.fusion.networks import Net
from traces.errors import InputError

CHIP = load_chip("meta_proto_df")
TAPS, CHANNELS, SIDE = (3, 1, 3), 4, 12


def network(side=SIDE):
    """Convolutions without padding, to an output of side x side."""
    net = Net()
    edge = side + sum(taps - 1 for taps in TAPS)
    x = net.input(1, edge, edge)
    for taps in TAPS:
        x = net.window(x, CHANNELS, (taps, taps))
    return net.build()


def cost(text, overlap="full", side=SIDE):
    return depth_first_cost(network(side), CHIP, Granularity.parse(text), overlap)


def strips(tile, kept):
    stack = _chain_of(network())
    split = split_stack(stack, Granularity.parse(f"tile:{tile}x{SIDE}"), {}, "recompute")
    return _strips(stack, "y", [split[i].rows for i in stack.numbers], kept)


def naive_strips(tile, kept):
    """The same, row by row: which rows each layer makes and reads, and which of these are new."""
    found, done = [], [set() for _ in range(len(TAPS) + 1)]
    for start in range(0, SIDE, tile):
        wanted, rows = set(range(start, min(start + tile, SIDE))), []
        for place in reversed(range(len(TAPS))):
            made = wanted - done[place + 1] if kept else wanted
            whole = {row + tap for row in wanted for tap in range(TAPS[place])}
            read = {row + tap for row in made for tap in range(TAPS[place])}
            rows.append((len(made), len(read), len(read - done[place]) if kept else len(read)))
            done[place + 1] |= wanted
            wanted = whole
        done[0] |= wanted
        found.append(tuple(zip(*reversed(rows), strict=True)))
    return found


@pytest.mark.parametrize("kept", [False, True])
@pytest.mark.parametrize("tile", [1, 2, 5, 12])
def test_strips_are_those_of_counting_row_by_row(tile, kept):
    counted = strips(tile, kept)
    ours = sorted((s.made, s.read, s.fresh) for s in counted.elements())
    assert ours == sorted(naive_strips(tile, kept))


def test_kept_rows_are_made_once():
    for tile in (1, 2, 5):
        made = [0, 0, 0]
        for strip, count in strips(tile, True).items():
            made = [a + count * b for a, b in zip(made, strip.made, strict=True)]
        assert made == [SIDE + 2, SIDE + 2, SIDE]


@pytest.mark.parametrize("text", ["tile:1x1", "tile:4x4", "tile:5x12", "layer"])
def test_what_fits_on_the_chip_crosses_its_edge_once(text):
    maps = (SIDE + 4) ** 2 + CHANNELS * SIDE**2
    weights = 9 * CHANNELS + CHANNELS**2 + 9 * CHANNELS**2
    assert cost(text).figures.dram_bytes == maps + weights


def test_the_halo_of_tiles_on_their_own_is_read_again():
    tile, tiles = 4, (SIDE // 4) ** 2
    weights = 9 * CHANNELS + CHANNELS**2 + 9 * CHANNELS**2
    expected = tiles * (tile + 4) ** 2 + CHANNELS * SIDE**2 + weights
    assert cost("tile:4x4", "recompute").figures.dram_bytes == expected


def test_making_again_takes_longer_than_keeping():
    modes = ("full", "horizontal", "recompute")
    cycles = [cost("tile:4x4", mode).figures.cycles for mode in modes]
    assert cycles == sorted(cycles)
    assert cycles[0] < cycles[2]


def test_many_tiles_are_few_kinds():
    found = cost("tile:1x1", side=64)
    assert found.tiles == 64 * 64
    assert found.kinds == 2 * 2  # first or not, along both axes


def test_an_operand_is_in_no_memory_beyond_its_level():
    memories = Memories.of(CHIP)
    assert [level.name for level in memories.levels] == ["local_activations", "activations", DRAM]
    core = memories.core_with((("input", "local_activations"), ("output", DRAM)))
    [buffer] = [b for b in core.buffers if b.name == "activations"]
    assert buffer.holds == ("psum", "output")
    [store] = [s for s in core.pe_array.stores if s.name == "local_activations"]
    assert store.holds == ("input", "output")


def test_maps_too_large_for_a_level_cost_more_energy_a_pixel():
    small, large = (cost("layer", side=side).figures.energy_pj / side**2 for side in (64, 560))
    assert large > 2 * small  # 4 channels x 560 x 560 pixels exceed 1 MiB


def test_only_chains_on_one_dataflow_core():
    net = Net()
    x = net.window(net.input(4, 8, 8), 4, (1, 1))
    net.add(x, net.window(x, 4, (1, 1)))
    line = Granularity.parse("tile:1x8")
    with pytest.raises(
        InputError, match=r"^layer add2: its only input must be the layer before, not others$"
    ):
        depth_first_cost(net.build(), CHIP, line, "full")
    text = "chip stream_tpu_quad must have one core, with a dataflow array"
    with pytest.raises(InputError, match=f"^{re.escape(text)}$"):
        depth_first_cost(network(), load_chip("stream_tpu_quad"), line, "full")


def test_a_map_that_fills_a_level_leaves_it_to_what_must_pass():
    """Outputs of 65,520 bytes fit into 64 KiB, but nothing could then reach the array."""
    net = Net()
    net.window(net.window(net.input(12, 548, 12), 12, (3, 3)), 12, (1, 1))
    found = depth_first_cost(net.build(), CHIP, Granularity.parse("layer"), "full")
    maps, weights = 12 * (548 * 12 + 546 * 10), 12 * 12 * (3 * 3 + 1)
    assert found.figures.dram_bytes == pytest.approx(maps + weights, rel=0.001)
