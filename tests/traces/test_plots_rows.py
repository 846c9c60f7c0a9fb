"""Rows of pictures: banks of a buffer share one."""

import numpy as np

from traces.plots.rows import MOST_ALIKE, rows_of


def test_few_units_of_a_kind_get_a_row_each():
    units = ["core.pe_array", *(f"dram.channel{i}" for i in range(MOST_ALIKE))]
    assert list(rows_of(units).names) == units


def test_many_units_of_a_kind_share_a_row_with_their_mean():
    banks = MOST_ALIKE + 4
    units = ["core0.dma", *(f"core0.sram.bank{i}" for i in range(banks)), "noc"]
    rows = rows_of(units)
    assert rows.names == ("core0.dma", f"core0.sram.bank x {banks}", "noc")
    values = np.arange(len(units))[:, None] * np.array([1, 10])
    mean = (1 + banks) / 2
    assert rows.mean(values).tolist() == [[0, 0], [mean, 10 * mean], [banks + 1, 10 * (banks + 1)]]
