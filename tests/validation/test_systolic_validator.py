"""`validate systolic`: real runs of SCALE-Sim, its published reports, and bad reference files."""

import csv
import re
import time
from pathlib import Path

import pytest

import validation
from hw_models.yaml_file import InputError
from validation.scalesim.figures import layer_figures
from validation.scalesim.layer import ConvLayer, Machine, array_counts, folding
from validation.systolic import FIGURE_COLUMNS, validate

REFERENCES = Path(validation.__file__).parent / "references"
KB = 1024
GEMM = ConvLayer(256, 256, 1, 256, 1, 128, 1, 1)

ANCHOR_FIGURES = (
    *("cycles_incl_prefetch", "total_cycles", "stall_cycles"),
    *("dram_ifmap_reads", "dram_filter_reads", "dram_ofmap_writes"),
)
ANCHORS = [
    # Golden reports of SCALE-Sim v3.0.0, folder test/general: 32 x 32, 64 KB each.
    (ConvLayer(224, 224, 11, 11, 3, 96, 4, 4), "ws", None,
     (116210, 112283, 0, 1805023, 34848, 3484831)),
    (GEMM, "is", 10, (29815, 19984, 5777, 131080, 32770, 262157)),
    (GEMM, "os", 10, (59000, 52447, 42272, 524320, 32770, 32768)),
    (GEMM, "ws", 10, (59002, 52447, 41248, 524320, 32770, 262175)),
]  # fmt: skip


@pytest.mark.parametrize(("layer", "dataflow", "bandwidth", "golden"), ANCHORS)
def test_published_reports(layer, dataflow, bandwidth, golden):
    machine = Machine(32, 32, dataflow, 64 * KB, 64 * KB, 64 * KB, *[bandwidth] * 3)
    figures = layer_figures(layer, machine)
    assert tuple(figures[name] for name in ANCHOR_FIGURES) == golden


def test_a_window_that_wraps_at_every_chunk_border():
    """Fully connected 512 to 1000, 16 x 16 ws, 4 KB at 10 words a cycle: README.md, artefact 7."""
    machine = Machine(16, 16, "ws", 4 * KB, 4 * KB, 4 * KB, 10, 10, 10)
    figures = layer_figures(ConvLayer(1, 512, 1, 512, 1, 1000, 1, 1), machine)
    assert figures["dram_filter_reads"] == 531464550
    assert figures["stall_cycles"] == 53310900


@pytest.mark.parametrize(("name", "rows"), [("systolic_scalesim", 281), ("systolic_extra", 92)])
def test_every_row_of_the_references_is_exact(name, rows):
    seen = []
    start = time.perf_counter()
    result = validate(REFERENCES / f"{name}.csv", lambda done, total: seen.append((done, total)))
    assert time.perf_counter() - start < 30
    assert result.failing_rows() == []
    assert result.passed
    assert seen == [(done, rows) for done in range(1, rows + 1)]
    assert result.summary_line() == (
        f"rows={rows} exact={rows} mean_error_pct=0.0000 p90_error_pct=0.0000 "
        "worst_error_pct=0.0000 main=total_cycles figures=13 worst_any_error_pct=0.0000"
    )


def test_os_output_writes_are_the_arrays_plus_p_and_q_a_fold():
    layer, machine = ConvLayer(9, 9, 3, 3, 2, 7, 1, 1), Machine(4, 3, "os", KB, KB, KB)
    counts = array_counts(layer, machine)
    fold = folding(layer, machine, counts["cycles"])
    assert counts["psum_writes"] == layer.m * layer.n
    artefact = fold.row_folds * fold.col_folds * (4 + 3)
    assert layer_figures(layer, machine)["sram_ofmap_writes"] == counts["psum_writes"] + artefact


@pytest.fixture
def table():
    """Header and first two rows (conv, USER) of a reference, as dicts that may be changed."""
    lines = (REFERENCES / "systolic_extra.csv").read_text(encoding="utf-8").splitlines()
    rows = list(csv.DictReader(line for line in lines if not line.startswith("#")))
    return [row for row in rows if row["bw_mode"] == "USER" and row["set_kind"] == "conv"][:2]


@pytest.fixture
def file(tmp_path):
    """Writes rows as a reference file with one comment line, and gives its path."""

    def write(rows, drop=()):
        path = tmp_path / "ref.csv"
        names = [name for name in rows[0] if name not in drop]
        with path.open("w", encoding="utf-8", newline="") as out:
            out.write("# source: a test\n")
            writer = csv.DictWriter(out, names, extrasaction="ignore", lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)
        return path

    return write


