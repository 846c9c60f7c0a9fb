"""Chip files: what is refused, in one line that names file, key and rule."""

import re
from typing import get_args

import pytest
import yaml

from hw_models.chip_files import load_chip, parse_chip
from hw_models.clock import exact
from hw_models.floorplan import floorplan
from hw_models.sourced import numbers_with_source, without_sources
from hw_models.spec import OPERANDS, Op
from hw_models.yaml_file import parse_yaml
from simulator.workload.graph import LayerOp
from traces.errors import InputError


def link(name, first, second, *, directed=False, width_bytes=8):
    """A link of a chip file."""
    return {"name": name, "ends": [first, second], "width_bytes": width_bytes, "directed": directed}


CHIP = """
name: small
description: "a chip for tests"
technology_nm: 28
clock_ghz: 1.0
precision: {input_bits: 8, weight_bits: 8, psum_bits: 32, output_bits: 8}
cores:
  - name: core
    pe_array: {kind: systolic, rows: 8, cols: 8, dataflow: ws, fold_overlap: serial}
    vector_unit: {lanes: 8}
    buffers:
      - {name: sram, holds: [input, output, psum], size_bytes: 65536, banks: 4, width_bytes: 16,
         ports: 1r1w, slots: 2}
      - {name: weights, holds: [weight], size_bytes: 8192, banks: 1, width_bytes: 8, ports: 1rw,
         slots: 2}
    dma: {outstanding: 2}
noc: {kind: bus, width_bytes: 16, latency_cycles: 2}
dram: {standard: DDR4_2400, channels: 1, bandwidth_gb_per_s: 19.2, latency_ns: 60,
       granule_bytes: 64, capacity_mib: 1024, pj_per_bit: 15}
"""


def small_chip():
    """The checked chip."""
    return parse_chip(CHIP, "small.yaml")


def changed(path, value):
    """The text of CHIP with one key set, or removed when the value is `...`."""
    data = yaml.safe_load(CHIP)
    *parents, last = re.findall(r"[A-Za-z_]+|\d+", path)
    here = data
    for key in parents:
        here = here[int(key) if key.isdigit() else key]
    if value is ...:
        del here[last]
    else:
        here[last] = value
    return yaml.safe_dump(data)


def test_the_chip_itself_is_fine():
    chip = small_chip()
    assert chip.dram_bytes_per_cycle == exact(19.2)
    assert chip.peak_macs_per_cycle == 8 * 8
    assert chip.cores[0].buffer_of("psum").name == "sram"


