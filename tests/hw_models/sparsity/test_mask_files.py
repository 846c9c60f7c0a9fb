"""Masks of a user from .npy files and Arrow, and one line for each way to be wrong."""

import re

import numpy as np
import pyarrow as pa
import pytest

from hw_models.sparsity.mask_files import checked_mask, load_masks
from traces.errors import InputError

MASK = np.array([[True, False, True], [False, False, True]])
KEY = ("conv1", "weight")


def write_arrow(path, **columns):
    table = pa.table(
        {
            "layer": ["conv1"],
            "operand": ["weight"],
            "shape": [[2, 3]],
            "mask": [MASK.ravel().tolist()],
            **columns,
        }
    )
    with pa.ipc.new_file(str(path), table.schema) as writer:
        writer.write_table(table)


def test_npy_and_arrow_hold_the_same(tmp_path):
    folder, file = tmp_path / "masks", tmp_path / "masks.arrow"
    folder.mkdir()
    np.save(folder / "conv1.weight.npy", MASK * 0.5)
    write_arrow(file)
    for place in (folder, file):
        (key, mask), *others = load_masks(place).items()
        assert key == KEY
        assert not others
        np.testing.assert_array_equal(mask, MASK)


def test_axes_of_length_1_may_be_left_out():
    masks = {KEY: MASK}
    assert checked_mask(masks, "conv1", "weight", (2, 3, 1, 1)).shape == (2, 3, 1, 1)
    assert checked_mask(masks, "conv2", "weight", (2, 3, 1, 1)) is None


def test_a_mask_of_another_shape_is_refused():
    rule = "conv1: mask of weight must have the shape 3 x 2 x 1 x 1, not 2 x 3"
    with pytest.raises(InputError, match=f"^{re.escape(rule)}$"):
        checked_mask({KEY: MASK}, "conv1", "weight", (3, 2, 1, 1))


@pytest.mark.parametrize(
    ("make", "rule"),
    [
        (lambda path: None, "{path}: no such file or folder"),
        (
            lambda path: path.mkdir(),
            "{path}: must have masks, LAYER.weight.npy or LAYER.input.npy",
        ),
        (
            lambda path: (path.mkdir(), np.save(path / "conv1.npy", MASK)),
            "{path}/conv1.npy: must be called LAYER.weight.npy or LAYER.input.npy",
        ),
        (
            lambda path: write_arrow(path, shape=[[2, 4]]),
            "{path}: conv1: mask must have as many elements as its shape 2 x 4, not 6",
        ),
    ],
)
def test_bad_files(make, rule, tmp_path):
    path = tmp_path / "masks"
    make(path)
    with pytest.raises(InputError, match=f"^{re.escape(rule.format(path=path))}$"):
        load_masks(path)


def test_files_of_another_kind(tmp_path):
    (tmp_path / "a.input.npy").write_bytes(b"no array")
    (tmp_path / "b.arrow").write_bytes(b"no table")
    with pytest.raises(InputError, match=r"a\.input\.npy: can't be read as an array: "):
        load_masks(tmp_path)
    with pytest.raises(InputError, match=r"b\.arrow: can't be read as an Arrow file: "):
        load_masks(tmp_path / "b.arrow")
    table = pa.table({"layer": ["a"]})
    with pa.ipc.new_file(str(tmp_path / "c.arrow"), table.schema) as writer:
        writer.write_table(table)
    rule = f"{tmp_path / 'c.arrow'}: must have the columns operand, shape, mask"
    with pytest.raises(InputError, match=f"^{re.escape(rule)}$"):
        load_masks(tmp_path / "c.arrow")
