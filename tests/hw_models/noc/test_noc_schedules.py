"""Schedules of the network computed by hand, one for each rule of arbitration."""

import pytest

from hw_models.noc.fabrics import topology_of
from hw_models.noc.plain import PlainTransfer
from hw_models.noc.router import PIPELINES, RouterSpec, head_latency_cycles, zero_load_cycles
from tests.hw_models.noc.test_noc_kernel import GROUPS, NETWORKS, at_own_router, run_server

LINE = topology_of("mesh", at_own_router(4), (4,))
BOTH = ["flit", "packet"]


def spec(name, **numbers):
    return RouterSpec(**{**PIPELINES[name], "packet_flits": 16, **numbers})


def ends(topology, router, fidelity, *jobs):
    results, _ = run_server(topology, router, fidelity, jobs, [0] * len(jobs))
    return [results[task][0] for task in range(len(jobs))]


def job(row, source, target, flits, release=0):
    return PlainTransfer(row, 0, release, source, (target,), flits)


@pytest.mark.parametrize("fidelity", BOTH)
@pytest.mark.parametrize(("name", "stages"), [("R1", 4), ("R2", 2), ("R3", 3)])
@pytest.mark.parametrize("flits", [1, 4])
def test_a_lone_packet_takes_the_stages_and_the_link_of_each_router(name, stages, flits, fidelity):
    routers, link = 4, 1
    router = spec(name, vc_buffer_flits=8)
    injection_and_ejection = 2
    expected = routers * (stages + link) + injection_and_ejection + flits - 1
    assert ends(LINE, router, fidelity, job(1, 0, 3, flits)) == [expected]
    assert zero_load_cycles(LINE, router, 0, 3, flits) == expected
    assert head_latency_cycles(LINE, router, 0, 3) == expected - flits + 1


@pytest.mark.parametrize("fidelity", BOTH)
@pytest.mark.parametrize("buffer", [1, 2, 3, 4, 5, 6])
@pytest.mark.parametrize(("name", "credit_delay"), [("R1", 0), ("R3", 2)])
def test_a_short_buffer_stalls_a_packet_until_its_credits_are_back(
    name, credit_delay, buffer, fidelity
):
    flits, loop = 16, 5 + credit_delay
    router = spec(name, vc_buffer_flits=buffer)
    stalls = (flits - 1) // buffer * max(0, loop - buffer)
    unstalled = head_latency_cycles(LINE, router, 0, 1) + flits - 1
    assert ends(LINE, router, fidelity, job(1, 0, 1, flits)) == [unstalled + stalls]


@pytest.mark.parametrize("fidelity", BOTH)
def test_a_folded_ring_has_longer_links_and_credit_loops(fidelity):
    router, flits, buffer = spec("R1", vc_buffer_flits=4), 16, 4
    first_hop, last_hop = 4 + 2, 4 + 1
    stalls = (flits - 1) // buffer * (7 - buffer)
    expected = 2 + first_hop + last_hop + flits - 1 + stalls
    assert ends(NETWORKS["ring"], router, fidelity, job(1, 0, 1, flits)) == [expected]


def test_inputs_take_turns_at_an_output_packet_by_packet():
    """With one lane, which two inputs want, it goes to them alternately."""
    star, flits, packets = NETWORKS["crossbar"], 4, 3
    router = spec("R1", vcs=1, vc_buffer_flits=8, packet_flits=flits)
    alone = head_latency_cycles(star, router, 0, 4) + flits - 1
    allocation = 1
    turn = flits + allocation
    done = ends(star, router, "flit", *(job(row, row, 4, packets * flits) for row in (1, 2)))
    last = 2 * packets - 1
    assert done == [alone + (last - 1) * turn, alone + last * turn]


def test_a_packet_waits_for_the_virtual_channel_of_the_one_before():
    """With one lane a second packet may ask only after the tail of the first has left."""
    star = NETWORKS["crossbar"]
    flits = 4
    router = spec("R1", vcs=1, vc_buffer_flits=8, packet_flits=flits)
    alone = head_latency_cycles(star, router, 0, 4) + flits - 1
    done = ends(star, router, "flit", job(1, 0, 4, flits), job(2, 1, 4, flits))
    # It gets the lane in the tick after the tail, the switch in the next, and then streams.
    allocation, switch = 1, 1
    assert done == [alone, alone + allocation + switch + flits - 1]


