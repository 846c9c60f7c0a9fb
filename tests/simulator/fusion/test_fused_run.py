"""Networks compiled for several cores and run on the engine."""

import numpy as np
import pytest

from hw_models.chip_files import load_chip
from simulator.fusion.compile import FusionChoices, compile_fused
from simulator.fusion.granularity import Granularity
from simulator.fusion.run import run_fused, simulate_fused
from simulator.fusion.schedule_file import schedule_text, scheduled_choices
from simulator.program import COMPUTE, LOAD, SEND, STORE
from simulator.workload.source import load_network
from tests.simulator.fusion.networks import Net
from traces.errors import InputError
from validation.multicore.workloads import chip_workloads

CHIP = load_chip("stream_tpu_quad")
CHIPS = {"DepFiN": "depfin", "DIANA": "diana", "AiMC4x4": "aimc_4x4"}


def residual():
    """Two convolutions and a shortcut, 16 x 16 pixels."""
    net = Net()
    first = net.window(net.input(8, 16, 16), 16, (3, 3), pad=(1, 1))
    second = net.window(first, 16, (3, 3), pad=(1, 1))
    net.add(first, second)
    return net.build()


def line(**rest):
    return FusionChoices(granularity=Granularity.parse("line"), **rest)


def on_cores(workload, *cores):
    return {layer.name: (core,) for layer, core in zip(workload.layers, cores, strict=True)}


def test_alone_on_its_links_a_program_keeps_to_its_schedule():
    workload = residual()
    cores = on_cores(workload, "core0", "core1", "simd")
    done = simulate_fused(workload, load_chip("stream_4homo"), line(cores=cores))
    tasks, schedule = done.fused.compiled.program.tasks, done.fused.schedule
    computing = tasks["kind"] == COMPUTE
    assert sorted(done.run.start[computing]) == sorted(schedule.node_start)
    assert schedule.latency <= done.run.cycles <= schedule.latency + 8  # the last store's port


def test_every_transfer_of_the_schedule_is_a_task_with_its_bytes():
    workload = residual()
    fused = compile_fused(workload, CHIP, line(cores=on_cores(workload, "core0", "core1", "simd")))
    tasks, transfers = fused.compiled.program.tasks, fused.schedule.transfers
    moved = fused.graph.tensor_bytes[transfers["tensor"]]
    dram = len(CHIP.core_names)
    for kind, mine in (
        (LOAD, transfers["source"] == dram),
        (STORE, transfers["target"] == dram),
        (SEND, (transfers["source"] != dram) & (transfers["target"] != dram)),
    ):
        assert tasks["bytes"][tasks["kind"] == kind].sum() == moved[mine].sum()
        assert mine.any()


def test_eager_transfers_are_never_later():
    workload = residual()
    cores = on_cores(workload, "core0", "core1", "simd")
    planned = simulate_fused(workload, CHIP, line(cores=cores)).result.cycles
    assert simulate_fused(workload, CHIP, line(cores=cores, eager=True)).result.cycles <= planned


def test_causes_of_every_unit_add_up():
    done = simulate_fused(residual(), CHIP, line())
    for causes in done.result.units.values():
        assert sum(causes.values()) == done.result.cycles
    assert "noc.dram.queue" in done.result.units or len(done.result.units) > len(CHIP.core_names)


@pytest.mark.parametrize("chip", CHIPS)
def test_the_published_chips_run_as_scheduled(chip):
    placed, spec = chip_workloads()[chip], load_chip(CHIPS[chip])
    cores = {name: (spec.core_names[core],) for name, core in placed.cores.items()}
    granularity = Granularity.parse("line", placed.tiles)
    choices = FusionChoices(granularity, cores, policy="memory", links="fifo")
    done = simulate_fused(placed.workload, spec, choices)
    assert done.run.cycles == done.fused.schedule.latency
    peaks = np.array(list(done.result.peak_bytes.values()))
    assert (peaks <= done.fused.problem.pool_bytes).all()


@pytest.mark.parametrize("memory", ["ideal", "simple", "cycle"])
@pytest.mark.parametrize("overlap", ["full", "horizontal", "recompute"])
def test_each_overlap_runs_on_each_memory(memory, overlap):
    choices = FusionChoices(Granularity.parse("tile:4x8"), overlap=overlap)
    done = simulate_fused(residual(), CHIP, choices, memory=memory)
    executed = int(done.fused.compiled.program.tasks["macs"].sum())
    assert (executed == residual().macs) == (overlap == "full")


