"""Whole programs on the cycle-accurate memory system."""

from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings

from hw_models.dram.bursts import bursts_of_plain
from hw_models.floorplan import floorplan
from simulator.allocation.shares import Share
from simulator.lowering.addresses import RUN_COLUMNS
from simulator.program import LOAD, STORE
from simulator.run import simulate
from tests.simulator.networks import NetworkBuilder, chip, residual_network
from tests.simulator.test_engine import assert_laws, chips, networks

PLAIN = ("bandwidth_gb_per_s", "latency_ns", "granule_bytes", "capacity_mib")
REAL = {"standard": "DDR4_2400"} | dict.fromkeys(PLAIN)


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(networks(), chips(**REAL))
def test_the_laws_hold_for_random_networks_on_random_chips(workload, spec):
    assert_laws(workload, simulate(workload, spec, memory="cycle"))


@pytest.mark.parametrize("standard", ["LPDDR4_3200_x16", "HBM2_2000_pseudo", "GDDR6_24Gbps"])
@pytest.mark.parametrize("channels", [1, 4])
def test_a_network_runs_on_every_kind_of_dram(standard, channels):
    spec = chip(**REAL | {"standard": standard, "channels": channels})
    done = simulate(residual_network(), spec, memory="cycle")
    assert_laws(residual_network(), done)
    names = [name for name in done.result.units if name.startswith("dram.")]
    assert names == [f"dram.channel{i}" for i in range(channels)]
    assert done.result.units["dram.channel0"].get("busy/transfer")


def test_dram_moves_exactly_the_bursts_that_hold_the_bytes():
    spec = chip(**REAL)
    done = simulate(residual_network(), spec, memory="cycle")
    tasks = done.lowered.program.tasks
    moving = (tasks["kind"] == LOAD) | (tasks["kind"] == STORE)
    runs = zip(*(tasks[name][moving].tolist() for name in RUN_COLUMNS), strict=True)
    granule = spec.dram.table.organisation.granule_bytes
    bursts = sum(bursts_of_plain(run, granule) for run in runs)
    clocks = spec.dram.table.timing_clocks.bl * bursts
    busy_ns = done.result.units["dram.channel0"]["busy/transfer"] / spec.clock_ghz
    tick_ns = spec.dram.table.tck_ns
    assert busy_ns == pytest.approx(clocks * tick_ns, abs=2 * tick_ns * len(tasks["kind"]))


def test_a_slower_interface_is_a_server_of_its_own_and_limits():
    network = NetworkBuilder()
    network.conv(network.input(8, 16, 16), 8)
    workload = network.build()
    slow = REAL | {"bandwidth_gb_per_s": 1.0, "granule_bytes": 8}
    done = simulate(workload, chip(**slow), memory="cycle")
    free = simulate(workload, chip(**REAL), memory="cycle")
    assert "dram_interface" in done.result.units
    assert "dram_interface" not in free.result.units
    moved = done.result.dram_read_bytes + done.result.dram_write_bytes
    assert done.result.cycles >= moved  # one byte a cycle
    assert free.result.cycles < done.result.cycles


def test_a_chip_without_standard_keeps_latency_and_bandwidth():
    done = simulate(residual_network(), chip(), memory="cycle")
    assert_laws(residual_network(), done)
    assert "dram" in done.result.units


NETWORKS = {
    "bus": {"kind": "bus", "width_bytes": 16, "latency_cycles": 2},
    "point_to_point": {"kind": "point_to_point", "width_bytes": 16, "latency_cycles": 2},
    "crossbar": {"kind": "crossbar", "width_bytes": 16},
    "ring": {"kind": "ring", "width_bytes": 16, "sizes": [4]},
    "mesh": {"kind": "mesh", "width_bytes": 16, "sizes": [2, 2], "dram_routers": [0, 3]},
    "torus": {"kind": "torus", "width_bytes": 16, "sizes": [2, 2]},
    "flits": {"kind": "mesh", "width_bytes": 16, "sizes": [2, 2], "fidelity": "flit"},
}


@pytest.mark.parametrize("noc", sorted(NETWORKS))
def test_four_cores_run_over_every_kind_of_network(noc):
    spec = chip(cores=4, noc=NETWORKS[noc], **REAL)
    done = simulate(residual_network(), spec, memory="cycle")
    assert_laws(residual_network(), done)
    links = [name for name in done.result.units if name.startswith("noc")]
    plan = done.lowered.plan
    expected = {"bus": 1, "point_to_point": 4}.get(noc)
    assert len(links) == (expected or len(plan.network.link_names))


def test_a_core_far_from_dram_waits_for_more_hops():
    """On an empty line of routers every hop adds the same, for the request and for the data."""
    routers = 4
    spec = chip(cores=routers, noc={"kind": "mesh", "width_bytes": 16, "sizes": [routers]}, **REAL)
    ports = floorplan(spec).noc_ports
    requests = [port.request_cycles for port in ports]
    steps = {b - a for a, b in pairwise(requests)}
    assert len(steps) == 1
    network = NetworkBuilder()
    network.conv(network.input(1, 1, 1), 1)
    workload = network.build()
    took = [
        simulate(workload, spec, allocation=[[Share(core)]], memory="cycle").run.end[0]
        for core in range(routers)
    ]
    hop = 2 * steps.pop()
    assert [b - a for a, b in pairwise(took)] == [hop] * (routers - 1)


def test_cores_at_links_of_their_own_do_not_wait_for_one_another():
    cycles = {}
    for kind in ("bus", "point_to_point"):
        noc = NETWORKS[kind] | {"width_bytes": 2}
        cycles[kind] = simulate(residual_network(), chip(cores=4, noc=noc, **REAL)).result.cycles
    assert cycles["point_to_point"] < cycles["bus"]
