"""Pictures and page of a run in which tiles of several layers take turns."""

import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest

from tests.simulator.fusion.interleaved_run import (
    CORES,
    DIVIDED,
    VECTOR_CORE,
    record_interleaved,
)
from traces.errors import InputError
from traces.plots import layer_lanes, links, roofline, stall_stack, timeline, utilisation
from traces.plots.rows import rows_of_run
from traces.plots.standalone import picture
from traces.plots.theme import NARROW_PX, WIDE_PX
from traces.plots.view import load_view
from traces.report.headline import headline
from traces.report.layer_table import layer_table
from traces.report.marked_path import marked_path
from traces.report.page import build_page
from traces.schema import CAUSE

DRAWN = {
    "timeline": timeline.draw,
    "links": links.draw,
    "cores": stall_stack.draw_units,
    "layers": layer_lanes.draw,
    "units": utilisation.draw,
}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("interleaved") / "run"
    result = record_interleaved(folder).result
    return load_view(folder), result


@pytest.mark.parametrize("picture", DRAWN)
@pytest.mark.parametrize("width", [WIDE_PX, NARROW_PX])
def test_a_picture_is_drawn_at_both_widths(picture, width, run):
    root = ET.fromstring(DRAWN[picture](run[0], width))
    assert root.attrib["viewBox"].split()[:3] == ["0", "0", str(width)]


def test_rows_are_of_units_with_work_and_a_link_has_one(run):
    view, result = run
    rows = {what: rows_of_run(view, what).names for what in ("cores", "links", "tasks")}
    computing = [f"{core}.pe_array" for core in CORES]
    (vector,) = [
        unit for unit in (f"{VECTOR_CORE}.pe_array", f"{VECTOR_CORE}.vector_unit")
        if set(result.units[unit]) != {"idle/no_work"}
    ]  # fmt: skip
    assert list(rows["cores"]) == [*computing, vector, "dram"]
    used = [
        unit.removesuffix(".queue")
        for unit, causes in result.units.items()
        if unit.endswith(".queue") and set(causes) != {"idle/no_work"}
    ]
    assert list(rows["links"]) == used
    assert list(rows["tasks"]) == [*computing, vector, *used]
    idle = [
        unit
        for unit, causes in result.units.items()
        if set(causes) == {"idle/no_work"} and f"{unit}.queue" not in result.units
    ]
    assert rows_of_run(view).idle == len(idle) > 0


def test_a_link_s_cycles_are_those_in_which_it_moves_something(run):
    view, result = run
    rows = rows_of_run(view, "links")
    busy = rows.mean(view.timeline[:, CAUSE["busy/transfer"]]).sum(axis=1)
    for name, cycles in zip(rows.names, busy.tolist(), strict=True):
        assert cycles == result.units[name].get("busy/transfer", 0)


def test_layers_over_time_have_all_cycles_of_their_layers(run):
    view, result = run
    for layer, cycles in zip(result.layers, view.tiles.over_time, strict=True):
        named = {cause: int(cycles[CAUSE[cause]].sum()) for cause in layer.causes}
        assert named == layer.causes
    per_core = view.tiles.over_time.sum(axis=(0, 1))
    assert (per_core <= np.diff(view.bin_ends) * len(view.layers)).all()


def test_the_strip_of_a_core_shows_the_layer_it_computes(run):
    view, _ = run
    shown = {
        unit: set(layers[layers >= 0].tolist())
        for unit, layers in zip(view.units, view.tiles.computed, strict=True)
        if (layers >= 0).any()
    }
    assert [shown[f"{core}.pe_array"] for core in CORES] == [{0}, {DIVIDED}, {DIVIDED}]


def test_what_a_unit_works_for_adds_up(run):
    view, _ = run
    shares = utilisation.busy_shares(view)
    total = rows_of_run(view, "tasks").mean(shares).sum(axis=1)
    assert total == pytest.approx(np.ones(total.size))


def test_the_page_says_it_of_cores_and_has_no_roofline(run):
    view, _ = run
    page = build_page(view, marked_path(view))
    titles = re.findall(r"<h2>(.*?)</h2>", page)
    assert {"Timeline", "Links", "Layers over time", "Layers"} < set(titles)
    assert not roofline.draw(view, WIDE_PX)
    assert "Roofline" not in titles
    assert f"of the cycles of the {len(CORES)} units that do MACs" in headline(view)
    assert f"{rows_of_run(view).idle} units that never had work are left out" in page
    assert not re.findall(r"\$\w+", page)


def test_the_table_says_who_computes_a_layer_and_how_well(run):
    view, result = run
    rows = re.findall(r"<tr>(<td.*?)</tr>", layer_table(view))
    for i, (row, layer) in enumerate(zip(rows, result.layers, strict=True)):
        cells = [re.sub(r"<[^>]*>", "", cell) for cell in re.findall(r"<td[^>]*>.*?</td>", row)]
        assert f"{100 * layer.utilisation:.1f} %" in cells
        assert f"{layer.cycles:,}" in cells
        assert cells[3].endswith(" + 1") == (i == DIVIDED)


@pytest.mark.parametrize("name", ["cores", "layers", "links", "timeline"])
def test_its_pictures_are_there_as_files(name, run):
    svg = picture(run[0], name)
    assert "var(" not in svg
    ET.fromstring(svg)


def test_a_roofline_is_refused(run):
    with pytest.raises(InputError, match=r"^.*run: has nothing to show in a picture of roofline$"):
        picture(run[0], "roofline")
