"""SCALE-Sim configuration files: array, buffers, dataflow and bandwidths of a run."""

from __future__ import annotations

from collections.abc import Callable
from configparser import ConfigParser, Error
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from simulator.workload.errors import WorkloadError

SECTIONS = ("general", "architecture_presets", "layout", "sparsity", "run_presets")
DATAFLOWS = ("os", "ws", "is")
MODES = ("CALC", "USER")


@dataclass(frozen=True, slots=True)
class ScaleSimConfig:
    """One configuration. Offsets are in words, bandwidths in words per cycle, memories in KiB.

    bandwidths: the list of the key Bandwidth. In version 3 its first number is the bandwidth of
    output writes, and reads use the bank bandwidths of the [layout] section; in version 2 the
    first number served all three streams, which is what the bank bandwidths default to.
    mode: CALC (memories never stall the array) or USER (bandwidths are limits).
    """

    run_name: str
    array_rows: int
    array_columns: int
    ifmap_sram_kib: int
    filter_sram_kib: int
    ofmap_sram_kib: int
    ifmap_offset: int
    filter_offset: int
    ofmap_offset: int
    dataflow: str
    bandwidths: tuple[int, ...]
    read_request_buffer: int
    write_request_buffer: int
    ifmap_custom_layout: bool
    ifmap_bank_bandwidth: int
    ifmap_banks: int
    ifmap_bank_ports: int
    filter_custom_layout: bool
    filter_bank_bandwidth: int
    filter_banks: int
    filter_bank_ports: int
    sparsity_support: bool
    sparse_representation: str
    optimized_mapping: bool
    block_size: int
    random_seed: int
    topology: str
    mode: str
    use_ramulator_trace: bool

    @property
    def ofmap_bandwidth(self) -> int:
        """Words per cycle that output writes may take in USER mode."""
        return self.bandwidths[0]


@dataclass(frozen=True, slots=True)
class _Key:
    """Where a field is found and how it is read; without a default it must be there."""

    section: str
    name: str
    read: Callable[[str, str], Any]
    default: Any = None


def _natural(least: int) -> Callable[[str, str], int]:
    def read(name: str, text: str) -> int:
        if not text.isascii() or not text.isdigit() or int(text) < least:
            raise WorkloadError(f"{name} must be an int of at least {least}, not {text!r}")
        return int(text)

    return read


def _flag(name: str, text: str) -> bool:
    if text.lower() not in ("true", "false"):
        raise WorkloadError(f"{name} must be True or False, not {text!r}")
    return text.lower() == "true"


def _word(*allowed: str) -> Callable[[str, str], str]:
    def read(name: str, text: str) -> str:
        if allowed and text not in allowed:
            raise WorkloadError(f"{name} must be one of {', '.join(allowed)}, not {text!r}")
        return text

    return read


def _numbers(name: str, text: str) -> tuple[int, ...]:
    return tuple(_natural(1)(name, part.strip()) for part in text.split(",") if part.strip())


