"""ZigZag's mappings as mappings and chips of tilesim."""

import pytest

from hw_models.nest.hierarchy import Direction, Machine, Memory, Nest, Port
from hw_models.yaml_file import InputError
from validation.analytical.same_mapping import chip_of, mapping_of, simulated_layer

WAYS = tuple(Direction)
BUFFER_BITS = 1 << 17


def machine():
    """A buffer for each operand under DRAM."""
    homes = [
        Memory(f"buffer_{o}", BUFFER_BITS, (Port(512, 1, tuple((o, w) for w in WAYS)),))
        for o in "IWO"
    ]
    every = tuple((o, w) for o in "IWO" for w in WAYS)
    return Machine((*homes, Memory("dram", 1 << 40, (Port(64, 64, every),))))


def nest(outer, kept=()):
    """8 x 8 unrolled, 4 output columns in the buffers; inputs stay for the loops `kept`."""
    inner = [("OX", 4)]
    spatial = {o: [[("K", 8), ("C", 8)], [], []] for o in "IWO"}
    temporal = {o: [inner, [*kept, *outer]] for o in "WO"}
    temporal["I"] = [[*inner, *kept], outer]
    sizes = dict.fromkeys(("B", "OY", "FY", "FX"), 1) | {"K": 8, "C": 8, "OX": 4}
    for loop, factor in [*kept, *outer]:
        sizes[loop] *= factor
    return Nest(sizes, spatial, temporal, 1, {"I": 8, "W": 8, "O": 8, "P": 16})


def test_outer_loops_cut_tiles_and_keep_their_order():
    mapping = mapping_of(nest([("K", 3), ("OX", 5)]))

    assert (mapping.tile["k"], mapping.tile["ox"], mapping.tile["c"]) == (8, 4, 8)
    assert mapping.order == ("ox", "k")  # from the outermost


def test_an_operand_that_stays_longer_keeps_more_tiles():
    slots = mapping_of(nest([("K", 3)], kept=[("OX", 5)])).slots
    assert slots["input"] == 5  # all of them
    assert slots["weight"] == 2  # the one in use and the next


def test_cut_filter_taps_are_refused():
    with pytest.raises(InputError, match=r"^filter taps are cut, which tilesim does not$"):
        mapping_of(nest([("FX", 3)]))


def test_the_chip_has_the_array_and_the_buffers_of_the_nest():
    chip = chip_of(nest([("K", 3)]), machine())

    assert chip.peak_macs_per_cycle == 8 * 8
    assert [b.size_bytes for b in chip.cores[0].buffers] == [BUFFER_BITS // 8] * 3


def test_a_nest_is_simulated_with_its_steps_and_all_its_products():
    given = nest([("K", 3), ("OX", 5)])
    done = simulated_layer(given, machine(), "ideal")

    assert done.macs == given.macs
    assert done.causes["busy/compute"] == given.macs / (8 * 8)