BAD = [
    ("clock_ghz", 0, "clock_ghz must be greater than 0, not 0"),
    ("clock_ghz", "fast", "clock_ghz must be a number, not 'fast'"),
    ("clock_ghz", float("nan"), "clock_ghz must be a finite number, not nan"),
    ("technology_nm", 1, "technology_nm must be at least 2, not 1"),
    ("technology_nm", ..., "technology_nm is missing"),
    ("colour", "red", "colour is not a known key"),
    ("precision.psum_bits", 4, "precision.psum_bits must be at least output_bits (8), not 4"),
    (
        "precision.output_bits",
        16,
        "precision.output_bits must equal input_bits (8), as one layer's output is the next "
        "one's input, not 16",
    ),
    ("cores", [], "cores must have at least 1 entries, not 0"),
    ("cores", "one", "cores must be a list, not 'one'"),
    ("cores[0].pe_array.rows", 0, "cores[0].pe_array.rows must be at least 1, not 0"),
    ("cores[0].pe_array.rows", 2.5, "cores[0].pe_array.rows must be an int, not 2.5"),
    ("cores[0].pe_array.rows", True, "cores[0].pe_array.rows must be an int, not True"),
    (
        "cores[0].pe_array.dataflow",
        "xs",
        "cores[0].pe_array.dataflow must be one of 'os', 'ws' or 'is', not 'xs'",
    ),
    (
        "cores[0].pe_array.kind",
        "magic",
        "cores[0].pe_array must have a kind that is one of 'systolic', 'spatial', "
        "'row_stationary', 'borrowing', 'dataflow', not 'magic'",
    ),
    ("cores[0].pe_array.kind", ..., "cores[0].pe_array must have a kind"),
    ("cores[0].pe_array.row", 8, "cores[0].pe_array.row is not a known key"),
    ("cores[0].vector_unit.lanes", -1, "cores[0].vector_unit.lanes must be at least 1, not -1"),
    ("cores[0].buffers[0].banks", 12, "cores[0].buffers[0].banks must be a power of two, not 12"),
    (
        "cores[0].buffers[0].size_bytes",
        65537,
        "cores[0].buffers[0].size_bytes must be a multiple of banks * width_bytes (64), not 65537",
    ),
    (
        "cores[0].buffers[0].ports",
        "4rw",
        "cores[0].buffers[0].ports must be one of '1rw', '1r1w' or '2rw', not '4rw'",
    ),
    (
        "cores[0].buffers[1].holds",
        ["weight", "psum"],
        "cores[0].buffers must hold psum in exactly one place, not 2",
    ),
    (
        "cores[0].buffers[1].holds",
        ["input"],
        "cores[0].buffers must hold input in exactly one place, not 2",
    ),
    (
        "cores[0].buffers[1].name",
        "sram",
        "cores[0].buffers must have different names, not 'sram' 2 times",
    ),
    ("cores[0].dma.outstanding", 0, "cores[0].dma.outstanding must be at least 1, not 0"),
    ("cores[0].dma.outstanding", 65, "cores[0].dma.outstanding must be at most 64, not 65"),
    (
        "noc.kind",
        "wormhole",
        "noc must have a kind that is one of 'bus', 'point_to_point', 'crossbar', 'ring', 'mesh', "
        "'torus', 'links', not 'wormhole'",
    ),
    (
        "noc",
        {"kind": "mesh", "width_bytes": 16},
        "noc: a mesh must have 1 to 4 sizes, not 0",
    ),
    (
        "noc",
        {"kind": "mesh", "width_bytes": 16, "sizes": [0, 2]},
        "noc.sizes must give a router to each of 1 cores, not 0 in all",
    ),
    (
        "noc",
        {"kind": "mesh", "width_bytes": 16, "sizes": [2], "core_routers": [0, 1]},
        "noc.core_routers must name 1 routers, not 2",
    ),
    (
        "noc",
        {"kind": "mesh", "width_bytes": 16, "sizes": [2], "core_routers": [5]},
        "noc: mesh 2: node core must be at a router from 0 to 1, not 5",
    ),
    (
        "noc",
        {"kind": "mesh", "width_bytes": 16, "sizes": [2], "dram_routers": [3]},
        "noc: mesh 2: node dram0 must be at a router from 0 to 1, not 3",
    ),
    ("noc.latency_cycles", -1, "noc.latency_cycles must be at least 0, not -1"),
    ("noc", {"kind": "links", "links": []}, "noc.links must have at least 1 entries, not 0"),
    (
        "noc",
        {"kind": "links", "links": [link("x", "core", "core2")]},
        "noc.links[0].ends must be two of core, dram, any, not 'core2'",
    ),
    (
        "noc",
        {"kind": "links", "links": [link("x", "core", "dram"), link("y", "core", "core")]},
        "noc.links[1].ends must be two different places, not 'core' twice",
    ),
    (
        "noc",
        {"kind": "links", "links": [link("x", "core", "dram"), link("x", "dram", "core")]},
        "noc.links must have different names, not 'x' twice",
    ),
    (
        "noc",
        {"kind": "links", "links": [link("x", "core", "dram", directed=True)]},
        "noc.links must give a route from dram to core",
    ),
    (
        "noc",
        {"kind": "links", "links": [link("x", "core", "dram", width_bytes=0)]},
        "noc.links[0].width_bytes must be at least 1, not 0",
    ),
    (
        "cores[0].runs",
        ["conv2d", "convolution"],
        "cores[0].runs[1] must be one of 'conv2d', 'matmul', 'pool', 'elementwise', 'activation', "
        "'softmax', 'norm', 'concat', 'resize' or 'embedding', not 'convolution'",
    ),
    ("cores[0].clock_ghz", 0, "cores[0].clock_ghz must be greater than 0, not 0"),
    ("cores[0].clock_ghz", 21, "cores[0].clock_ghz must be at most 20, not 21"),
    (
        "cores[0].clock_ghz",
        1.00001,
        "cores[0].clock_ghz must be to the chip's as two ints of at most 10000, not 100001 to "
        "100000",
    ),
    ("cores[0].name", "dram", "cores must not be called dram, any, shared, not 'dram'"),
    ("dram.bandwidth_gb_per_s", -3, "dram.bandwidth_gb_per_s must be greater than 0, not -3"),
    ("dram.granule_bytes", "64B", "dram.granule_bytes must be an int, not '64B'"),
    ("dram.standard", "", "dram.standard must not be empty"),
    (
        "dram.bandwidth_gb_per_s",
        20,
        "dram.bandwidth_gb_per_s must be at most that of DDR4_2400 (19.277), not 20",
    ),
    (
        "dram.bandwidth_gb_per_s",
        0.30000000000000004,
        "dram.bandwidth_gb_per_s must have at most 9 digits, not 0.30000000000000004",
    ),
    ("clock_ghz", 1 / 3, "clock_ghz must have at most 9 digits, not 0.3333333333333333"),
    ("dram.latency_ns", 20, "dram.latency_ns must be at least that of DDR4_2400 (28.22), not 20"),
    (
        "dram.granule_bytes",
        128,
        "dram.granule_bytes must be at most that of DDR4_2400 (64), not 128",
    ),
    (
        "dram.address_map",
        "ro-ba-co-ra-ch",
        "dram.address_map must have each of ro, ra, bg, ba, ch, co once, not 'ro-ba-co-ra-ch' "
        "(bg is missing)",
    ),
    ("dram.channels", 3, "dram.address_map: the size of ch must be a power of two, not 3"),
    (
        "dram.controller",
        "fifo",
        "dram.controller must be one of 'bank_queues', 'active_list' or 'active_list_hits', "
        "not 'fifo'",
    ),
    ("dram", 5, "dram must be a mapping of keys, not 5"),
]