def test_a_layer_divided_over_cores_does_all_its_work():
    workload = residual()
    cores = on_cores(workload, "core0", "core1", "simd")
    cores[workload.layers[1].name] = ("core1", "core2", "core3")
    done = simulate_fused(workload, CHIP, line(cores=cores))
    tasks, plan = done.fused.compiled.program.tasks, done.fused.compiled.plan
    mine = (tasks["layer"] == 1) & (tasks["kind"] == COMPUTE)
    arrays = {plan.cores[core].pe_array for core in (1, 2, 3)}
    assert set(tasks["unit"][mine].tolist()) == arrays


def test_operands_that_do_not_fit_are_streamed():
    # 512 x 512 x 9 weights are more than a core's 1 MiB.
    net = Net()
    net.window(net.input(512, 4, 4), 512, (3, 3), pad=(1, 1))
    workload = net.build()
    layer = FusionChoices(Granularity.parse("layer"), on_cores(workload, "core0"))
    done = simulate_fused(workload, CHIP, layer)
    weights = workload.layers[0].weight_elements
    assert weights > 1 << 20
    assert done.result.dram_read_bytes >= weights
    assert done.run.cycles >= weights * 8 // 64


def test_a_schedule_file_gives_the_same_program(tmp_path):
    workload, file = residual(), tmp_path / "schedule.yaml"
    fused = compile_fused(workload, CHIP, line())
    file.write_text(schedule_text(fused))
    again = compile_fused(workload, CHIP, scheduled_choices(file, workload, CHIP))
    assert run_fused(again).run.cycles == run_fused(fused).run.cycles
    assert again.schedule.order.tolist() == fused.schedule.order.tolist()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("cores: {nothing: [core0]}", "cores.nothing is not a layer of residual"),
        ("order: [conv0 0]", r"order must have each of \d+ nodes once"),
        ("order: [conv0]", "order must have entries like 'conv1 0-3', not 'conv0'"),
        ("order: [conv0 0-16]", "order must name nodes 0 to 15 of conv0, not 0-16"),
    ],
)
def test_a_wrong_schedule_file_says_where(tmp_path, text, message):
    workload, file = residual(), tmp_path / "s.yaml"
    names = [layer.name for layer in workload.layers]
    text = text.replace("conv0", names[0])
    message = message.replace("conv0", names[0]).replace("residual", workload.name)
    file.write_text(text)
    with pytest.raises(InputError, match=rf"^{file}: {message}$"):
        scheduled_choices(file, workload, CHIP)


def test_a_layer_that_no_core_runs_is_named():
    chip = load_chip("aimc_4x4")
    with pytest.raises(
        InputError, match=r"^layer pool1 must fit a core of aimc_4x4: none of .* runs pool$"
    ):
        compile_fused(load_network("squeezenet1_1"), chip, line())


def test_a_core_that_does_not_run_a_layer_is_named():
    workload = residual()
    cores = on_cores(workload, "core0", "pooling", "simd")
    with pytest.raises(InputError, match=r"must be on a core that runs conv2d, not pooling$"):
        compile_fused(workload, CHIP, line(cores=cores))


def test_few_streamed_bytes_are_few_chunks():
    # 9 input bytes, streamed past a pool that has no room for them, in pieces that all move some.
    chip = load_chip("tpu_like")
    (core,) = chip.cores
    buffers = tuple(b.model_copy(update={"size_bytes": b.bytes_per_cycle}) for b in core.buffers)
    small = chip.model_copy(update={"cores": (core.model_copy(update={"buffers": buffers}),)})
    room = small.cores[0].buffer_of("input").size_bytes
    net = Net()
    net.window(net.input(1, 1, room + 1), 1)
    done = simulate_fused(net.build(), small, FusionChoices(Granularity.parse("layer")))
    tasks = done.fused.compiled.program.tasks
    moving = np.isin(tasks["kind"], (LOAD, STORE))
    assert (tasks["bytes"][moving] > 0).all()


def test_the_constraint_search_never_makes_a_longer_schedule_than_greedy():
    workload = load_network("squeezenet1_1")
    chip = load_chip("stream_4hetero")
    greedy, cp = (
        compile_fused(workload, chip, line(search=search, seconds=1.0)).schedule.latency
        for search in ("greedy", "cp")
    )
    assert cp <= greedy