@pytest.mark.parametrize("figure", FIGURE_COLUMNS)
def test_one_figure_one_off_is_found(figure, table, file):
    expected = table[1][figure]
    step = "0.000001" if figure.endswith("_pct") else "1"
    table[1][figure] = (
        f"{float(expected) + float(step):.6f}" if "." in step else str(int(expected) + 1)
    )
    result = validate(file(table))
    assert not result.passed
    assert result.exact_rows == 1
    (row,) = result.failing_rows()
    assert row["layer"] == table[1]["layer"]
    assert result.worst_figure(row) == figure
    assert row[f"{figure}_error_pct"] > 0


def test_percentages_are_compared_to_the_decimals_that_are_there(table, file):
    exact = float(table[0]["overall_util_pct"])
    table[0]["overall_util_pct"] = f"{exact:.2f}"
    assert validate(file(table)).passed
    table[0]["overall_util_pct"] = f"{exact + 0.02:.2f}"
    assert not validate(file(table)).passed


def test_mean_p90_and_worst_are_those_of_total_cycles(table, file):
    total = int(table[0]["total_cycles"])
    table[0]["total_cycles"] = str(2 * total)
    summary = validate(file(table)).summary()
    assert summary["mean_error_pct"] == f"{50 / 2:.4f}"
    assert summary["p90_error_pct"] == summary["worst_error_pct"] == f"{50:.4f}"


@pytest.mark.parametrize(
    ("column", "value", "rule"),
    [
        ("array_rows", "0", "must be a whole number from 1 to 16384, not '0'"),
        ("array_cols", "8.0", "must be a whole number from 1 to 16384, not '8.0'"),
        ("channels", "many", "must be a whole number from 1 to 16777216, not 'many'"),
        ("stride_w", "", "must be a whole number from 1 to 16777216, not ''"),
        ("stride_h", "-2", "must be a whole number from 1 to 16777216, not '-2'"),
        ("dataflow", "rs", "must be one of os, ws, is, not 'rs'"),
        ("bw_mode", "user", "must be one of CALC, USER, not 'user'"),
        ("bw_filter", "", "must be a whole number in USER mode, not blank"),
        ("bw_ofmap", "0", "must be a whole number from 1 to 1048576, not '0'"),
        ("overall_util_pct", "high", "must be a number, not 'high'"),
        ("mapping_eff_pct", "nan", "must be a finite number, not 'nan'"),
        ("stall_cycles", "-1", f"must be a whole number from 0 to {2**63 - 1}, not '-1'"),
        ("filt_h", "999", "must be at most ifmap_h ({ifmap_h}), not 999"),
        ("filt_w", "999", "must be at most ifmap_w ({ifmap_w}), not 999"),
        ("gemm_K", "5000", "must be {gemm_K} (from the layer's dimensions), not 5000"),
    ],
)
def test_an_impossible_cell_is_named_by_line_and_column(column, value, rule, table, file):
    rule = rule.format(**table[1])
    table[1][column] = value
    path = file(table)
    with pytest.raises(InputError, match=f"^{re.escape(f'{path}: line 4: {column} {rule}')}$"):
        validate(path)


def test_missing_columns_are_named(table, file):
    path = file(table, drop=("dataflow", "dram_filter_reads"))
    rule = f"^{re.escape(str(path))}: must have the columns dataflow, dram_filter_reads$"
    with pytest.raises(InputError, match=rule):
        validate(path)


def test_label_and_gemm_columns_may_be_missing(table, file):
    path = file(table, drop=("topology", "gemm_M", "gemm_N", "gemm_K", "set_kind", "wall_s"))
    assert validate(path).passed


def test_layers_too_big_to_replay_are_refused(table, file):
    table[0].update(ifmap_h="20000", ifmap_w="20000", gemm_M="", gemm_N="", gemm_K="")
    path = file(table, drop=("gemm_M", "gemm_N", "gemm_K"))
    with pytest.raises(
        InputError, match=r": line 3: the layer's matrices must have at most 134217728 words, not "
    ):
        validate(path)


def test_a_layer_of_one_cycle_is_refused(table, file):
    one = dict.fromkeys(("ifmap_h", "ifmap_w", "filt_h", "filt_w", "channels"), "1")
    table[0].update(one, num_filters="1", array_rows="1", array_cols="1", dataflow="os")
    path = file(table, drop=("gemm_M", "gemm_N", "gemm_K"))
    rule = "line 3: the layer must take 2 to 268435456 array cycles, not 1"
    with pytest.raises(InputError, match=f"^{re.escape(f'{path}: {rule}')}$"):
        validate(path)
