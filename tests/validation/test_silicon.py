"""`validate silicon`: published figures of chips, what stands for their layers, and bad files."""

import io
import re
from pathlib import Path

import pytest
from rich.console import Console

import validation
from hw_models.chip_files import load_chip
from hw_models.yaml_file import InputError
from simulator.workload.graph import LoopDims
from validation.commands.validate import print_tables
from validation.measured import eyeriss, nvdla, tpu_v1
from validation.measured.layers import MeasuredLayer, Shape, padded
from validation.silicon import BARS, validate

REFERENCE = Path(validation.__file__).parent / "references" / "silicon.csv"
HEADER = "chip,network,layer,dims,metric,value,unit,source,flag"


@pytest.fixture
def only(tmp_path):
    """Writes the rows of the reference that a pattern finds, or given lines, as a file."""

    def write(pattern="", lines=()):
        given = REFERENCE.read_text(encoding="utf-8").splitlines()
        found = [line for line in given if pattern and re.match(pattern, line)]
        path = tmp_path / "part.csv"
        path.write_text("\n".join([HEADER, *found, *lines]) + "\n", encoding="utf-8")
        return path

    return write


def errors(result, metric):
    return [row["value_error_pct"] for row in result.rows if row["metric"] == metric]


def test_alexnet_on_eyeriss_is_within_its_bars(only):
    result = validate(only("Eyeriss,AlexNet"))
    processing, dram = errors(result, "processing_latency"), errors(result, "dram_accesses")
    layers = 5
    assert len(processing) == len(dram) == layers
    assert sum(processing) / layers < 5
    assert sum(dram) / layers < 6
    assert errors(result, "active_pes") == [0] * layers
    assert result.passed
    assert "eyeriss_alexnet_processing_mean_error_pct=" in result.summary_line()
    assert {row["flag"] for row in result.rows} == {"from-memory"}


def test_nvdla_is_within_its_bar_and_moves_what_its_model_counts(only):
    result = validate(only("NVDLA-full"))
    cycles = errors(result, "layer_cycles_no_sram")
    assert len(cycles) == 65
    assert sum(cycles) / len(cycles) < 10
    # Images and 5 x 5 filters aside, traffic differs by rests of odd maps and a fused pooling.
    assert sorted(errors(result, "dram_traffic_no_sram"))[55] < 1
    assert {row["flag"] for row in result.rows} == {"vendor analytical model"}
    assert result.passed


def test_a_bar_that_is_exceeded_fails(only):
    path = only("Eyeriss,AlexNet,CONV3")
    text = path.read_text().replace("processing_latency,21.8", "processing_latency,11.0")
    path.write_text(text)
    result = validate(path)
    assert not result.passed
    assert BARS[0].most_pct == 10


def test_pattern_less_networks_of_the_tpu_are_left_out(only):
    result = validate(only("TPUv1,(MLP0|CNN1)"))
    assert {row["network"] for row in result.rows} == {"MLP0"}
    assert {row["note"] for row in result.rows} == {tpu_v1.NOTE}
    assert errors(result, "throughput")[0] < 10
    assert errors(result, "weight_stall_cycles")[0] < 10


def test_the_matrix_unit_takes_tiles_of_256_x_256_weights():
    chip, dims = load_chip("tpu_v1"), LoopDims(b=8, k=300, c=300, oy=19, ox=19, fy=3, fx=3)
    tile = tpu_v1.matrix_tiles(chip, dims).tile
    assert tile["k"] == 256
    assert tile["c"] == 256 // 9
    half_bytes = 4 * 2**20 // 2
    assert 4 * 256 * tile["b"] * 19 * 19 <= half_bytes < 4 * 256 * (2 * tile["b"]) * 19 * 19


def test_every_chip_has_a_table_of_all_its_rows(only):
    result = validate(only("(Eyeriss,AlexNet,CONV5|TPUv1,MLP0)"))
    console = Console(width=200, file=io.StringIO())
    print_tables(result, console)
    text = console.file.getvalue()
    assert text.index("Eyeriss") < text.index("TPUv1") < text.index("silicon: ")
    for row in result.rows:
        assert f" {row['metric']} " in text
    assert "from-memory" in text


