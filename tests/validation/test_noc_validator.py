"""The validator of networks: a few rows of the references, and files that can't be used."""

from pathlib import Path

import pytest

from traces.errors import InputError
from validation.noc import validate

REFERENCES = Path("validation/references")
HEADER = (
    "config,topology,k,n,traffic,packet_size_flits,num_vcs,vc_buf_size,router,"
    "offered_flits_node_cycle,avg_packet_latency_cyc,min_packet_latency,"
    "accepted_flits_node_cycle,status,tolerance_pct"
)
ROW = "small,mesh,4,2,uniform,1,1,4,R1,0.1,20.87,7,0.10015,ok,3.0"


def reference(tmp_path, row):
    path = tmp_path / "ref.csv"
    path.write_text(f"{HEADER}\n{row}\n", encoding="utf-8")
    return path


def copied(tmp_path, name, wanted):
    """A file with the one row of a reference that begins so."""
    lines = (REFERENCES / name).read_text(encoding="utf-8").splitlines()
    header = next(line for line in lines if line.startswith("config,"))
    (row,) = (line for line in lines if line.startswith(wanted))
    path = tmp_path / "ref.csv"
    path.write_text(f"{header}\n{row}\n", encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("noc_booksim.csv", "mesh4x4_uniform_L4_v4_b8,mesh,4,2,uniform,4,4,8,R1,0.4,"),
        ("noc_booksim.csv", "mesh4x4_transpose_L1_v1_b4,mesh,4,2,transpose,1,1,4,R1,0.1,"),
        ("noc_booksim.csv", "mesh4x4_uniform_L16_v4_b4,mesh,4,2,uniform,16,4,4,R1,0.05,"),
        ("noc_booksim.csv", "mesh8x8_transpose_L16_v1_b4,mesh,8,2,transpose,16,1,4,R1,0.0875,"),
        ("noc_extra.csv", "mesh4x4_uniform_L4_v4_b8_R2,mesh,4,2,uniform,4,4,8,R2,0.5,"),
        ("noc_extra.csv", "mesh4x4_uniform_L4_v4_b8_R3,mesh,4,2,uniform,4,4,8,R3,0.5,"),
        ("noc_extra.csv", "ring5_uniform_L4_v2_b8_R3,ring,5,1,uniform,4,2,8,R3,0.3,"),
    ],
)
def test_the_same_packets_take_the_same_time_to_the_last_digit(tmp_path, name, wanted):
    """Even close to saturation, where a flit that goes another way changes everything after it."""
    result = validate(copied(tmp_path, name, wanted))
    assert result.passed
    for figure in ("avg_packet_latency_cyc", "min_packet_latency", "accepted_flits_node_cycle"):
        assert result.errors_pct(figure) == [0.0]


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("noc_extra.csv", "ring8_uniform_L4_v4_b8_R1,ring,8,1,uniform,4,4,8,R1,0.3,"),
        ("noc_extra.csv", "ring8_uniform_L4_v4_b8_R1,ring,8,1,uniform,4,4,8,R1,0.9,"),
        ("noc_booksim.csv", "mesh4x4_uniform_L1_v1_b4,mesh,4,2,uniform,1,1,4,R1,0.3,"),
    ],
)
def test_rings_with_ties_and_saturated_meshes_are_within_the_tolerances(tmp_path, name, wanted):
    assert validate(copied(tmp_path, name, wanted)).passed


def test_a_wrong_latency_does_not_pass(tmp_path):
    assert validate(reference(tmp_path, ROW)).passed
    assert not validate(reference(tmp_path, ROW.replace("20.87", "25.0"))).passed
    assert not validate(reference(tmp_path, ROW.replace(",7,", ",8,"))).passed


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (
            ROW.replace("mesh", "bus"),
            "line 2: topology must be one of mesh, torus, ring, not 'bus'",
        ),
        (ROW.replace("mesh", "torus"), "line 2: num_vcs must be at least 2 on a torus, not 1"),
        (ROW.replace("20.87", ""), "line 2: avg_packet_latency_cyc must be given, as it is ok"),
        (
            ROW.replace("R1,0.1", "R1,1.5"),
            "line 2: offered_flits_node_cycle must be above 0 and at most packet_size_flits, "
            "not 1.5",
        ),
        (ROW.replace("ok", "knee"), "must have a row with status ok or latency_exceeded"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused(tmp_path, row, message):
    path = reference(tmp_path, row)
    with pytest.raises(InputError) as error:
        validate(path)
    assert str(error.value) == f"{path}: {message}"
