from __future__ import annotations

import re
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.explore import heterogeneous
from simulator.explore.heterogeneous import choose_cores, describe_choice, with_one_memory
from simulator.explore.insights import effect, insights
from simulator.explore.study import parse_study
from simulator.explore.table import MetricTable, metric_table

STUDY = parse_study(
    """
name: two
chips: [edge_os_16x16]
networks: [alexnet, resnet18]
parameters:
  cores[0].pe_array.rows: [8, 16]
  dram.channels: [1, 2]
""",
    "two.yaml",
)

LATENCY = {("8", "1"): (8, 8), ("16", "1"): (4, 8), ("8", "2"): (6, 2), ("16", "2"): (2, 1)}


def rows() -> list[dict]:
    found = []
    for (lanes, channels), values in LATENCY.items():
        for network, value in zip(STUDY.networks, values, strict=True):
            found.append(
                {
                    "status": "done", "chip": "edge_os_16x16", "mapping": "latency",
                    "network": network, "cores[0].pe_array.rows": lanes,
                    "dram.channels": channels, "latency_ms": float(value),
                    "energy_mj": 1.0, "edp": float(value),
                }
            )  # fmt: skip
    return found


def table_of(values: np.ndarray) -> MetricTable:
    configurations = tuple((str(i),) for i in range(len(values)))
    networks = tuple(f"n{i}" for i in range(values.shape[1]))
    return MetricTable("edp", ("size",), configurations, networks, values)


def test_table_has_the_metric_by_configuration_and_network() -> None:
    table = metric_table(STUDY, rows(), "latency_ms")
    assert table.keys == ("chip", "mapping", "cores[0].pe_array.rows", "dram.channels")
    assert table.values.tolist() == [list(map(float, v)) for v in LATENCY.values()]
    assert table.describe(1) == "pe_array.rows 16, dram.channels 1"


def test_configuration_that_lacks_a_network_is_dropped() -> None:
    some = rows()
    some[0]["status"] = "failed"
    assert len(metric_table(STUDY, some, "edp").configurations) == len(LATENCY) - 1


def test_effect_is_the_geometric_mean_with_all_else_equal() -> None:
    table = metric_table(STUDY, rows(), "latency_ms")
    alexnet, resnet18 = effect(table, "cores[0].pe_array.rows", "8", "16")
    assert alexnet == pytest.approx((4 / 8 * 2 / 6) ** 0.5)
    assert resnet18 == pytest.approx((8 / 8 * 1 / 2) ** 0.5)


def test_sentences_are_of_the_rows() -> None:
    lines = insights(STUDY, rows())
    assert "The best dram.channels for EDP is 2 for 2 of 2 networks." in lines
    assert "2 networks have 1 different best configurations for EDP." in lines


def test_two_types_are_chosen_for_two_kinds_of_networks() -> None:
    values = np.array([[1.0, 9.0], [9.0, 1.0], [2.0, 2.0]])
    table = table_of(values)
    assert choose_cores(table, 1).chosen == (2,)
    choice = choose_cores(table, 2)
    assert set(choice.chosen) == {0, 1}
    assert choice.of_network == (0, 1)
    assert choice.savings == (1 - 1 / 2, 1 - 1 / 2)
    assert choice.excess == 1.0
    assert describe_choice(table, 2)[1] == (
        "2 core types save up to 50.0% of EDP (published: up to 67%), 50.0% on average, against "
        "the best single core: (size 0) for n0; (size 1) for n1."
    )


@given(
    st.lists(st.lists(st.integers(1, 20), min_size=3, max_size=3), min_size=4, max_size=7),
    st.integers(1, 3),
)
def test_choice_is_the_best_of_all_sets(values: list[list[int]], number: int) -> None:
    table = table_of(np.array(values, dtype=np.float64))
    factors = table.values / table.values.min(axis=0)
    least = min(
        np.exp(np.log(factors[list(some)].min(axis=0)).mean())
        for some in combinations(range(len(values)), number)
    )
    assert choose_cores(table, number).excess == pytest.approx(least)


def test_exchange_finds_the_best_set_of_a_small_space(monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.random.default_rng(5).uniform(1, 10, (30, 6))
    best = choose_cores(table_of(values), 3)
    monkeypatch.setattr(heterogeneous, "MOST_EXHAUSTIVE", 0)
    assert choose_cores(table_of(values), 3).excess <= best.excess * 1.05


def test_core_types_share_the_memory_of_the_best_core() -> None:
    table = with_one_memory(metric_table(STUDY, rows(), "latency_ms"))
    assert {configuration[-1] for configuration in table.configurations} == {"2"}
    assert len(table.configurations) == 2


def test_too_many_types_are_refused() -> None:
    message = "core types must be 1 to 2, not 3"
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        choose_cores(table_of(np.ones((2, 2))), 3)
