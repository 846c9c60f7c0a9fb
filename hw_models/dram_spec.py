"""External memory as a chip file describes it: a standard, or only latency and bandwidth."""

from __future__ import annotations

from fractions import Fraction
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from hw_models.clock import exact, few_digits
from hw_models.dram.standard import DramStandard, load_standard
from hw_models.dram.system import DramSystem, dram_peak_bytes_per_clock
from hw_models.yaml_file import InputError, Strict

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Exact = Annotated[float, Field(le=1e6, allow_inf_nan=False), AfterValidator(few_digits)]
PLAIN_KEYS = ("bandwidth_gb_per_s", "latency_ns", "granule_bytes", "capacity_mib")


class DramSpec(Strict):
    """External memory of a chip.

    standard: a table of hw_models/dram/standards by name, or a file by path; without one the memory
    is no more than latency and bandwidth in every model. channels, ranks: how many of it; all
    channels are interleaved as the address map says. controller, page_policy, address_map,
    channel_hash: see hw_models/dram.

    bandwidth_gb_per_s: of the interface to one channel, 1 GB = 1e9 bytes; the standard's peak if
    not given. latency_ns: from request to first data of an unloaded memory, controller included;
    what the standard takes if not given. granule_bytes: what one access moves at least over the
    interface; a burst if not given. capacity_mib: of all channels; the standard's if not given.
    pj_per_bit: energy of an access.
    """

    standard: Annotated[str, Field(min_length=1)] | None = None
    channels: Annotated[int, Field(ge=1, le=1024)]
    ranks: Annotated[int, Field(ge=1, le=64)] = 1
    controller: Literal["bank_queues", "active_list", "active_list_hits"] = "active_list"
    page_policy: Literal["open", "closed"] = "open"
    refresh: Literal["all_bank", "per_bank"] = "all_bank"
    address_map: Annotated[str, Field(min_length=1)] = "ro-ba-co-ra-bg-ch"
    channel_hash: Literal["none", "ipoly"] = "none"
    bandwidth_gb_per_s: Annotated[Exact, Field(gt=0)] | None = None
    latency_ns: Annotated[Exact, Field(ge=0)] | None = None
    granule_bytes: Annotated[int, Field(ge=1, le=1 << 20)] | None = None
    capacity_mib: Annotated[int, Field(ge=1, le=1 << 24)] | None = None
    pj_per_bit: Positive

    @model_validator(mode="after")
    def _complete_and_consistent(self) -> Self:
        if self.standard is None:
            for key in PLAIN_KEYS:
                if getattr(self, key) is None:
                    raise ValueError(f"{key} must be given for a memory without standard")
            return self
        try:
            table = load_standard(self.standard)
        except InputError as error:
            raise ValueError(f"standard: {error}") from error
        try:
            system = self.system
        except InputError as error:
            raise ValueError(str(error)) from error
        assert system is not None
        size_mib = system.capacity_bytes >> 20
        self._check("bandwidth_gb_per_s", "at most", standard_gb_per_s(table))
        self._check("latency_ns", "at least", standard_latency_ns(table))
        self._check("granule_bytes", "at most", Fraction(table.organisation.granule_bytes))
        self._check("capacity_mib", "at most", Fraction(size_mib))
        return self

    def _check(self, key: str, rule: str, bound: Fraction) -> None:
        value = getattr(self, key)
        if value is None:
            return
        if (exact(value) > bound) if rule == "at most" else (exact(value) < bound):
            number = f"{float(bound):.5g}" if bound.denominator > 1 else str(bound)
            raise ValueError(
                f"{key} must be {rule} that of {self.standard} ({number}), not {value:g}"
            )

    @property
    def table(self) -> DramStandard | None:
        """The standard's data."""
        return load_standard(self.standard) if self.standard is not None else None

    @property
    def system(self) -> DramSystem | None:
        """The standard under its controller. Raises InputError for what doesn't fit together."""
        if self.table is None:
            return None
        return DramSystem(
            self.table,
            controller=self.controller,
            page_policy=self.page_policy,
            refresh=self.refresh,
            address_map=self.address_map,
            channels=self.channels,
            ranks=self.ranks,
            channel_hash=self.channel_hash,
        )

    @property
    def channel_gb_per_s(self) -> Fraction:
        """Peak of one channel and of the interface to it."""
        if self.bandwidth_gb_per_s is not None:
            return exact(self.bandwidth_gb_per_s)
        assert self.table is not None
        return standard_gb_per_s(self.table)

    @property
    def access_latency_ns(self) -> Fraction:
        """From request to first data of an unloaded memory."""
        if self.latency_ns is not None:
            return exact(self.latency_ns)
        assert self.table is not None
        return standard_latency_ns(self.table)

    @property
    def access_bytes(self) -> int:
        """Bytes that one access moves at least."""
        if self.granule_bytes is not None:
            return self.granule_bytes
        assert self.table is not None
        return self.table.organisation.granule_bytes

    @property
    def capacity_bytes(self) -> int:
        """Bytes of all channels."""
        if self.capacity_mib is not None:
            return self.capacity_mib << 20
        assert self.system is not None
        return self.system.capacity_bytes


def standard_gb_per_s(table: DramStandard) -> Fraction:
    """Peak of a channel, 1 GB = 1e9 bytes."""
    return dram_peak_bytes_per_clock(table, 1) / exact(table.tck_ns)


def standard_latency_ns(table: DramStandard) -> Fraction:
    """From activating a row until the first burst begins to arrive."""
    clocks = table.timing_clocks
    return (clocks.rcd_rd + clocks.cl) * exact(table.tck_ns)
