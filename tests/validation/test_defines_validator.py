"""`tilesim validate defines` and `tilesim validate prertl`: fused tiles, fused layers."""

import re
from pathlib import Path

import pytest

import validation
from hw_models.chip_files import load_chip
from simulator.fusion.depth_first import DepthFirstCost, depth_first_cost
from simulator.fusion.figures import Figures
from simulator.fusion.granularity import Granularity
from simulator.workload.onnx_import import load_onnx
from traces.errors import InputError
from validation import defines, prertl

REFERENCE = Path(validation.__file__).parent / "references" / "multicore" / "defines_grid.csv"
HEADER = "tile_x,tile_y,mode,energy_pJ,latency1\n"


def file_of(tmp_path, *rows):
    path = tmp_path / "grid.csv"
    path.write_text(HEADER + "".join(f"{row}\n" for row in rows))
    return path


@pytest.fixture
def costs(monkeypatch):
    """Costs that the test gives: energy is the number of rows of a tile, latency its columns."""

    def cost(_network, _chip, granularity, _overlap):
        figures = Figures(granularity.columns, float(granularity.rows), 10**6)
        return DepthFirstCost(figures, 1, 1)

    monkeypatch.setattr(defines, "depth_first_cost", cost)


def test_orders_are_compared_by_pairs(tmp_path, costs):
    rows = ("1,2,1,10,30", "2,4,2,20,20", "4,8,3,30,10")
    result = defines.validate(file_of(tmp_path, *rows))
    assert result.summary()["energy_tau"] == "1.000"
    assert result.summary()["latency_tau"] == "-1.000"
    assert not result.passed


def test_best_energy_is_told_as_a_share_of_layer_by_layer(tmp_path, costs):
    result = defines.validate(file_of(tmp_path, "960,540,1,1000,960", "60,54,3,200,60"))
    assert result.summary()["best_energy_share_reference"] == "0.200"
    assert result.summary()["best_energy_share_ours"] == f"{54 / 540:.3f}"
    assert result.passed


def test_a_pair_that_is_equal_here_counts_for_neither():
    rows = [{"energy_reference": a, "energy_ours": 1} for a in (1, 2)]
    assert defines.kendall_tau(rows, "energy") == 0
    assert defines.kendall_tau(rows[:1], "energy") == 1


def test_the_network_has_the_sizes_of_the_case_study():
    network = defines.fsrcnn()
    assert [layer.dims.ox for layer in network.layers] == [970, 970, 968, 966, 964, 962, 962, 960]
    assert network.layers[0].dims.ix == 970 + 5 - 1
    assert network.macs == sum(
        columns * rows * inputs * outputs * taps**2
        for columns, rows, inputs, outputs, taps in defines.LAYERS
    )


def test_lines_fused_and_kept_are_as_published():
    [row] = [row for row in REFERENCE.read_text().splitlines() if row.startswith("960,4,3,")]
    energy_pj, _, latency = row.split(",")[4:7]
    chip, granularity = load_chip(defines.PRESET), Granularity.parse("tile:4x960")
    figures = depth_first_cost(defines.fsrcnn(), chip, granularity, "full").figures
    weights = sum(inputs * outputs * taps**2 for _, _, inputs, outputs, taps in defines.LAYERS)
    assert figures.dram_bytes == 974 * 554 + 960 * 540 * 16 + weights
    assert figures.energy_pj == pytest.approx(float(energy_pj), rel=0.05)
    assert figures.cycles == pytest.approx(float(latency), rel=0.02)


@pytest.mark.parametrize(
    ("row", "text"),
    [
        ("0,4,3,1,1", "line 2: tile_x must be a whole number from 1 to 960, not '0'"),
        ("4,541,3,1,1", "line 2: tile_y must be a whole number from 1 to 540, not '541'"),
        ("4,4,4,1,1", "line 2: mode must be a whole number from 1 to 3, not '4'"),
    ],
)
def test_impossible_tiles_are_refused(tmp_path, row, text):
    path = file_of(tmp_path, row)
    with pytest.raises(InputError, match=f"^{re.escape(f'{path}: {text}')}$"):
        defines.validate(path)


TINY = load_onnx(prertl.tiny_yolo_v2(416, 416))


def test_detection_networks_have_the_published_work():
    assert 2 * TINY.macs / 1e9 == pytest.approx(6.97, abs=0.005)  # darknet: 6.97 Bn operations
    statistics = 2 * (sum(prertl.TINY) + 512 + 2 * 1024)  # mean and variance, 15,867,885 with them
    assert TINY.parameters == 15_867_885 - statistics
    lite = load_onnx(prertl.yolo_lite(224, 224))
    assert 2 * lite.macs / 1e6 == pytest.approx(482, rel=0.01)  # YOLO-LITE: 482 MFLOPS


def test_convolutions_are_run_with_their_poolings():
    parts = prertl.with_followers(TINY)
    assert [low for low, _ in parts] == [n for n, layer in enumerate(TINY.layers) if layer.is_mac]
    assert parts[:2] == [(0, 1), (2, 3)]
    assert parts[-1] == (len(TINY.layers) - 1, len(TINY.layers) - 1)


def claims_of(tmp_path):
    path = tmp_path / "claims.csv"
    path.write_text("figure,reduction_pct\nbandwidth,50\nlatency,30\nenergy,40\n")
    return path


@pytest.mark.parametrize(
    ("traffic", "passes"), [(400, False), (790, False), (800, True), (1200, True), (1210, False)]
)
def test_reductions_against_every_layer_are_within_ten_points_of_the_claims(
    tmp_path, monkeypatch, traffic, passes
):
    """Traffic is halved in the claim; layer by layer it is 1000 with pooling, 2000 without."""
    apart = {
        prertl.EVERY_LAYER: Figures(1000, 1000.0, 2000),
        prertl.WITH_POOLING: Figures(1000, 1000.0, 1000),
    }
    case = prertl.Case("net on chip", apart, Figures(700, 600.0, traffic))
    monkeypatch.setattr(prertl, "fusion_case", lambda *_: case)
    result = prertl.validate(claims_of(tmp_path))
    assert len(result.rows) == 3 * 2 * 2 * 2 * 2  # figures, baselines, networks, sizes, chips
    assert result.passed == passes
    assert result.summary()["latency"] == "30.0,ours:30.0,against_pooled:30.0"
