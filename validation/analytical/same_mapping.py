"""A mapped nest on a simulated chip: what ZigZag's mapping of a layer takes in tilesim.

The chip has the array of the nest's unrolling and, for each operand, the memory below DRAM; smaller
memories inside are left out. Loops above the lowest boundary to DRAM cut tiles; an operand that
stays longer keeps several tiles. Clock, DRAM and network are those of the preset tpu_like: 8 bytes
a cycle, as ZigZag's accelerators have. Filter taps can't be cut.
"""

from __future__ import annotations

from math import ceil, prod

from hw_models.chip_files import load_chip
from hw_models.nest.hierarchy import RELEVANT, Loop, Machine, Nest
from hw_models.nest.transfers import operand_flow
from hw_models.pe_array.spatial import SpatialSpec, UnrollSpec
from hw_models.spec import BufferSpec, ChipSpec, Operand
from hw_models.yaml_file import InputError
from simulator.mapping.mapping import LayerMappingSpec
from simulator.mapping.streams import TILED_LOOPS
from simulator.result import LayerResult
from simulator.run import simulate
from simulator.workload.graph import Layer, LayerOp, LoopDims, Tensor, Workload
from simulator.workload.graph import Operand as LayerOperand

STREAMS: dict[str, str] = {"I": "input", "W": "weight", "O": "psum"}
HOLDS: dict[str, tuple[Operand, ...]] = {
    "I": ("input",),
    "W": ("weight",),
    "O": ("psum", "output"),
}
BANK_BYTES = 16
PIPELINE_CYCLES, STRIPE_CYCLES = 4, 64
"""Of an array whose pipeline ZigZag doesn't describe: short, and long enough to hide weights."""


def simulated_layer(nest: Nest, machine: Machine, memory: str) -> LayerResult:
    """Simulate a nest. Raises InputError for a mapping that tilesim can't be given."""
    chip, workload = chip_of(nest, machine), workload_of(nest)
    mapping = mapping_of(nest)
    done = simulate(workload, chip, mappings={workload.layers[0].name: mapping}, memory=memory)
    return done.result.layers[0]


def chip_of(nest: Nest, machine: Machine) -> ChipSpec:
    """The chip that a nest describes."""
    base = load_chip("tpu_like")
    unroll = {loop.lower(): ceil(n) for loops in nest.spatial["O"] for loop, n in loops}
    array = SpatialSpec(
        kind="spatial",
        unroll=UnrollSpec(**unroll),
        pipeline_cycles=PIPELINE_CYCLES,
        stripe_cycles=STRIPE_CYCLES,
        weight_load_cycles=1,
        batch_in_stripe=False,
    )
    homes: dict[str, list[str]] = {}
    for operand in HOLDS:
        homes.setdefault(machine.levels(operand)[-2].name, []).append(operand)
    buffers = tuple(_buffer(nest, machine, operands) for operands in homes.values())
    core = base.cores[0].model_copy(update={"pe_array": array, "buffers": buffers})
    return base.model_copy(update={"cores": (core,)})


def _buffer(nest: Nest, machine: Machine, operands: list[str]) -> BufferSpec:
    memory, flow = machine.levels(operands[0])[-2], operand_flow(nest, operands[0])
    copies = flow.units[-2]
    width = int(max(port.bits for port in memory.ports)) // 8 * copies
    banks = 1 << max(0, (width // BANK_BYTES).bit_length() - 1)
    step = banks * BANK_BYTES
    return BufferSpec(
        name=memory.name,
        holds=tuple(held for operand in operands for held in HOLDS[operand]),
        size_bytes=max(step, memory.size_bits // 8 * copies // step * step),
        banks=banks,
        width_bytes=BANK_BYTES,
        ports="1r1w",
        slots=1,
    )


def workload_of(nest: Nest) -> Workload:
    """The layer of a nest, without padding, as a network."""
    d = {loop.lower(): n for loop, n in nest.sizes.items()}
    rows = (d["oy"] - 1) * nest.stride + d["fy"]
    columns = (d["ox"] - 1) * nest.stride + d["fx"]
    dims = LoopDims(**d, iy=rows, ix=columns, stride_y=nest.stride, stride_x=nest.stride)
    weight = LayerOperand("w", ("g", "k", "c", "fy", "fx"))
    layer = Layer("layer", LayerOp.CONV2D, dims, (LayerOperand("a"),), "out", weight=weight)
    tensors = [
        Tensor("a", dims.b * dims.g * dims.c * rows * columns),
        Tensor("w", layer.weight_elements, parameter=True),
        Tensor("out", layer.output_elements),
    ]
    return Workload("nest", {t.name: t for t in tensors}, (layer,), ("a",), ("out",))


def mapping_of(nest: Nest) -> LayerMappingSpec:
    """Tile, order and slots of a nest. Raises InputError where filter taps are cut."""
    loops = [loop for level in nest.temporal["O"] for loop in level]
    inside = {o: sum(len(level) for level in nest.temporal[o][:-1]) for o in STREAMS}
    lowest = min(inside.values())
    cut = loops[lowest:]
    if any(loop.startswith("F") for loop, _ in cut):
        raise InputError("filter taps are cut, which tilesim does not")
    sizes, tile = {loop.lower(): n for loop, n in nest.sizes.items()}, {}
    for loop in TILED_LOOPS:
        tile[loop] = ceil(sizes.get(loop, 1) / prod(n for name, n in cut if name.lower() == loop))
    order = list(dict.fromkeys(name.lower() for name, _ in reversed(cut)))
    slots = {STREAMS[o]: _slots(o, loops[lowest:n], cut) for o, n in inside.items()}
    return LayerMappingSpec(tile=tile, order=tuple(order), slots=slots)


def _slots(operand: str, kept: list[Loop], cut: list[Loop]) -> int:
    """Tiles of an operand side by side: those of the loops that it stays for, and the next one."""
    places = RELEVANT[operand] | ({"OY", "OX"} if operand == "I" else set())
    stay, every = (prod(int(n) for loop, n in some if loop in places) for some in (kept, cut))
    return min(stay + 1, every)
