"""Random chip files: every kind of PE array, buffers, network and DRAM; some of them spoilt."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from hw_models.spec import OPERANDS

Data = dict[str, Any]
Place = tuple[dict[str, Any] | list[Any], Any]
"""A mapping or list of a chip file, and a key or number in it."""

SIZES = st.sampled_from((1, 2, 3, 4, 7, 8, 16))
POWERS = st.sampled_from((1, 2, 4, 8))
ONE_IN_EIGHT = (False,) * 7 + (True,)
CLOCKS = st.sampled_from((1.0, 0.5, 0.7, 1.333))


def _stores() -> SearchStrategy[Data]:
    return st.fixed_dictionaries(
        {
            "holds": st.sampled_from((["weight"], ["output"], ["input"], ["input", "output"])),
            "size_bits": st.sampled_from((16, 128, 4096)),
            "width_bits": st.sampled_from((8, 16, 64)),
            "banks": st.sampled_from((1, 2)),
            "ports": st.sampled_from(("1rw", "1r1w", "2rw", "2r2w")),
            "read_pj": st.just(0.1),
            "write_pj": st.just(0.2),
            "shared_along": st.sampled_from(([], [0], [1], [0, 1])),
        }
    )


ARRAYS: dict[str, SearchStrategy[Data]] = {
    "systolic": st.fixed_dictionaries(
        {
            "kind": st.just("systolic"),
            "rows": SIZES,
            "cols": SIZES,
            "dataflow": st.sampled_from(("os", "ws", "is")),
            "fold_overlap": st.sampled_from(("serial", "double_buffered")),
        }
    ),
    "spatial": st.fixed_dictionaries(
        {
            "kind": st.just("spatial"),
            "unroll": st.dictionaries(
                st.sampled_from(("b", "g", "k", "c", "oy", "ox", "fy", "fx")), SIZES, max_size=3
            ),
            "pipeline_cycles": st.integers(0, 12),
            "stripe_cycles": st.sampled_from((7, 8, 32)),
            "weight_load_cycles": st.integers(1, 4),
            "batch_in_stripe": st.booleans(),
        }
    ),
    "row_stationary": st.fixed_dictionaries(
        {
            "kind": st.just("row_stationary"),
            "rows": SIZES,
            "cols": SIZES,
            "ifmap_spad_words": st.sampled_from((3, 12, 64)),
            "filter_spad_words": st.sampled_from((3, 48, 224)),
            "psum_spad_words": st.sampled_from((1, 4, 24)),
            "ifmap_words_per_cycle": POWERS,
            "filter_words_per_cycle": POWERS,
            "psum_words_per_cycle": POWERS,
            "psum_add_cycles": st.integers(0, 2),
            "pipeline_cycles": st.integers(0, 4),
        }
    ),
    "borrowing": st.fixed_dictionaries(
        {
            "kind": st.just("borrowing"),
            "lanes": st.sampled_from((6, 8, 16)),
            "columns": st.sampled_from((2, 3, 8)),
            "rows": st.sampled_from((2, 4)),
            "configurations": st.sampled_from(
                (
                    ["dense"],
                    ["A(2,1,0,on)"],
                    ["B(4,0,1,on)"],
                    ["AB(2,0,0,2,0,1,on)", "B(8,0,1,on)", "A(2,1,1,on)"],
                    ["B(2,5,0,off)"],
                )
            ),
            "edge": st.sampled_from(("wrap", "clamp")),
            "abuf_steps": st.just(9),
            "bbuf_steps": st.sampled_from((3, 9)),
        }
    ),
    "dataflow": st.fixed_dictionaries(
        {
            "kind": st.just("dataflow"),
            "lanes": st.lists(SIZES, min_size=2, max_size=2),
            "unrollings": st.sampled_from(([["k", "c"]], [["k", "c"], ["g"]], [["ox", "k"]])),
            "mac_pj": st.just(0.04),
            "stores": st.lists(_stores(), max_size=3),
            "mapping": st.sampled_from(("latency", "energy")),
            "last_store": st.sampled_from(("waits", "overlaps")),
        }
    ),
}
"""Kind of PE array -> its part of a chip file."""

HOMES: tuple[tuple[tuple[str, ...], ...], ...] = (
    (OPERANDS,),
    (("input", "psum", "output"), ("weight",)),
    (("input",), ("weight",), ("psum", "output")),
    (("input", "output"), ("weight",), ("psum",)),
    (("input", "weight"), ("psum", "output")),
)
"""Which operands share a buffer."""

STANDARDS = (
    "DDR3_1600",
    "DDR4_2400",
    "GDDR6_24Gbps",
    "HBM2_2000",
    "HBM2_2000_pseudo",
    "LPDDR4_3200_x16",
    "LPDDR5_6400",
)

ODD_VALUES: tuple[Any, ...] = (0, -1, 3, 2.5, 1 << 40, "", "many", None, True, [], {})
"""What takes the place of a value in a spoilt chip file."""


@st.composite
def chips(draw: DrawFn) -> Data:
    """A chip file as a mapping; most of them are valid, about one in eight is spoilt."""
    kinds = draw(st.integers(1, 2))
    shared = draw(st.sampled_from(ONE_IN_EIGHT))
    cores = [draw(_cores(f"core{n}_", shared)) for n in range(kinds)]
    if shared:
        for core in cores[1:]:
            core["buffers"] = copy.deepcopy(cores[0]["buffers"])
    for core in cores:
        _name_memories(core)
    names = sum(core["count"] for core in cores)
    bits = draw(st.sampled_from((8, 8, 4, 16, 5)))
    data = {
        "name": "random",
        "description": "a random chip",
        "technology_nm": draw(st.sampled_from((7, 28, 65))),
        "clock_ghz": draw(CLOCKS),
        "precision": {
            "input_bits": bits,
            "weight_bits": draw(st.sampled_from((8, 4, 2, 16))),
            "psum_bits": draw(st.sampled_from((16, 24, 32))),
            "output_bits": bits,
        },
        "cores": cores,
        "noc": draw(st.one_of(_wires(), _routers(names), _links())),
        "dram": draw(st.one_of(_plain_drams(), _standard_drams())),
    }
    return draw(_spoilt(data)) if draw(st.sampled_from(ONE_IN_EIGHT)) else data


@st.composite
def _cores(draw: DrawFn, name: str, shared: bool) -> Data:
    core = {
        "name": name,
        "count": draw(st.sampled_from((1, 1, 1, 2, 3))),
        "pe_array": draw(st.one_of(*ARRAYS.values())),
        "vector_unit": {"lanes": draw(SIZES)},
        "buffers": [draw(_buffers(holds, shared)) for holds in draw(st.sampled_from(HOMES))],
        "dma": {"outstanding": draw(st.sampled_from((1, 2, 4)))},
    }
    if draw(st.sampled_from(ONE_IN_EIGHT)):
        core["clock_ghz"] = draw(CLOCKS)
    if draw(st.sampled_from(ONE_IN_EIGHT)):
        core["runs"] = draw(st.sampled_from((["pool"], ["conv2d", "matmul"])))
    return core


def _name_memories(core: Data) -> None:
    """Give the stores of a dataflow array names, and its core's buffers an energy."""
    array = core["pe_array"]
    if array["kind"] == "dataflow":
        for number, store in enumerate(array["stores"]):
            store["name"] = f"store{number}"
        energies = {"read_pj": 1.0, "write_pj": 2.0}
        array["buffers"] = [{"name": buffer["name"], **energies} for buffer in core["buffers"]]


