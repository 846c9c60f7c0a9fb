import re
import xml.etree.ElementTree as ET
from dataclasses import replace

import numpy as np
import pytest

from tests.traces.small_run import END, UNITS, write_small_run
from traces.plots import (
    bandwidth,
    energy,
    occupancy,
    roofline,
    stall_stack,
    timeline,
    utilisation,
)
from traces.plots.bins import even_bins
from traces.plots.rows import NAMES_PX
from traces.plots.theme import (
    CAUSE_STYLES,
    DARK,
    NARROW_PX,
    VARIABLES,
    WIDE_PX,
    new_axes,
    to_svg,
)
from traces.plots.view import MOST_BINS, PARTLY, load_view
from traces.schema import CAUSE, CAUSES

PICTURES = (timeline, stall_stack, roofline, bandwidth, occupancy, energy, utilisation)
RECTANGLE = re.compile(r"M(-?[\d.]+) (-?[\d.]+)h(-?[\d.]+)v(-?[\d.]+)H")


@pytest.fixture
def view(tmp_path):
    return load_view(write_small_run(tmp_path / "run"))


def rectangles(svg, cause):
    """x, y, width, height of the rectangles in a cause's colour."""
    colour = VARIABLES[CAUSE_STYLES[cause].colour]
    paths = re.findall(rf'<path d="([^"]*)"[^>]*fill: var\({colour},', svg)
    return [tuple(map(float, found)) for path in paths for found in RECTANGLE.findall(path)]


def area(svg, cause):
    return sum(abs(width * height) for _, _, width, height in rectangles(svg, cause))


@pytest.mark.parametrize("picture", PICTURES, ids=lambda module: module.__name__)
@pytest.mark.parametrize("width", [WIDE_PX, NARROW_PX])
def test_a_picture_is_a_scalable_element_that_follows_the_page(picture, width, view):
    svg = picture.draw(view, width)
    root = ET.fromstring(svg)
    assert root.attrib["viewBox"].split()[:3] == ["0", "0", str(width)]
    assert "width" not in root.attrib
    assert root.attrib["aria-label"]
    colours = set(re.findall(r"(?<!, )#[0-9a-f]{6}\b", svg))
    assert not colours, "a colour that no variable stands for"


@pytest.mark.parametrize("picture", PICTURES, ids=lambda module: module.__name__)
def test_the_same_run_gives_the_same_picture(picture, view):
    assert picture.draw(view, WIDE_PX) == picture.draw(view, WIDE_PX)


def test_pictures_of_a_page_share_no_ids(view):
    page = "".join(p.draw(view, width) for p in PICTURES for width in (WIDE_PX, NARROW_PX))
    ids = re.findall(r' id="([^"]*)"', page)
    assert len(ids) == len(set(ids))
    assert set(re.findall(r'(?:url\(|href=")#([^")]*)', page)) == set(ids)


def test_a_colour_fills_as_much_of_the_timeline_as_its_cause_of_the_cycles(view):
    svg = timeline.draw(view, WIDE_PX)
    lane = timeline.MOST_LANE_PX
    all_of_a_lane = area_of_lanes(svg) / len(UNITS)
    assert all_of_a_lane / lane == pytest.approx(WIDE_PX - NAMES_PX - 18)
    for cause, cycles in (("busy/compute", 60), ("busy/fill", 10), ("stall/dependency", 70)):
        assert area(svg, cause) == pytest.approx(all_of_a_lane * cycles / END, rel=0.01)


def area_of_lanes(svg):
    """All lanes: what is drawn, and what is not: 10 idle cycles of the array, 70 of DRAM."""
    drawn = sum(area(svg, cause) for cause in CAUSES if cause != "idle/no_work")
    return drawn / (len(UNITS) * END - 80) * len(UNITS) * END


def test_a_bin_of_many_causes_is_stacked_by_their_shares(view):
    cycles = np.zeros((len(UNITS), len(CAUSES), 1), dtype=np.int64)
    cycles[:, CAUSE["idle/no_work"]] = END
    cycles[0, :, 0] = 0
    cycles[0, [CAUSE["busy/compute"], CAUSE["stall/dependency"]], 0] = (75, 25)
    one = replace(view, timeline=cycles, bin_ends=np.array([0, END]))
    svg = timeline.draw(one, WIDE_PX)
    (compute,), (waiting,) = (rectangles(svg, c) for c in ("busy/compute", "stall/dependency"))
    assert compute[3] == -0.75 * timeline.MOST_LANE_PX
    assert waiting[3] == -0.25 * timeline.MOST_LANE_PX
    assert waiting[1] == compute[1] + compute[3]  # the one stands on the other


def test_the_timeline_stays_small_whatever_it_is_made_of(view):
    rng = np.random.default_rng(5)
    shape = (len(UNITS), len(CAUSES), MOST_BINS)
    bin_ends = even_bins(1_000_000 * MOST_BINS, MOST_BINS)
    crowded = rng.multinomial(1_000_000, [1 / len(CAUSES)] * len(CAUSES), size=shape[::2])
    busy = replace(view, end_cycle=int(bin_ends[-1]), bin_ends=bin_ends,
                   timeline=np.swapaxes(crowded, 1, 2).astype(np.int64))  # fmt: skip
    svg = timeline.draw(busy, WIDE_PX)
    assert len(svg) < 60 * len(UNITS) * len(CAUSES) * 480
    assert svg.count("<path") < len(CAUSES) + 20


