from __future__ import annotations

import re

import pytest

from hw_models.chip_files import load_chip
from simulator.explore.distribution import (
    PARALLEL,
    Divided,
    best_division,
    divide,
    divided_cycles,
    equal_cores,
    speed_up_table,
    square,
)
from traces.errors import InputError

CHIP = load_chip("edge_os_16x16")
CORES, PLENTY = 4, 16
WORK = square("conv", c=64, k=128, side=16)


@pytest.mark.parametrize("loop", ["oy", "k", "c"])
def test_a_division_does_all_the_work_once(loop: str) -> None:
    network, allocation = divide(WORK, loop, CORES)
    assert network.macs == WORK.macs
    used = {share.core for shares in allocation for share in shares}
    assert used == set(range(CORES))
    assert len(allocation) == len(network.layers)


def test_input_channels_end_in_a_tree_of_additions() -> None:
    network, _ = divide(WORK, "c", CORES)
    added = [layer for layer in network.layers if layer.function == "add"]
    assert len(added) == CORES - 1
    assert added[-1].output == WORK.layers[0].output


@pytest.mark.parametrize("cores", [2, 4])
def test_speed_up_is_near_linear_where_memory_is_plenty(cores: int) -> None:
    found = best_division(WORK, CHIP, cores, PLENTY)
    assert found.of_linear >= PARALLEL


def test_one_channel_stops_a_layer_of_weights() -> None:
    weights = square("fc", c=2048, k=1024, side=1, taps=1)
    found = best_division(weights, CHIP, CORES, 1)
    # 2 MiB of weights at the peak of one channel take longer than any core computes.
    least = 2048 * 1024 / float(CHIP.dram_bytes_per_cycle)
    assert found.cycles > least
    assert found.speed_up < 1.2


def test_reduction_costs_more_than_output_channels() -> None:
    chip = equal_cores(CHIP, CORES, PLENTY)
    cycles = {loop: divided_cycles(WORK, chip, loop, "simple") for loop in ("k", "c")}
    assert cycles["k"] < cycles["c"]


def test_too_few_iterations_are_named() -> None:
    message = "b of conv must be at least 4, not 1"
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        divide(WORK, "b", CORES)


def test_cores_of_several_kinds_are_refused() -> None:
    other = CHIP.cores[0].model_copy(update={"name": "other"})
    mixed = CHIP.model_copy(update={"cores": (*CHIP.cores, other)})
    message = "edge_os_16x16: cores must be of one kind, not 2"
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        equal_cores(mixed, 2, 1)


def test_table_has_what_is_near_linear_in_bold() -> None:
    found = [Divided("l", "k", 2, 1, 100, 1.8), Divided("l", "oy", 4, 1, 60, 3.59)]
    assert speed_up_table(found).splitlines()[-1] == "| l | 1 | **1.80** (k) | 3.59 (oy) |"
