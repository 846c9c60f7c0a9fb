"""DRAM standards as data: organisation, timing and currents of a part, one YAML file each.

Clocks are those of the DRAM's command clock, `tck_ns` long. A channel is as wide as `bus_bits`, or,
with pseudo channels, that wide twice.
"""

from __future__ import annotations

import difflib
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from hw_models.sourced import without_sources
from hw_models.yaml_file import InputError, Strict, build, parse_yaml, read_text

_STANDARDS = files("hw_models.dram") / "standards"

Clocks = Annotated[int, Field(ge=0, le=1 << 20)]
SomeClocks = Annotated[int, Field(ge=1, le=1 << 20)]
Size = Annotated[int, Field(ge=1, le=1 << 24)]
Current = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class Organisation(Strict):
    """How a channel is built.

    bus_bits: data wires of the channel or pseudo channel. device_bits: those of one device.
    burst_length: beats a burst. columns: of device_bits each, in a row of one device.
    pseudo_channels: halves of the channel with banks and data bus of their own. command_buses: 2
    lets a row command and a column command start in one clock.
    """

    bus_bits: Size
    device_bits: Size
    burst_length: Size
    bank_groups: Size
    banks_per_group: Size
    rows: Size
    columns: Size
    pseudo_channels: Literal[1, 2]
    command_buses: Literal[1, 2]

    @model_validator(mode="after")
    def _powers_of_two(self) -> Self:
        for name in type(self).model_fields:
            value = getattr(self, name)
            if value & (value - 1):
                raise ValueError(f"{name} must be a power of two, not {value}")
        if self.bus_bits * self.burst_length < 8 or self.device_bits > self.bus_bits:
            raise ValueError(
                f"device_bits must be at most bus_bits ({self.bus_bits}), not {self.device_bits}"
            )
        if self.columns < self.burst_length:
            raise ValueError(
                f"columns must be at least burst_length ({self.burst_length}), not {self.columns}"
            )
        return self

    @property
    def granule_bytes(self) -> int:
        """Bytes of one burst."""
        return self.bus_bits * self.burst_length // 8

    @property
    def bursts_per_row(self) -> int:
        """Bursts in the row of a bank."""
        return self.columns // self.burst_length

    @property
    def devices(self) -> int:
        """Devices that work together as a rank."""
        return self.bus_bits // self.device_bits


class TimingClocks(Strict):
    """Timing parameters in clocks, by their usual names without the leading t.

    bl: clocks of a burst on the data bus; bl_max: those that its bank group is busy (absent: bl).
    rcd_rd, rcd_wr: ACT to RD, WR. rp_all: all-bank precharge. _s, _l: other and same bank group.
    w32: window of 32 activates. rtrs: bubble between ranks. rtw: bubble between read and write
    data. ppd: precharge to precharge. rfc, refi: all-bank refresh; rfc_pb, refi_pb: per-bank;
    pb_to_pb, pb_to_act, act_to_pb: per-bank refresh and commands to other banks. act_bus: clocks
    for which an ACT takes the row bus; act_late: clocks until it is complete. act2_within:
    activation in two steps, the second at most so much later. wck_post: the data clock stops so
    long after a burst.
    """

    bl: SomeClocks
    cl: SomeClocks
    cwl: SomeClocks
    rcd_rd: SomeClocks
    rcd_wr: SomeClocks
    rp: SomeClocks
    ras: SomeClocks
    rc: SomeClocks
    rrd_s: SomeClocks
    rrd_l: SomeClocks
    faw: SomeClocks
    ccd_s: SomeClocks
    ccd_l: SomeClocks
    wtr_s: Clocks
    wtr_l: Clocks
    rtp: SomeClocks
    wr: SomeClocks
    rtrs: Clocks
    rtw: Clocks
    rfc: SomeClocks
    refi: SomeClocks
    bl_max: SomeClocks | None = None
    rp_all: SomeClocks | None = None
    w32: SomeClocks | None = None
    ppd: Clocks | None = None
    rfc_pb: SomeClocks | None = None
    refi_pb: SomeClocks | None = None
    pb_to_pb: Clocks | None = None
    pb_to_act: Clocks | None = None
    act_to_pb: Clocks | None = None
    act_bus: SomeClocks | None = None
    act_late: Clocks | None = None
    act2_within: SomeClocks | None = None
    wck_post: Clocks | None = None

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        for name in ("rrd", "ccd", "wtr"):
            short, long = getattr(self, f"{name}_s"), getattr(self, f"{name}_l")
            if long < short:
                raise ValueError(f"{name}_l must be at least {name}_s ({short}), not {long}")
        for name, least in (("refi", self.rfc), ("refi_pb", self.rfc_pb)):
            value = getattr(self, name)
            if value is not None and least is not None and value < least and name == "refi":
                raise ValueError(f"{name} must be at least its refresh ({least}), not {value}")
        if (self.act2_within is None) != (self.wck_post is None):
            raise ValueError("act2_within and wck_post must be given together")
        return self


class Currents(Strict):
    """Supply voltage and currents of one device, by their names in data sheets."""

    vdd_v: Annotated[float, Field(gt=0, allow_inf_nan=False)]
    idd0_ma: Current
    idd2n_ma: Current
    idd3n_ma: Current
    idd4r_ma: Current
    idd4w_ma: Current
    idd5ab_ma: Current
    idd5pb_ma: Current | None = None


class DramStandard(Strict):
    """One part: a DRAM standard with speed grade and organisation."""

    name: Annotated[str, Field(min_length=1)]
    protocol: Literal["DDR3", "DDR4", "LPDDR3", "LPDDR4", "LPDDR5", "HBM2", "GDDR6"]
    description: Annotated[str, Field(min_length=1)]
    tck_ns: Annotated[float, Field(gt=0, le=1000, allow_inf_nan=False)]
    organisation: Organisation
    timing_clocks: TimingClocks
    currents: Currents | None = None


def standard_names() -> list[str]:
    """Names of the standards that come with tilesim, sorted."""
    return sorted(
        p.name.removesuffix(".yaml") for p in _STANDARDS.iterdir() if p.name[-5:] == ".yaml"
    )


@cache
def load_standard(name_or_path: str) -> DramStandard:
    """A standard by name, or from a file by path. Raises InputError."""
    if name_or_path.endswith((".yaml", ".yml")) or "/" in name_or_path:
        return parse_standard(read_text(Path(name_or_path)), name_or_path)
    names = standard_names()
    if name_or_path not in names:
        near = difflib.get_close_matches(name_or_path, names, n=1, cutoff=0.4)
        hint = f"did you mean {near[0]}? " if near else ""
        raise InputError(
            f"no DRAM standard is called {name_or_path!r}: {hint}standards are {', '.join(names)}; "
            "a file is given by its path"
        )
    text = (_STANDARDS / f"{name_or_path}.yaml").read_text(encoding="utf-8")
    return parse_standard(text, f"{name_or_path}.yaml")


def parse_standard(text: str, place: str) -> DramStandard:
    """The checked standard in a YAML text; errors name `place`. Raises InputError."""
    return build(DramStandard, without_sources(parse_yaml(text, place)), place)