@pytest.mark.parametrize(("path", "value", "message"), BAD, ids=[f"{p}={v}" for p, v, _ in BAD])
def test_a_bad_value_gives_one_line_with_file_key_and_rule(path, value, message):
    with pytest.raises(InputError, match=f"^small.yaml: {re.escape(message)}$"):
        parse_chip(changed(path, value), "small.yaml")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (CHIP + "name: again\n", r"small\.yaml:\d+: key 'name' is given twice"),
        (
            CHIP.replace("rows: 8,", "rows: 8, rows: 9,"),
            r"small\.yaml:9: key 'rows' is given twice",
        ),
        ("", r"small\.yaml: must be a mapping of keys, not NoneType"),
        ("- a\n- b\n", r"small\.yaml: must be a mapping of keys, not list"),
        ("name: [1, 2", r"small\.yaml:\d+: expected ',' or '\]', but got '<stream end>'"),
        ("a: !!python/object:os.system x", r"small\.yaml:1: could not determine a constructor.*"),
        ("? [a, b]\n: c\n", r"small\.yaml:1: a key must be a plain name, not \['a', 'b'\]"),
        ("\x00", r"small\.yaml: .*not allowed.*"),
    ],
)
def test_a_malformed_file_is_refused(text, message):
    with pytest.raises(InputError, match=f"^{message}$"):
        parse_chip(text, "small.yaml")


def with_second_core(**changes):
    """The text of CHIP with a shared sram and a second core, whose sram differs by the changes."""
    data = yaml.safe_load(CHIP)
    first, sram = data["cores"][0], data["cores"][0]["buffers"][0]
    sram["shared"] = True
    second = {**first, "name": "other", "buffers": [{**sram, **changes}, first["buffers"][1]]}
    return yaml.safe_dump({**data, "cores": [first, second]})


