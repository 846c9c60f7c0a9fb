"""Address maps: which bits of a byte address choose channel, rank, bank group, bank, row, column.

A map is written from the most significant field down: `ro-ra-bg-ba-ch-co`, the same without dashes,
or `RoBaRaCoCh`, where Ba stands for bank and bank group. A field is (address >> shift) & mask; bits
above the uppermost field are ignored. Sources: DRAMsim3 src/configuration.cc, Ramulator 2.1
src/ramulator/controller/addr_mapper, ONNXim src/Hashing.cc.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from hw_models.yaml_file import InputError

FIELDS = ("ro", "ra", "bg", "ba", "ch", "co")
"""Row, rank or pseudo channel, bank group, bank, channel, burst within the row."""

CHANNEL_HASHES: Mapping[str, Mapping[int, tuple[tuple[int, ...], ...]]] = {
    "ipoly": {
        4: (
            (0, 3, 4, 6, 8, 9, 10, 11),
            (0, 1, 3, 5, 6, 7, 8, 12),
            (1, 2, 4, 6, 7, 8, 9),
            (2, 3, 5, 7, 8, 9, 10),
        ),
        5: (
            (0, 3, 5, 6, 9, 10, 11, 12, 13),
            (1, 4, 6, 7, 10, 11, 12, 13, 14),
            (0, 2, 3, 6, 7, 8, 9, 10, 14),
            (1, 3, 4, 7, 8, 9, 10, 11),
            (2, 4, 5, 8, 9, 10, 11, 12),
        ),
        6: (
            (0, 5, 6, 10, 12, 15, 16, 17, 18),
            (0, 1, 5, 7, 10, 11, 12, 13, 15),
            (1, 2, 6, 8, 11, 12, 13, 14, 16),
            (2, 3, 7, 9, 12, 13, 14, 15, 17),
            (3, 4, 8, 10, 13, 14, 15, 16, 18),
            (4, 5, 9, 11, 14, 15, 16, 17),
        ),
    },
}
"""Name -> bits of a channel number -> for each of them, from the lowest, the bits of the granule
number whose parity it is. Source: irreducible polynomials 5, 37, 67 of Rau, ISCA 1991, as in ONNXim
src/Hashing.cc; fewer channels take the low bits of 16."""


@dataclass(frozen=True, slots=True)
class Field:
    """Bits of an address: (address >> shift) & (size - 1)."""

    shift: int
    size: int

    @property
    def mask(self) -> int:
        """What is left of the shifted address."""
        return self.size - 1

    def of(self, address: int) -> int:
        """The value of the field in an address."""
        return address >> self.shift & self.mask


@dataclass(frozen=True, slots=True)
class AddressMap:
    """The fields of a map, by their names in FIELDS.

    channel_parity: masks of the address, of which each one's parity is a bit of the channel number,
    from the lowest on; empty where the channel is the plain field.
    """

    fields: Mapping[str, Field]
    granule_bytes: int
    channel_parity: tuple[int, ...] = ()

    @property
    def capacity_bytes(self) -> int:
        """Bytes that the map tells apart."""
        size = self.granule_bytes
        for field in self.fields.values():
            size *= field.size
        return size

    def channel(self, address: int) -> int:
        """The channel of an address."""
        if not self.channel_parity:
            return self.fields["ch"].of(address)
        return sum(
            (address & m).bit_count() % 2 << bit for bit, m in enumerate(self.channel_parity)
        )


def parse_address_map(
    text: str, sizes: Mapping[str, int], granule_bytes: int, channel_hash: str = "none"
) -> AddressMap:
    """The map that `text` describes. sizes: of each field of FIELDS.

    Raises InputError for a field that is missing, unknown or there twice, a size that is not a
    power of two, and a hash that is unknown or not there for so many channels.
    """
    order = _order(text)
    for name in FIELDS:
        size = sizes[name]
        if size < 1 or size & (size - 1):
            raise InputError(f"address_map: the size of {name} must be a power of two, not {size}")
    fields, shift = {}, granule_bytes.bit_length() - 1
    for name in reversed(order):
        fields[name] = Field(shift, sizes[name])
        shift += sizes[name].bit_length() - 1
    parity = _parity(channel_hash, sizes["ch"], granule_bytes)
    return AddressMap({name: fields[name] for name in FIELDS}, granule_bytes, parity)


def _order(text: str) -> list[str]:
    """Names of the fields from the most significant down."""
    plain = text.replace("-", "").lower()
    order = [plain[i : i + 2] for i in range(0, len(plain), 2)]
    if text[:1].isupper() and "bg" not in order and "ba" in order:
        order.insert(order.index("ba") + 1, "bg")
    unknown = [name for name in order if name not in FIELDS]
    if unknown:
        raise InputError(
            f"address_map must be made of {', '.join(FIELDS)}, not {text!r} ({unknown[0]!r})"
        )
    for name in FIELDS:
        if order.count(name) != 1:
            problem = "is missing" if name not in order else "is there twice"
            raise InputError(
                f"address_map must have each of {', '.join(FIELDS)} once, not {text!r} "
                f"({name} {problem})"
            )
    return order


def _parity(name: str, channels: int, granule_bytes: int) -> tuple[int, ...]:
    if name == "none" or channels == 1:
        return ()
    if name not in CHANNEL_HASHES:
        known = ", ".join(("none", *CHANNEL_HASHES))
        raise InputError(f"channel_hash must be one of {known}, not {name!r}")
    tables, bits = CHANNEL_HASHES[name], channels.bit_length() - 1
    if bits > max(tables):
        raise InputError(
            f"channel_hash {name} must have at most {1 << max(tables)} channels, not {channels}"
        )
    rows = tables[max(bits, min(tables))][:bits]
    shift = granule_bytes.bit_length() - 1
    return tuple(sum(1 << bit + shift for bit in row) for row in rows)