_ARRAY, _LAYOUT, _SPARSITY, _RUN = SECTIONS[1:]
_KEYS = {
    "run_name": _Key("general", "run_name", _word()),
    "array_rows": _Key(_ARRAY, "ArrayHeight", _natural(1)),
    "array_columns": _Key(_ARRAY, "ArrayWidth", _natural(1)),
    "ifmap_sram_kib": _Key(_ARRAY, "IfmapSramSzkB", _natural(1)),
    "filter_sram_kib": _Key(_ARRAY, "FilterSramSzkB", _natural(1)),
    "ofmap_sram_kib": _Key(_ARRAY, "OfmapSramSzkB", _natural(1)),
    "ifmap_offset": _Key(_ARRAY, "IfmapOffset", _natural(0)),
    "filter_offset": _Key(_ARRAY, "FilterOffset", _natural(0)),
    "ofmap_offset": _Key(_ARRAY, "OfmapOffset", _natural(0)),
    "dataflow": _Key(_ARRAY, "Dataflow", _word(*DATAFLOWS)),
    "bandwidths": _Key(_ARRAY, "Bandwidth", _numbers, ()),
    "read_request_buffer": _Key(_ARRAY, "ReadRequestBuffer", _natural(1), 100),
    "write_request_buffer": _Key(_ARRAY, "WriteRequestBuffer", _natural(1), 100),
    "ifmap_custom_layout": _Key(_LAYOUT, "IfmapCustomLayout", _flag, False),
    "ifmap_bank_bandwidth": _Key(_LAYOUT, "IfmapSRAMBankBandwidth", _natural(1), 0),
    "ifmap_banks": _Key(_LAYOUT, "IfmapSRAMBankNum", _natural(1), 1),
    "ifmap_bank_ports": _Key(_LAYOUT, "IfmapSRAMBankPort", _natural(1), 2),
    "filter_custom_layout": _Key(_LAYOUT, "FilterCustomLayout", _flag, False),
    "filter_bank_bandwidth": _Key(_LAYOUT, "FilterSRAMBankBandwidth", _natural(1), 0),
    "filter_banks": _Key(_LAYOUT, "FilterSRAMBankNum", _natural(1), 1),
    "filter_bank_ports": _Key(_LAYOUT, "FilterSRAMBankPort", _natural(1), 2),
    "sparsity_support": _Key(_SPARSITY, "SparsitySupport", _flag, False),
    "sparse_representation": _Key(
        _SPARSITY, "SparseRep", _word("csr", "csc", "ellpack_block"), "ellpack_block"
    ),
    "optimized_mapping": _Key(_SPARSITY, "OptimizedMapping", _flag, False),
    "block_size": _Key(_SPARSITY, "BlockSize", _natural(1), 1),
    "random_seed": _Key(_SPARSITY, "RandomNumberGeneratorSeed", _natural(0), 0),
    "topology": _Key("network_presets", "TopologyCsvLoc", _word(), ""),
    "mode": _Key(_RUN, "InterfaceBandwidth", _word(*MODES)),
    "use_ramulator_trace": _Key(_RUN, "UseRamulatorTrace", _flag, False),
}
"""The keys of version 3. Keys that SCALE-Sim ignores (MemoryBanks, ...) are ignored here too."""


def load_config(path: str | Path) -> ScaleSimConfig:
    """The configuration in a file of version 2 or 3; what version 2 lacks takes its meaning.

    Raises: WorkloadError, file name first, for a missing key or a value that is not allowed.
    """
    name = Path(path).name
    parser = _parse(Path(path))
    try:
        values = {field: _value(parser, key) for field, key in _KEYS.items()}
        return ScaleSimConfig(**_with_bank_defaults(values))
    except WorkloadError as error:
        raise WorkloadError(f"{name}: {error}") from error


def _parse(path: Path) -> ConfigParser:
    parser = ConfigParser(interpolation=None)
    try:
        parser.read_string(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise WorkloadError(f"{path.name}: file must be readable: {error.strerror}") from error
    except (Error, UnicodeDecodeError) as error:
        text = " ".join(str(error).replace("<string>", "").split())
        raise WorkloadError(f"{path.name}: file must be INI text: {text}") from error
    return parser


def _value(parser: ConfigParser, key: _Key) -> Any:
    text = parser.get(key.section, key.name, fallback=None)
    if text is None and key.section == "network_presets":
        text = parser.get(_ARRAY, key.name, fallback=None)  # where version 3 looks for it
    if text is not None:
        return key.read(key.name, text.strip())
    if key.default is None:
        raise WorkloadError(f"section [{key.section}] must have the key {key.name}")
    return key.default


def _with_bank_defaults(values: dict[str, Any]) -> dict[str, Any]:
    """Fills in bandwidths that older files leave to the key Bandwidth, and checks the banks."""
    if not values["bandwidths"] and values["mode"] == "USER":
        raise WorkloadError(f"section [{_ARRAY}] must have the key Bandwidth in USER mode")
    shared = values["bandwidths"][0] if values["bandwidths"] else 0
    for stream in ("ifmap", "filter"):
        bandwidth, banks = f"{stream}_bank_bandwidth", values[f"{stream}_banks"]
        values[bandwidth] = values[bandwidth] or shared or banks
        if values[bandwidth] % banks:
            name = _KEYS[bandwidth].name
            raise WorkloadError(
                f"{name} must be divisible by the {banks} banks, not {values[bandwidth]}"
            )
    return values