LAYER = "C64 H8 W8 K64 R3 S3 stride1 P8 Q8 conv"


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        (f"Eyeriss,A,L,{LAYER},power,many,mW,s,f", "line 2: value must be a number, not 'many'"),
        (
            "Eyeriss,A,L,C64 H8 W8 K64 R3 S3,power,1,mW,s,f",
            "line 2: dims must give stride, as in stride2, not 'C64 H8 W8 K64 R3 S3'",
        ),
        (
            "Eyeriss,A,L,C1 H2 W2 K1 R3 S3 stride1,power,1,mW,s,f",
            "line 2: dims must make an output of at least one row, not 'C1 H2 W2 K1 R3 S3 stride1'",
        ),
        (
            "Eyeriss,A,L,C1 H4 W4 K3 R3 S3 stride1 groups2,power,1,mW,s,f",
            "line 2: dims must have K as a multiple of groups, not "
            "'C1 H4 W4 K3 R3 S3 stride1 groups2'",
        ),
        (
            "Eyeriss,A,L,C1 H4 W4 K3 R3 S3 stride0,power,1,mW,s,f",
            "line 2: dims must have sizes of at least 1, not 'C1 H4 W4 K3 R3 S3 stride0'",
        ),
        (
            f"Acme,A,L,{LAYER},power,1,mW,s,f",
            "must have layers of Eyeriss, NVDLA-full, TPUv1 with metrics that are simulated, "
            "not only of Acme",
        ),
    ],
)
def test_bad_rows_are_refused(only, line, problem):
    path = only(lines=[line])
    colon = ": "
    with pytest.raises(InputError, match="^" + re.escape(f"{path}{colon}{problem}") + "$"):
        validate(path)


def test_a_missing_column_is_refused(tmp_path):
    path = tmp_path / "part.csv"
    path.write_text("chip,network\nEyeriss,A\n")
    with pytest.raises(InputError, match=r"part.csv"):
        validate(path)


def conv(r, stride=1, h=8, c=64, k=128):
    return Shape(c, h, h, k, r, r, stride, h // stride, h // stride, 1)


def test_winograd_layers_have_sixteen_coefficients_and_four_products_an_output():
    shape = conv(3)
    d = nvdla.workload_layer("w", shape, 1, with_addition=False).dims
    outputs = shape.k * shape.p * shape.q
    assert d.macs == 4 * shape.c * outputs
    assert d.k * d.c * d.fy * d.fx == 16 * shape.c * shape.k
    assert d.k * d.oy * d.ox == outputs
    assert d.c * d.iy * d.ix == shape.c * shape.h * shape.w


def test_strided_pointwise_layers_fetch_four_times_the_weights():
    shape = conv(1, stride=2)
    d = nvdla.workload_layer("s", shape, 1, with_addition=False).dims
    assert d.k * d.c * d.fy * d.fx == 4 * shape.weights
    assert (d.oy, d.ox) == (shape.p, shape.q)


def test_an_addition_reads_as_much_as_it_writes():
    shape = conv(1, k=256)
    layer = nvdla.workload_layer("a", shape, 1, with_addition=True)
    addends = (len(layer.inputs) - 1) * layer.dims.c * layer.dims.iy * layer.dims.ix
    assert addends == layer.output_elements


def test_run_length_code_grows_dense_maps_by_a_third():
    assert eyeriss.rlc_ratio(0) == pytest.approx(64 / 48)
    assert eyeriss.rlc_ratio(0.25) == pytest.approx(1)
    assert eyeriss.rlc_ratio(1) == 0


@pytest.mark.parametrize("place", sorted(eyeriss.published_mappings()))
def test_published_mappings_fit_the_chip_and_give_the_published_active_pes(place):
    m = eyeriss.published_mappings()[place]
    rows, taps, columns, pes = {
        "CONV1": (11, 11, 55, 154),
        "CONV2": (5, 5, 27, 135),
        "CONV3": (3, 3, 13, 156),
        "CONV4": (3, 3, 13, 156),
        "CONV5": (3, 3, 13, 156),
    }[place[1]]
    chip = load_chip("eyeriss")
    array, buffer = chip.cores[0].pe_array, chip.cores[0].buffer_of("psum")
    assert rows * m.e * m.r * m.t == pes
    assert m.q * taps <= array.ifmap_spad_words
    assert m.p * m.q * taps <= array.filter_spad_words
    assert m.p <= array.psum_spad_words
    assert 2 * m.n * m.m * m.e * columns <= buffer.size_bytes


def test_padding_is_what_the_output_needs():
    layer = MeasuredLayer("c", "n", "l", "C3 H224 W224 K64 R7 S7 stride2 P112 Q112", 1)
    d = padded(layer.shape, batch=2)
    assert (d.b, d.oy, d.pad_top) == (2, 112, 3)


def test_tpu_networks_have_the_published_weights():
    dims = "5 FC; 20M weights; batch 200; 200 ops/weight byte"
    network = tpu_v1.network_of(MeasuredLayer("TPUv1", "MLP0", "TOTAL", dims, 1))
    assert sum(layer.weight_elements for layer in network.layers) == 5 * 2000 * 2000
    assert network.macs == 200 * 5 * 2000 * 2000