@st.composite
def _buffers(draw: DrawFn, holds: tuple[str, ...], shared: bool) -> Data:
    banks, width = draw(POWERS), draw(st.sampled_from((1, 2, 4, 8, 12, 16)))
    words = max(draw(st.sampled_from((4, 16, 64, 256, 2048))), -(-64 // (banks * width)))
    return {
        "name": "-".join(holds),
        "holds": list(holds),
        "size_bytes": banks * width * words,
        "banks": banks,
        "width_bytes": width,
        "ports": draw(st.sampled_from(("1rw", "1r1w", "2rw"))),
        "slots": draw(st.sampled_from((1, 2, 2, 3))),
        "shared": shared,
    }


def _wires() -> SearchStrategy[Data]:
    return st.fixed_dictionaries(
        {
            "kind": st.sampled_from(("bus", "point_to_point")),
            "width_bytes": st.sampled_from((1, 3, 8, 32)),
            "latency_cycles": st.sampled_from((0, 1, 5)),
        }
    )


@st.composite
def _routers(draw: DrawFn, cores: int) -> Data:
    kind = draw(st.sampled_from(("crossbar", "ring", "mesh", "torus")))
    sizes = {"crossbar": [], "ring": [cores + 1], "mesh": [2, cores], "torus": [cores, 3]}[kind]
    routers = 1
    for size in sizes:
        routers *= size
    return {
        "kind": kind,
        "width_bytes": draw(st.sampled_from((2, 8, 32))),
        "sizes": sizes,
        "router": {
            "routing_cycles": draw(st.integers(0, 2)),
            "crossbar_cycles": draw(st.integers(1, 2)),
            "credit_cycles": draw(st.integers(0, 2)),
            "speculative": draw(st.booleans()),
            "vcs": draw(st.sampled_from((1, 4) if kind in ("crossbar", "mesh") else (2, 4))),
            "vc_buffer_flits": draw(st.sampled_from((1, 4, 8))),
            "packet_flits": draw(st.sampled_from((1, 5, 16))),
        },
        "fidelity": draw(st.sampled_from(("packet", "flit"))),
        "dram_routers": [draw(st.integers(0, routers - 1))],
    }


@st.composite
def _links(draw: DrawFn) -> Data:
    """A bus, or a link into all cores and one out of them."""
    ends = draw(st.sampled_from(((("any", "any"),), (("any", "dram"), ("dram", "any")))))
    links = [
        {
            "name": f"link{n}",
            "ends": list(pair),
            "width_bytes": draw(st.sampled_from((4, 16))),
            "directed": pair != ("any", "any"),
        }
        for n, pair in enumerate(ends)
    ]
    return {"kind": "links", "links": links, "latency_cycles": draw(st.integers(0, 3))}


def _plain_drams() -> SearchStrategy[Data]:
    return st.fixed_dictionaries(
        {
            "channels": st.integers(1, 3),
            "bandwidth_gb_per_s": st.sampled_from((0.7, 6.4, 25.6)),
            "latency_ns": st.sampled_from((0, 1.3, 60.0)),
            "granule_bytes": st.sampled_from((1, 24, 64)),
            "capacity_mib": st.sampled_from((1, 64)),
            "pj_per_bit": st.just(4.0),
        }
    )


def _standard_drams() -> SearchStrategy[Data]:
    return st.fixed_dictionaries(
        {
            "standard": st.sampled_from(STANDARDS),
            "channels": st.sampled_from((1, 1, 2, 4)),
            "controller": st.sampled_from(("bank_queues", "active_list", "active_list_hits")),
            "page_policy": st.sampled_from(("open", "closed")),
            "refresh": st.sampled_from(("all_bank",) * 5 + ("per_bank",)),
            "address_map": st.sampled_from(("ro-ba-co-ra-bg-ch", "ro-ra-bg-ba-ch-co")),
            "pj_per_bit": st.just(4.0),
        },
        optional={"latency_ns": st.just(100.0), "channel_hash": st.just("none")},
    )


@st.composite
def _spoilt(draw: DrawFn, data: Data) -> Data:
    """The file with one place changed: another value, a key too many, or one too few."""
    data = copy.deepcopy(data)  # parts of it are shared between examples
    parent, key = draw(st.sampled_from(list(_places(data))))
    how = draw(st.sampled_from(("change", "change", "change", "add", "remove")))
    if how == "change":
        parent[key] = draw(st.sampled_from(ODD_VALUES))
    elif how == "remove":
        del parent[key]
    elif isinstance(parent, dict):
        parent[f"{key}_"] = 1
    else:
        parent.append(parent[key])
    return data


def _places(data: Data | list[Any]) -> Iterator[Place]:
    for key, value in data.items() if isinstance(data, dict) else enumerate(data):
        yield data, key
        if isinstance(value, dict | list):
            yield from _places(value)