def test_with_two_virtual_channels_packets_share_the_link_flit_by_flit():
    star = NETWORKS["crossbar"]
    flits = 4
    router = spec("R1", vcs=2, vc_buffer_flits=8, packet_flits=flits)
    alone = head_latency_cycles(star, router, 0, 4) + flits - 1
    done = ends(star, router, "flit", job(1, 0, 4, flits), job(2, 1, 4, flits))
    assert done == [alone + flits - 1, alone + flits]


def test_bursts_are_not_interleaved_at_packet_fidelity():
    star = NETWORKS["crossbar"]
    flits = 4
    router = spec("R1", vcs=2, vc_buffer_flits=8, packet_flits=flits)
    alone = head_latency_cycles(star, router, 0, 4) + flits - 1
    done = ends(star, router, "packet", job(1, 0, 4, flits), job(2, 1, 4, flits))
    assert done == [alone, alone + flits]


def test_jobs_of_a_node_take_turns_packet_by_packet():
    star, flits = NETWORKS["crossbar"], 4
    router = spec("R1", vc_buffer_flits=8, packet_flits=flits)
    packets = 3
    done = ends(star, router, "packet", *(job(row, 0, row, packets * flits) for row in (1, 2)))
    head = head_latency_cycles(star, router, 0, 1)
    last = 2 * packets * flits - 1
    assert done == [head + last - flits, head + last]


@pytest.mark.parametrize(("target", "wraps"), [(1, False), (3, True)])
def test_packets_that_cross_the_dateline_have_lanes_of_their_own(target, wraps):
    """Of two lanes on a ring each class has one, whichever way a packet goes."""
    (hop,) = NETWORKS["ring"].path(0, target)[1:-1]
    assert hop.vc_class == int(wraps)


def test_two_packets_of_one_class_share_its_only_lane():
    flits = 4
    router = spec("R1", vcs=2, vc_buffer_flits=8, packet_flits=flits)
    shared = topology_of("ring", {"a": 0, "b": 0, "c": 1, "d": 1}, (4,))
    alone = head_latency_cycles(shared, router, 0, 2) + flits - 1
    allocation, switch = 1, 1
    done = ends(shared, router, "flit", job(1, 0, 2, flits), job(2, 1, 3, flits))
    # On a mesh both lanes would do; here the second waits for the tail of the first, and again at
    # the next router, where it is routed behind it.
    routing = 1
    assert done == [alone, alone + routing + allocation + switch + flits - 1]


@pytest.mark.parametrize("fidelity", BOTH)
def test_a_multicast_crosses_each_link_of_its_tree_once(fidelity):
    flits, group = 8, GROUPS[1]  # from node 0 to itself, 2 and 3
    transfer = PlainTransfer(1, 0, 0, 0, group, flits)
    results, ledger = run_server(LINE, spec("R1"), fidelity, [transfer], [0])
    assert results[0][1] == flits * len(group)
    busy = {name: ledger.unit_cycles(name).get("busy/transfer", 0) for name in LINE.link_names}
    used = {"n0>r0", "r0>n0", "r0>r1", "r1>r2", "r2>n2", "r2>r3", "r3>n3"}
    assert busy == {name: flits if name in used else 0 for name in LINE.link_names}


def test_a_paced_job_waits_for_its_flits_and_says_so():
    flits, pace = 6, 10
    router = spec("R1", packet_flits=1)
    paced = PlainTransfer(1, 0, 0, 0, (1,), flits, pace, 1)
    results, _ = run_server(LINE, router, "packet", [paced], [0])
    head = head_latency_cycles(LINE, router, 0, 1)
    end, served, held_up, contention, unready = results[0]
    assert end == (flits - 1) * pace + head
    assert (served, held_up, contention) == (flits, 0, 0)
    assert unready == end - flits


def test_waiting_behind_another_job_is_contention():
    flits = 8
    router = spec("R1", packet_flits=flits)
    jobs = [job(1, 0, 4, flits), job(2, 1, 4, flits)]
    results, _ = run_server(NETWORKS["crossbar"], router, "packet", jobs, [0, 1])
    head = head_latency_cycles(NETWORKS["crossbar"], router, 0, 4)
    assert results[0] == (head + flits - 1, flits, 0, 0, head - 1)
    assert results[1] == (head + 2 * flits - 1, flits, 0, flits, head - 1)