def test_a_critical_path_is_marked_under_the_lanes_it_runs_through(view):
    path = {"unit": np.array([1, 0, -1]), "start": np.array([0, 20, 50]),
            "end": np.array([20, 50, 50])}  # fmt: skip
    svg = timeline.draw(view, WIDE_PX, path)
    marks = re.findall(r'<path d="([^"]*)"[^>]*fill: var\(--ink,', svg)
    (first, second) = RECTANGLE.findall(marks[0])
    per_cycle = (WIDE_PX - NAMES_PX - 18) / END
    assert float(first[2]) == pytest.approx(20 * per_cycle, abs=0.02)
    assert float(second[2]) == pytest.approx(30 * per_cycle, abs=0.02)
    assert float(first[1]) > float(second[1])  # the second unit's lane is below the first's


def test_bars_of_layers_are_as_long_as_their_cycles(view):
    svg = stall_stack.draw(view, WIDE_PX)
    per_cycle = (WIDE_PX - 190 - 50) / 50  # both layers take 50 cycles
    lengths = {"busy/compute": [30, 20], PARTLY: [10], "busy/fill": [10]}
    for cause, cycles in lengths.items():
        drawn = [width for _, _, width, _ in rectangles(svg, cause)]
        assert drawn == pytest.approx([per_cycle * n for n in cycles], abs=0.02)


def test_of_very_many_layers_those_that_lost_most_are_shown(view):
    layers = [
        replace(view.layers[0], name=f"l{i}", ideal_cycles=50 - i % 50, causes={"busy/compute": 50})
        for i in range(100)
    ]
    bars = stall_stack.bars_of(layers)
    assert len(bars) == stall_stack.MOST_BARS
    assert bars[-1][0] == f"{100 - stall_stack.MOST_BARS + 1} other layers"
    lost = {layer.name: layer.lost_cycles for layer in layers}
    named = [name for name, *_ in bars[:-1]]
    assert min(lost[name] for name in named) >= max(n for x, n in lost.items() if x not in named)
    assert named == sorted(named, key=lambda name: int(name[1:]))


def test_the_roofline_is_left_out_when_the_chip_is_not_known(view):
    assert roofline.draw(replace(view, result=None), WIDE_PX) == ""


def test_a_layer_has_the_colour_of_its_largest_loss(view):
    first, second = view.layers
    assert roofline.colouring_cause(first) == "stall/dram_bandwidth"
    assert roofline.colouring_cause(replace(second, causes={"busy/compute": 50})) == PARTLY
    full = replace(second, causes={"busy/compute": 50}, ideal_cycles=50)
    assert roofline.colouring_cause(full) == "busy/compute"


def test_intensity_is_macs_per_byte_of_both_directions(view):
    assert roofline.intensity(view.layers[1]) == 2000 / (64 + 128)


def test_energy_is_left_out_when_nothing_counted_it(view):
    assert energy.draw(replace(view, energy_pj={}), WIDE_PX) == ""


def test_a_unit_is_as_busy_during_a_layer_as_its_causes_say(view):
    shares = utilisation.busy_shares(view)
    assert shares[0].tolist() == [30 / 50, 40 / 50]
    assert shares[1].tolist() == [20 / 50, 10 / 50]


def test_a_buffer_is_as_full_as_its_slots_are_large(view):
    taken, bounds = occupancy.taken_bytes(view, MOST_BINS)
    assert bounds.size - 1 == END
    for cycle, expected in ((5, 1024), (15, 1024 + 512), (30, 1024 + 512 + 256), (95, 256)):
        assert taken[0, cycle] == pytest.approx(expected)


def test_every_cause_has_a_colour_of_its_own():
    assert set(CAUSE_STYLES) == {*CAUSES, PARTLY}
    assert len(VARIABLES) == len({style.colour for style in CAUSE_STYLES.values()}) + 7
    assert set(DARK) <= set(VARIABLES.values())


def linear(colour):
    """Linear light of a colour: (red, green, blue)."""
    srgb = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    return np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)


VISION = {
    "normal": np.eye(3),
    # Machado, Oliveira, Fernandes 2009, table 1, severity 1.0
    "protan": np.array([[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216],
                        [-0.003882, -0.048116, 1.051998]]),
    "deutan": np.array([[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413],
                        [-0.011820, 0.042940, 0.968881]]),
    "tritan": np.array([[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602],
                        [0.004733, 0.691367, 0.303900]]),
}  # fmt: skip
XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])


def lab(rgb):
    """CIELAB of linear light, white D65."""
    ratio = XYZ @ np.clip(rgb, 0, 1) / (XYZ @ np.ones(3))
    f = np.where(ratio > 0.008856, np.cbrt(ratio), 7.787 * ratio + 16 / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


LEAST_DIFFERENCE = 10.0
"""CIE 1976: 2.3 can just be told side by side; colours in a legend need several times that."""


@pytest.mark.parametrize("vision", VISION)
@pytest.mark.parametrize("dark", [False, True])
def test_causes_are_told_apart_by_every_kind_of_colour_vision(vision, dark):
    seen = {}
    for cause, style in CAUSE_STYLES.items():
        colour = DARK.get(VARIABLES[style.colour], style.colour) if dark else style.colour
        seen[cause] = lab(VISION[vision] @ linear(colour))
    pairs = {(a, b): float(np.linalg.norm(seen[a] - seen[b])) for a in seen for b in seen if a < b}
    near = {pair: round(d, 1) for pair, d in pairs.items() if d < LEAST_DIFFERENCE}
    assert not near


def test_words_are_written_as_they_are():
    figure, axes = new_axes(100, 50, timeline.Margins(0, 0, 0, 0))
    timeline.write_text(axes, "a$b$ <c> & d", (0, 0))
    assert "a$b$ &lt;c&gt; &amp; d" in to_svg(figure, "x", 'say "x"')
