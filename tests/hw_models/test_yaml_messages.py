"""Messages about chip files, as a user reads them."""

import pytest
import yaml

from hw_models.chip_files import chip_text, parse_chip
from traces.errors import InputError


def spoilt(preset, change):
    """The message about a preset with a change."""
    data = yaml.safe_load(chip_text(preset)[1])
    change(data)
    with pytest.raises(InputError) as refused:
        parse_chip(yaml.safe_dump(data), "mine.yaml")
    return str(refused.value)


def test_a_name_that_breaks_its_pattern():
    message = spoilt("griffin", lambda chip: chip["cores"][0].update(name="my core"))
    assert message == (
        "mine.yaml: cores[0].name must match ^[A-Za-z0-9_.-]+$, not 'my core'"
    )  # fmt: skip


def test_the_kind_of_an_array_is_no_part_of_its_place():
    def change(chip):
        chip["cores"][0]["pe_array"]["bbuf_steps"] = 2

    assert spoilt("griffin", change) == (
        "mine.yaml: cores[0].pe_array.bbuf_steps must be at least 3, which the window of "
        "AB(2,0,0,2,0,1,on) spans, not 2"
    )
