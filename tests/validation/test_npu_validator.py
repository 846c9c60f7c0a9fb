"""`validate npu`: ONNXim's GEMMs on its chips, and files that can't be used."""

import re
from pathlib import Path

import pytest

import validation
from hw_models.yaml_file import InputError
from validation.npu import TOLERANCE_PCT, square_gemm, validate

REFERENCE = Path(validation.__file__).parent / "references" / "npu_peers.csv"
HEADER = "kind,simulator,run,chip,network,cycles,cores"
ROW = "run,ONNXim,mm512_c1,128x128 fp16,GEMM M=K=N=512 fp16,9393,1"


def test_every_gemm_of_the_reference_is_within_tolerance():
    done = validate(REFERENCE)
    assert [row["run"] for row in done.rows] == ["mm512_c1", "mm1024_c1", "mm2048_c1"]
    assert done.passed
    assert max(done.errors_pct("cycles")) <= TOLERANCE_PCT


def test_a_wrong_figure_fails(tmp_path):
    path = tmp_path / "ref.csv"
    path.write_text(f"{HEADER}\n{ROW.replace('9393', '8500')}\n")
    assert not validate(path).passed


def test_the_gemm_has_all_its_products():
    assert square_gemm(12).macs == 12**3


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (ROW.replace("GEMM", "ResNet"), "must have a row of ONNXim with a network GEMM M=K=N=..."),
        (
            ROW.replace("128x128", "7x7"),
            "line 2: chip must be one of 128x128 with 1 or 4 cores",
        ),
        (
            ROW.replace("9393", "-1"),
            "line 2: cycles must be a whole number from 1 to 9223372036854775807, not '-1'",
        ),
    ],
)
def test_a_bad_file_is_one_line(tmp_path, row, message):
    path = tmp_path / "ref.csv"
    path.write_text(f"{HEADER}\n{row}\n")
    with pytest.raises(InputError, match=f"^{re.escape(str(path))}: {re.escape(message)}$"):
        validate(path)
