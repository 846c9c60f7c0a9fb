"""Whole programs on the engine: laws that hold for every network, and what a stuck run says."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hw_models.floorplan import floorplan
from hw_models.spec import OPERANDS
from simulator.allocation.shares import split
from simulator.engine.conservation import ConservationError, check_beats, check_slots, check_work
from simulator.engine.deadlock import DeadlockError
from simulator.engine.engine import Engine, words_of
from simulator.lowering.addresses import dram_addresses
from simulator.lowering.lower import lower
from simulator.mapping.mapping import LayerMappingSpec
from simulator.program import COMPUTE, DATA, LOAD, STORE, TileProgram
from simulator.run import simulate
from tests.simulator.networks import SYSTOLIC, NetworkBuilder, chip, residual_network
from tests.simulator.test_addresses import bytes_of
from traces.recorder import Recorder
from traces.run_folder import read_table
from traces.schema import CAUSES

PSUM, OUTPUT = OPERANDS.index("psum"), OPERANDS.index("output")

ARRAYS = {
    "ws": SYSTOLIC,
    "os": {**SYSTOLIC, "dataflow": "os", "fold_overlap": "double_buffered"},
    "is": {**SYSTOLIC, "dataflow": "is"},
    "spatial": {
        "kind": "spatial",
        "unroll": {"k": 4, "c": 8},
        "pipeline_cycles": 3,
        "stripe_cycles": 8,
        "weight_load_cycles": 4,
        "batch_in_stripe": False,
    },
    "row_stationary": {
        "kind": "row_stationary",
        "rows": 6,
        "cols": 7,
        "ifmap_spad_words": 12,
        "filter_spad_words": 64,
        "psum_spad_words": 16,
        "ifmap_words_per_cycle": 1,
        "filter_words_per_cycle": 4,
        "psum_words_per_cycle": 4,
        "psum_add_cycles": 1,
        "pipeline_cycles": 4,
    },
}


@pytest.mark.parametrize("array", sorted(ARRAYS))
@pytest.mark.parametrize("unified", [True, False])
def test_a_network_runs_on_every_type_of_array(array, unified):
    workload = residual_network()
    done = simulate(workload, chip(ARRAYS[array], unified=unified))
    assert_laws(workload, done)


def test_tiles_of_a_double_buffered_array_follow_one_another_as_folds_do():
    """Rule SYS-10: nine folds of one channel tile each take no longer than all in one tile."""
    rows, columns, m, folds = 8, 8, 25, 9
    spec = chip({**SYSTOLIC, "fold_overlap": "double_buffered"}, on_chip=1 << 16, weights=1 << 14)
    builder = NetworkBuilder()
    builder.conv(builder.input(folds * rows, 1, m), columns)
    workload = builder.build()
    given = {"conv0": LayerMappingSpec(tile={"c": rows})}
    done = simulate(workload, spec, mappings=given, memory="ideal")
    tasks = done.lowered.program.tasks
    array_tasks = done.lowered.program.tasks_of(done.lowered.plan.cores[0].pe_array)
    assert len(array_tasks) == folds
    one_fold = rows + m + rows + columns - 2
    assert tasks["cycles"][array_tasks].tolist() == [one_fold] * folds
    assert done.run.end[array_tasks[-1]] == one_fold + (folds - 1) * max(m, rows)


def test_slots_that_no_tile_takes_keep_those_who_were_there_before():
    """More slots than tiles in the second layer: the third waits for the first, too (PROG-4)."""
    network = NetworkBuilder()
    x = network.input(8, 12, 12)
    for k in (64, 8, 64):
        x = network.conv(x, k)
    workload = network.build()
    given = {
        name: LayerMappingSpec(tile={"k": 8, "oy": rows}, slots={"weight": 8})
        for name, rows in (("conv0", 1), ("conv1", 12), ("conv2", 1))
    }
    done = simulate(workload, chip(on_chip=1 << 14, weights=1 << 13), mappings=given)
    assert_laws(workload, done)


def assert_laws(workload, done):
    """What holds for every run, checked from the outside."""
    program, run, result = done.lowered.program, done.run, done.result
    # every unit has a cause for every cycle
    assert {sum(causes.values()) for causes in result.units.values()} == {run.cycles}
    # the layers' cycles are all cycles, each with a cause
    assert sum(layer.cycles for layer in result.layers) == run.cycles
    assert all(sum(layer.causes.values()) == layer.cycles for layer in result.layers)
    # a task starts when its predecessors have ended, and takes at least its cycles, less what it
    # could begin of them before the task before it on its unit ended
    src, dst = program.edges["src"], program.edges["dst"]
    assert (run.start[dst] >= run.end[src]).all()
    early = np.zeros_like(run.start)
    for unit in done.lowered.plan.compute_units:
        mine = program.tasks_of(unit)
        follows = mine[1:][run.start[mine][1:] == run.end[mine][:-1]]
        ready_for = run.start[follows] - run.ready[follows]
        early[follows] = np.minimum(program.tasks["overlap_cycles"][follows], ready_for)
    assert (run.end - run.start >= program.tasks["cycles"] - early).all()
    # a PE array or vector unit does one task at a time, in order
    for unit in done.lowered.plan.compute_units:
        mine = program.tasks_of(unit)
        assert (run.start[mine][1:] >= run.end[mine][:-1]).all()
    # every output element is stored once, unless the map stays on the chip
    stored = program.tasks["kind"] == STORE
    final = stored & (program.tasks["operand"] == OUTPUT)
    elements = np.bincount(
        program.tasks["layer"][final], program.tasks["bytes"][final], len(workload.layers)
    )
    for i, layer in enumerate(workload.layers):
        stays = layer.output in done.lowered.stays
        assert elements[i] == (0 if stays else layer.output_elements)
    assert_data_is_there(workload, done)


def assert_data_is_there(workload, done):
    """No byte of a feature map is read from DRAM before the store that made it has ended."""
    program, run = done.lowered.program, done.run
    columns, written = program.tasks, {}
    for task in np.flatnonzero(
        (columns["kind"] == STORE) & (columns["operand"] == OUTPUT)
    ).tolist():
        for byte in bytes_of(columns, task):
            assert byte not in written
            written[byte] = int(run.end[task])
    at = dram_addresses(workload, done.lowered.plan.chip)
    made = [
        (at[layer.output], at[layer.output] + layer.output_elements) for layer in workload.layers
    ]
    loads = (columns["kind"] == LOAD) & (columns["operand"] != PSUM)
    for task in np.flatnonzero(loads).tolist():
        if any(low <= columns["address"][task] < high for low, high in made):
            for byte in bytes_of(columns, task):
                assert written[byte] <= run.start[task]


@st.composite
def networks(draw):
    """A random chain with branches of all kinds of layers, small enough to run in milliseconds."""
    n = NetworkBuilder()
    batch = draw(st.integers(1, 2))
    maps = [
        n.input(draw(st.integers(1, 9)), draw(st.integers(4, 11)), draw(st.integers(4, 11)), batch)
    ]
    for _ in range(draw(st.integers(1, 5))):
        x = draw(st.sampled_from(maps[-2:]))
        _, rows, columns, channels = n.shapes[x]
        kind = draw(st.sampled_from(["conv", "depthwise", "pool", "add", "concat", "softmax"]))
        taps = draw(st.integers(1, min(3, rows, columns)))
        if kind == "conv":
            k, pad = draw(st.integers(1, 20)), draw(st.integers(0, taps // 2))
            maps.append(n.conv(x, k, taps, draw(st.integers(1, 2)), pad, bias=draw(st.booleans())))
        elif kind == "depthwise":
            maps.append(n.conv(x, channels, taps, 1, taps // 2, groups=channels))
        elif kind == "pool":
            maps.append(n.pool(x, taps, draw(st.integers(1, taps))))
        elif kind == "add":
            maps.append(n.add(x, n.conv(x, channels)))
        elif kind == "concat":
            maps.append(n.concat(x, n.conv(x, draw(st.integers(1, 6)))))
        else:
            maps.append(n.softmax(x))
    n.matmul(maps[-1], draw(st.integers(1, 12))) if n.shapes[maps[-1]][1] == 1 else None
    return n.build()


def chips(**dram):
    """Random chips with a given memory."""
    return st.builds(
        chip,
        st.sampled_from(list(ARRAYS.values())),
        on_chip=st.sampled_from([2048, 8192, 65536]),
        weights=st.sampled_from([512, 4096]),
        slots=st.integers(1, 3),
        unified=st.booleans(),
        ports=st.sampled_from(["1rw", "1r1w", "2rw"]),
        **{key: st.just(value) for key, value in dram.items()},
    )


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(networks(), chips(), st.sampled_from(["latency", "energy", "edp", "dram_bytes"]))
def test_the_laws_hold_for_random_networks_on_random_chips(workload, spec, objective):
    assert_laws(workload, simulate(workload, spec, objective=objective))


@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow])
@given(networks(), chips(), st.integers(2, 5))
def test_the_laws_hold_for_random_networks_split_over_cores(workload, spec, cores):
    core = spec.cores[0].model_copy(update={"count": cores})
    several = spec.model_copy(update={"cores": (core,)})
    allocation = split(workload, floorplan(several))
    assert_laws(workload, simulate(workload, several, allocation=allocation))


def test_unequal_cores_share_a_layer_in_proportion():
    spec = chip()
    big = spec.cores[0]
    small = big.model_copy(
        update={"name": "small", "pe_array": big.pe_array.model_copy(update={"rows": 4, "cols": 4})}
    )
    mixed = spec.model_copy(update={"cores": (big, small)})
    n = NetworkBuilder()
    n.conv(n.input(8, 20, 20), 16, taps=3, pad=1)
    workload = n.build()
    allocation = split(workload, floorplan(mixed))
    shares = {share.core: share.ranges["oy"] for share in allocation[0]}
    assert shares == {0: (0, 16), 1: (16, 20)}  # 64 PEs and 16
    assert_laws(workload, simulate(workload, mixed, allocation=allocation))


def test_two_cores_are_faster_than_one_but_share_the_dram():
    n = NetworkBuilder()
    n.conv(n.input(16, 24, 24), 32, taps=3, pad=1)
    workload = n.build()
    cycles = {}
    for cores in (1, 2, 4):
        spec = chip(cores=cores, on_chip=65536, weights=8192)
        allocation = split(workload, floorplan(spec))
        cycles[cores] = simulate(workload, spec, allocation=allocation).result.cycles
    assert cycles[1] > 1.5 * cycles[2]
    assert cycles[2] > cycles[4] > cycles[1] / 4


def test_the_same_run_twice_has_the_same_times():
    runs = [simulate(residual_network(), chip()).run for _ in range(2)]
    for name in ("ready", "start", "end", "blocker"):
        assert (getattr(runs[0], name) == getattr(runs[1], name)).all()


def test_single_buffering_is_slower_than_double_buffering_of_the_same_tiles():
    n = NetworkBuilder()
    n.conv(n.input(16, 20, 20), 32, taps=3, pad=1)
    workload = n.build()
    spec = chip(slots=1, on_chip=65536, weights=8192, bandwidth_gb_per_s=0.4)
    cycles = []
    for slots in (1, 2):
        tiles = {"tile": {"oy": 5, "k": 16}, "order": ("oy", "k")}
        given = LayerMappingSpec(**tiles, slots=dict.fromkeys(("input", "weight", "psum"), slots))
        done = simulate(workload, spec, mappings={"conv0": given})
        assert done.lowered.plans["conv0"].mapping.tile["oy"] == 5
        cycles.append(done.result.cycles)
    assert cycles[0] > cycles[1] * 1.1


def test_a_matmul_of_two_feature_maps_waits_for_both():
    n = NetworkBuilder()
    x = n.input(8, 1, 12)
    n.attend(n.matmul(x, 8), n.matmul(x, 8), 12)
    workload = n.build()
    assert_laws(workload, simulate(workload, chip(unified=True)))


def broken(program, **changes):
    """A program with some columns of some tables replaced."""
    tables = {
        name: dict(getattr(program, name))
        for name in ("tasks", "slots", "edges", "slot_uses", "trains")
    }
    for place, column in changes.items():
        table, name = place.split("__")
        tables[table][name] = column
    return TileProgram(program.units, program.buffers, program.layers, **tables)


@pytest.fixture(scope="module")
def lowered():
    n = NetworkBuilder()
    n.conv(n.input(8, 8, 8), 16, taps=3, pad=1)
    return n.build(), lower(n.build(), chip())


def test_a_deadlock_names_the_units_and_the_circle_of_waits(lowered):
    _, low = lowered
    program = low.program
    # The first load of weights waits for a computation that needs it.
    load = int(np.flatnonzero((program.tasks["kind"] == LOAD) & (program.tasks["operand"] == 1))[0])
    compute = int(np.flatnonzero(program.tasks["kind"] == COMPUTE)[0])
    circular = object.__new__(TileProgram)
    for field in ("units", "buffers", "layers", "tasks", "slots", "slot_uses", "trains"):
        object.__setattr__(circular, field, getattr(program, field))
    extra = {"src": compute, "dst": load, "dependence": DATA}
    edges = {name: np.append(column, extra[name]) for name, column in program.edges.items()}
    object.__setattr__(circular, "edges", edges)
    with pytest.raises(
        DeadlockError,
        match=rf"^deadlock at cycle \d+: \d+ of \d+ tasks are open; "
        rf".*core\.pe_array waits to start COMPUTE {compute} of conv0 for .*LOAD .*; "
        r"in a circle: (COMPUTE|LOAD) \d+ of conv0 -> .*$",
    ):
        Engine(circular, low.plan).run()


def test_an_edge_backwards_is_refused(lowered):
    _, low = lowered
    with pytest.raises(ValueError, match=r"^an edge must lead from an earlier row to a later one$"):
        broken(
            low.program, edges__src=low.program.edges["dst"], edges__dst=low.program.edges["src"]
        )


def test_columns_of_different_length_are_refused(lowered):
    _, low = lowered
    with pytest.raises(ValueError, match=r"^columns of tasks must have the same length$"):
        broken(low.program, tasks__macs=np.zeros(1, dtype=np.int64))


def test_a_lost_mac_is_noticed(lowered):
    workload, low = lowered
    macs = low.program.tasks["macs"].copy()
    macs[np.flatnonzero(macs)[0]] -= 1
    due = workload.layers[0].macs
    with pytest.raises(
        ConservationError, match=rf"^layer conv0: {due - 1} MACs in the program, not {due}$"
    ):
        check_work(broken(low.program, tasks__macs=macs), workload, chip())


def test_weights_that_are_never_fetched_are_noticed(lowered):
    workload, low = lowered
    moved = np.where(low.program.tasks["operand"] == 1, 0, low.program.tasks["bytes"])
    with pytest.raises(ConservationError, match=r"^layer conv0: 0 bytes of weights are loaded for"):
        check_work(broken(low.program, tasks__bytes=moved), workload, chip())


def test_two_tiles_in_one_place_are_noticed(lowered):
    _, low = lowered
    offset = np.zeros_like(low.program.slots["offset"])
    clash = broken(low.program, slots__offset=offset)
    run = Engine(low.program, low.plan).run()
    with pytest.raises(ConservationError, match=r"^core\.act: bytes \[0, \d+\) are taken at cycle"):
        check_slots(clash, low.plan, run.start, run.end)


def test_a_slot_beyond_the_buffer_is_noticed(lowered):
    _, low = lowered
    offset = low.program.slots["offset"] + 4096
    run = Engine(low.program, low.plan).run()
    with pytest.raises(ConservationError, match=r"^core\.act: a slot ends beyond 4096 bytes$"):
        check_slots(broken(low.program, slots__offset=offset), low.plan, run.start, run.end)


def test_a_lost_beat_is_noticed():
    with pytest.raises(ConservationError, match=r"^dram moved 9 beats, not 10$"):
        check_beats({"dram": 9}, {"dram": 10})


def test_the_floorplan_numbers_every_copy_of_a_core():
    spec = chip()
    two = spec.model_copy(update={"cores": (spec.cores[0].model_copy(update={"count": 2}),)})
    plan = floorplan(two)
    assert [core.name for core in plan.cores] == ["core0", "core1"]
    assert len(set(plan.units)) == len(plan.units)
    assert plan.peak_macs == 2 * 64


def test_causes_are_of_the_closed_list():
    units = simulate(residual_network(), chip()).result.units
    assert {cause for causes in units.values() for cause in causes} <= set(CAUSES)


def test_a_program_without_slots_is_recorded(tmp_path):
    plan = floorplan(chip())
    program = lower(residual_network(), chip()).program
    nothing = np.zeros(0, dtype=np.int64)
    bare = replace(
        program,
        tasks={**program.tasks, "slot": np.full(len(program), -1)},
        slots=dict.fromkeys(program.slots, nothing),
        slot_uses=dict.fromkeys(program.slot_uses, nothing),
    )
    words = words_of(plan, bare, "ideal") | {"component": [], "action": []}
    with Recorder(tmp_path, words, {}) as recorder:
        Engine(bare, plan, recorder, "ideal").run()
    assert set(read_table(tmp_path, "tasks").column("buffer_bytes").to_pylist()) == {-1}
