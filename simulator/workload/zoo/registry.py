"""The networks of the zoo by name, with the options that each takes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING

from simulator.workload.errors import WorkloadError, did_you_mean

if TYPE_CHECKING:
    from simulator.workload.graph import Workload

IMAGE = "3x224x224"


@dataclass(frozen=True, slots=True)
class Option:
    """A setting of a network.

    default: its value unless given. choices: the words that are allowed, for a word.
    most: the largest number that is allowed, for a number with a limit.
    """

    default: int | str
    choices: tuple[str, ...] = ()
    most: int | None = None

    def check(self, name: str, value: int | str) -> int | str:
        """The value, as the type that the option has.

        Raises: WorkloadError when it is not allowed.
        """
        if self.choices:
            if value not in self.choices:
                words = " or ".join(self.choices)
                raise WorkloadError(f"{name} must be {words}, not {value}")
            return value
        number = int(value) if isinstance(value, str) and value.isdigit() else value
        top = f" of at most {self.most}" if self.most else ""
        if isinstance(number, bool) or not isinstance(number, int) or number < 1:
            raise WorkloadError(f"{name} must be a positive int{top}, not {value}")
        if self.most and number > self.most:
            raise WorkloadError(f"{name} must be a positive int{top}, not {value}")
        return number


@dataclass(frozen=True, slots=True)
class NetworkInfo:
    """What is to know of a network before building it.

    description: one line. paper: where it is described. default_input: shape without the batch.
    options: what can be set. builder: module and function that build it.
    """

    name: str
    description: str
    paper: str
    default_input: str
    builder: str
    options: Mapping[str, Option] = field(default_factory=dict)


_SEQUENCE_BERT = {"sequence": Option(128, most=512)}
_GPT2 = {
    "sequence": Option(128, most=1024),
    "phase": Option("prefill", choices=("prefill", "decode")),
}
_FSRCNN = {"height": Option(540), "width": Option(960), "upscale": Option(2, most=4)}

_ROWS = (
    ("alexnet", "5 convolutions, 3 big fully connected layers", "1404.5997", IMAGE, "alexnet"),
    ("vgg16", "plain 3x3 convolutions, heavy on weights and MACs", "1409.1556", IMAGE, "vgg"),
    ("googlenet", "inception modules: 1x1, 3x3 and pooling in parallel", "1409.4842", IMAGE,
     "googlenet"),
    ("inception_v2", "batch norm, two 3x3 convolutions for each 5x5", "1502.03167", IMAGE,
     "inception_v2"),
    ("inception_v3", "factorised inception modules", "1512.00567", "3x299x299", "inception_v3"),
    ("resnet18", "residual basic blocks, 18 layers", "1512.03385", IMAGE, "resnet"),
    ("resnet34", "residual basic blocks, 34 layers", "1512.03385", IMAGE, "resnet"),
    ("resnet50", "residual bottlenecks, 50 layers (v1.5)", "1512.03385", IMAGE, "resnet"),
    ("resnet101", "residual bottlenecks, 101 layers (v1.5)", "1512.03385", IMAGE, "resnet"),
    ("resnet152", "residual bottlenecks, 152 layers (v1.5)", "1512.03385", IMAGE, "resnet"),
    ("squeezenet1_1", "fire modules, very few weights", "1602.07360", IMAGE, "squeezenet"),
    ("mobilenet_v1", "depthwise-separable convolutions", "1704.04861", IMAGE, "mobilenet"),
    ("mobilenet_v2", "inverted residuals", "1801.04381", IMAGE, "mobilenet"),
    ("mobilenet_v3_large", "searched inverted residuals, squeeze-and-excitation", "1905.02244",
     IMAGE, "mobilenet"),
    ("efficientnet_b0", "scaled inverted residuals, squeeze-and-excitation", "1905.11946", IMAGE,
     "efficientnet"),
    ("densenet121", "every layer reads all earlier ones of its block", "1608.06993", IMAGE,
     "densenet"),
    ("shufflenet_v2_x1_0", "split, filter and shuffle channels", "1807.11164", IMAGE,
     "shufflenet"),
    ("mnasnet1_0", "inverted residuals searched for a phone", "1807.11626", IMAGE, "mnasnet"),
    ("regnet_y_400mf", "group convolutions, squeeze-and-excitation", "2003.13678", IMAGE,
     "regnet"),
    ("convnext_tiny", "7x7 depthwise convolutions, layer norm, GELU", "2201.03545", IMAGE,
     "convnext"),
    ("fsrcnn", "super-resolution of large maps with few weights", "1608.00367", "1x540x960",
     "fsrcnn", _FSRCNN),
    ("bert_base", "transformer encoder of text", "1810.04805", "128 tokens", "bert",
     _SEQUENCE_BERT),
    ("vit_b_16", "transformer over 16x16 patches", "2010.11929", IMAGE, "vit"),
    ("swin_t", "transformer inside shifted windows", "2103.14030", IMAGE, "swin"),
    ("gpt2", "transformer decoder of text, prefill or decode", "Radford et al. 2019",
     "128 tokens", "gpt2", _GPT2),
)  # fmt: skip


def _info(
    name: str,
    description: str,
    paper: str,
    shape: str,
    module: str,
    options: Mapping[str, Option] | None = None,
) -> NetworkInfo:
    reference = f"arXiv {paper}" if paper[0].isdigit() else paper
    builder = f"{module}:{name}"
    return NetworkInfo(name, description, reference, shape, builder, options or {})


NETWORKS: dict[str, NetworkInfo] = {row[0]: _info(*row) for row in _ROWS}
"""All networks of the zoo."""


def network(name: str, *, batch: int = 1, **options: int | str) -> Workload:
    """A network of the zoo, built and imported like any user's model.

    Raises: WorkloadError for an unknown name or option, or a value that is not allowed.
    """
    info = NETWORKS.get(name)
    if info is None:
        raise WorkloadError(
            f"network must be one of the zoo, not {name}{did_you_mean(name, NETWORKS)}"
        )
    values = _checked_options(info, options)
    Option(1).check(f"{name}: batch", batch)
    module, function = info.builder.split(":")
    build = getattr(import_module(f"simulator.workload.zoo.{module}"), function)
    from simulator.workload.onnx_import import load_onnx  # onnx only once a network is built

    return load_onnx(build(batch, **values))


def _checked_options(info: NetworkInfo, given: Mapping[str, int | str]) -> dict[str, int | str]:
    for name in given:
        if name not in info.options:
            hint = did_you_mean(name, info.options)
            raise WorkloadError(f"{info.name}: option must be one that it takes, not {name}{hint}")
    return {
        name: option.check(f"{info.name}: {name}", given.get(name, option.default))
        for name, option in info.options.items()
    }