def test_a_shared_buffer_may_hold_other_operands_in_each_core():
    data = yaml.safe_load(with_second_core())
    data["cores"][1]["buffers"] = [{**data["cores"][0]["buffers"][0], "holds": list(OPERANDS)}]
    plan = floorplan(parse_chip(yaml.safe_dump(data), "small.yaml"))
    assert plan.buffers == ("shared.sram", "core.weights")
    assert [b.index for core in plan.cores for b in core.buffers] == [0, 1, 0]


@pytest.mark.parametrize(
    ("key", "value", "first"),
    [("size_bytes", 32768, 65536), ("width_bytes", 8, 16), ("shared", False, True)],
)
def test_a_shared_buffer_is_described_alike_in_all_cores(key, value, first):
    message = (
        f"small.yaml: cores must describe the shared buffer sram alike, not with {key} {first} in "
        f"core and {value} in other"
    )
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        parse_chip(with_second_core(**{key: value}), "small.yaml")


def test_a_core_has_its_own_clock_and_layers():
    chip = parse_chip(changed("cores[0].clock_ghz", 0.4), "small.yaml")
    assert chip.core_cycle(chip.cores[0]) == exact(1.0) / exact(0.4)
    assert small_chip().core_cycle(small_chip().cores[0]) == 1
    core = parse_chip(changed("cores[0].runs", ["pool"]), "small.yaml").cores[0]
    assert (core.takes("pool"), core.takes("conv2d"), core.computes_macs) == (True, False, False)
    assert small_chip().cores[0].takes("conv2d")


def test_layers_that_a_core_can_be_limited_to_are_those_of_the_workload():
    assert set(get_args(Op)) == {op.value for op in LayerOp}


def test_a_core_is_like_one_of_the_files_except_what_it_says_itself():
    data = yaml.safe_load(CHIP)
    data["cores"] = [{"name": "c", "like": "stream_c16_k16", "runs": ["conv2d"]}]
    core = parse_chip(yaml.safe_dump(data), "small.yaml").cores[0]
    assert (core.name, core.runs, core.pe_array.lanes) == ("c", ("conv2d",), (16, 16))


def test_a_core_like_none_of_the_files_is_refused():
    message = r"^small\.yaml: like must be one of the cores simba_quarter, .*, not 'c16'$"
    with pytest.raises(InputError, match=message):
        parse_chip(changed("cores[0].like", "c16"), "small.yaml")


def test_a_misspelt_preset_gets_the_nearest_name():
    with pytest.raises(InputError, match=r"^no chip is called 'tpu_lik': did you mean tpu_like\? "):
        load_chip("tpu_lik")


def test_a_missing_file_is_one_line(tmp_path):
    with pytest.raises(InputError, match=r"^.*nothing\.yaml: no such file$"):
        load_chip(str(tmp_path / "nothing.yaml"))


def test_a_file_that_is_no_text_is_one_line(tmp_path):
    path = tmp_path / "chip.yaml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match=r"^.*chip\.yaml: can't be read: not UTF-8 text$"):
        load_chip(str(path))


def test_a_number_may_carry_its_source():
    text = "{a: {value: 3, source: paper}, b: {c: 4, source: sheet}, d: 5}"
    data = parse_yaml(text, "x")
    assert without_sources(data) == {"a": 3, "b": {"c": 4}, "d": 5}
    assert numbers_with_source(data) == {"a": (3, "paper"), "b.c": (4, "sheet"), "d": (5, None)}


@pytest.mark.parametrize(
    ("ns", "ghz", "cycles"), [(100, 0.7, 70), (0.1, 1, 1), (0, 1, 0), (3, 0.5, 2)]
)
def test_nanoseconds_become_whole_cycles_rounded_up_without_binary_rounding(ns, ghz, cycles):
    chip = load_chip("edge_os_16x16").model_copy(update={"clock_ghz": ghz})
    assert chip.cycles_ceil(exact(ns)) == cycles
