"""Networks by name or file: the zoo, ONNX models and SCALE-Sim topologies."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from simulator.workload.errors import WorkloadError, did_you_mean
from simulator.workload.graph import Workload
from simulator.workload.zoo import NETWORKS, network
from traces.errors import InputError


def load_network(
    spec: str,
    *,
    batch: int = 1,
    options: Mapping[str, int | str] | None = None,
    skip_unsupported: bool = False,
) -> Workload:
    """The workload that `spec` names: a network of the zoo, a .onnx file or a topology .csv.

    options: of a network of the zoo, its own (see `NETWORKS`); of an ONNX model, values of open
    dimensions. skip_unsupported: leave out nodes of an ONNX model that cannot be simulated.
    Raises: WorkloadError, one line, for whatever is wrong with it.
    """
    options = dict(options or {})
    suffix = Path(spec).suffix.lower()
    if spec in NETWORKS:
        return network(spec, batch=batch, **options)
    if suffix == ".onnx":
        from simulator.workload.onnx_import import load_onnx  # onnx is slow to import

        dims = {name: _number(spec, name, value) for name, value in options.items()}
        return load_onnx(spec, batch=batch, dims=dims, skip_unsupported=skip_unsupported)
    if suffix == ".csv":
        return _topology(spec, batch, options)
    hint = did_you_mean(spec, NETWORKS) if spec == Path(spec).name else ""
    raise WorkloadError(
        f"network must be one of the zoo, a .onnx file or a .csv topology, not {spec}{hint}"
    )


def _number(spec: str, name: str, value: int | str) -> int:
    if isinstance(value, str) and not value.isdigit():
        raise WorkloadError(f"{Path(spec).name}: {name} must be a positive int, not {value!r}")
    return int(value)


def _topology(spec: str, batch: int, options: Mapping[str, int | str]) -> Workload:
    from simulator.workload.scalesim_import import load_topology

    name = Path(spec).name
    if batch != 1:
        raise WorkloadError(f"{name}: batch of a topology must be 1, not {batch}")
    if options:
        raise WorkloadError(f"{name}: a topology must have no options, not {', '.join(options)}")
    return load_topology(spec)


def layer_range(text: str, names: list[str]) -> tuple[int, int]:
    """Numbers of the first and last layer of A:B; either may be left out. Raises InputError."""
    if text.count(":") != 1:
        raise InputError(f"--layers must be A:B, not {text!r}")
    first, last = text.split(":")
    low = _layer_number(first, names) if first else 0
    high = _layer_number(last, names) if last else len(names) - 1
    if high < low:
        raise InputError(f"--layers must run forwards, not from {first} to {last}")
    return low, high


def _layer_number(text: str, names: list[str]) -> int:
    if text in names:
        return names.index(text)
    if text.isdigit() and int(text) < len(names):
        return int(text)
    raise InputError(
        f"--layers must name a layer or a number below {len(names)}, not {text!r}; "
        f"the first layers are {', '.join(names[:3])}"
    )
