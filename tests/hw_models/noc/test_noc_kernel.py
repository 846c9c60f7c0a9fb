"""The network kernel under the server against a plain loop over ticks that knows all arrivals."""

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hw_models.noc.fabrics import topology_of
from hw_models.noc.kernel import noc_kernel
from hw_models.noc.plain import PlainNetwork, PlainTransfer
from hw_models.noc.router import PIPELINES, RouterSpec
from tests.hw_models.kernel_runs import run_kernel

END, APART = 2_000, 900
GROUPS = ((1, 2), (0, 2, 3))


def at_own_router(nodes):
    return {f"n{i}": i for i in range(nodes)}


NETWORKS = {
    "mesh": topology_of("mesh", at_own_router(6), (3, 2)),
    "torus": topology_of("torus", at_own_router(9), (3, 3)),
    "ring": topology_of("ring", at_own_router(4), (4,)),
    "crossbar": topology_of("crossbar", {f"n{i}": 0 for i in range(5)}),
    "links": topology_of(
        "links", at_own_router(4), (), [(0, 1), (1, 0), (1, 2, 3), (2, 1, 3), (1, 3), (3, 1)]
    ),
    "shared": topology_of("mesh", {"a": 0, "b": 0, "c": 1, "d": 3}, (2, 2)),
}


def run_server(topology, router, fidelity, jobs, owners, rate=Fraction(1), *, reverse=False):
    """What the server says of each job, and its ledger."""
    kernel = noc_kernel(topology, router, fidelity, owners, rate, GROUPS)
    submissions = []
    for job in jobs:
        target = job.targets[0]
        if len(job.targets) > 1:
            target = len(topology.nodes) + GROUPS.index(job.targets)
        columns = (job.release, job.source, target, job.flits, job.pace_num, job.pace_den)
        submissions.append((job.arrival, job.row, columns))
    return run_kernel(kernel, topology.link_names, submissions, END, reverse=reverse)


shapes = st.tuples(
    st.integers(0, 40),  # gap
    st.integers(0, 9),  # source
    st.integers(0, 10),  # target, or a group
    st.integers(1, 24),  # flits
    st.integers(0, 9),  # wait
    st.integers(0, 5),  # pace
    st.integers(1, 4),
)
routers = st.builds(
    lambda pipeline, vcs, buffer, packet: RouterSpec(
        **PIPELINES[pipeline], vcs=vcs, vc_buffer_flits=buffer, packet_flits=packet
    ),
    st.sampled_from(sorted(PIPELINES)),
    st.integers(2, 4),
    st.integers(1, 6),
    st.integers(1, 8),
)


def jobs_of(topology, rows):
    """One row's jobs follow each other far enough apart; those of different rows overlap."""
    jobs, nodes = [], len(topology.nodes)
    for row, row_shapes in enumerate(rows):
        arrival = 0
        for gap, source, target, flits, wait, num, den in row_shapes:
            arrival += gap
            targets = GROUPS[target - 9] if target > 8 else (target % nodes,)
            jobs.append(
                PlainTransfer(
                    row + 1, arrival, arrival + wait, source % nodes, targets, flits, num, den
                )
            )
            arrival += APART
    return jobs


@settings(max_examples=40, deadline=None)
@given(
    st.sampled_from(sorted(NETWORKS)),
    routers,
    st.sampled_from(["flit", "packet"]),
    st.lists(st.lists(shapes, min_size=1, max_size=2), min_size=1, max_size=6),
    st.booleans(),
)
def test_the_server_equals_a_plain_loop_over_ticks(name, router, fidelity, rows, reverse):
    topology = NETWORKS[name]
    jobs = jobs_of(topology, rows)
    results, ledger = run_server(
        topology, router, fidelity, jobs, [row % 2 for row in range(len(rows))], reverse=reverse
    )
    plain = PlainNetwork(topology, router, fidelity, jobs)
    plain.run()
    assert {task: result[0] for task, result in results.items()} == dict(enumerate(plain.ends))
    for task, job in enumerate(jobs):
        assert results[task][1] == job.flits * len(job.targets)
        if len(job.targets) == 1:
            assert sum(results[task][1:]) == results[task][0] - job.arrival
    for link, unit in zip(plain.links, topology.link_names, strict=True):
        cycles = ledger.unit_cycles(unit)
        assert cycles.get("busy/transfer", 0) == link.busy
        assert cycles.get("stall/noc_contention", 0) == link.stalled
        assert sum(cycles.values()) == END


@pytest.mark.parametrize("rate", [Fraction(1, 2), Fraction(7, 3), Fraction(1)])
def test_a_network_in_another_clock_domain_ends_rounded_up_to_chip_cycles(rate):
    job = PlainTransfer(1, 3, 11, 0, (5,), 20)
    results, _ = run_server(NETWORKS["mesh"], RouterSpec(), "flit", [job], [0], rate)
    first_tick = -(-job.release * rate.denominator // rate.numerator)
    hops = 4  # routers on the way: columns 0, 1, 2 and then one row up
    ticks = 5 * hops + 1 + 8 + 12  # of which the last packet of 20 flits leaves later
    assert results[0][0] >= -(-(first_tick + ticks) * rate.numerator // rate.denominator)
    assert results[0][1] == job.flits
