from hypothesis import given
from hypothesis import strategies as st

from hw_models.floorplan import floorplan
from simulator.lowering.placement import place_features
from simulator.run import simulate
from tests.simulator.networks import NetworkBuilder, chip, residual_network


def place(workload, spec, least=0):
    users = [{0}] * len(workload.layers)
    core = floorplan(spec).cores[0]
    return place_features(workload, core, 8, users, lambda _layer, _buffer: least)


def chain(*channels):
    n = NetworkBuilder()
    x = n.input(4, 8, 8)
    for k in channels:
        x = n.conv(x, k)
    return n.build()


def test_a_map_stays_from_its_producer_to_its_last_reader():
    placement = place(residual_network(), chip(on_chip=65536))
    workload = residual_network()
    for name, stay in placement.stays.items():
        assert stay.first == workload.producer()[name]
        assert stay.last == max(workload.consumers()[name])


def test_network_outputs_never_stay():
    workload = chain(8, 8)
    assert workload.outputs[0] not in place(workload, chip(on_chip=65536)).stays


def test_nothing_stays_where_inputs_and_outputs_have_buffers_of_their_own():
    assert place(chain(8, 8), chip(on_chip=65536, unified=False)).stays == {}


def test_a_map_read_as_weights_goes_through_dram():
    n = NetworkBuilder()
    x = n.input(8, 1, 12)
    q, k = n.matmul(x, 8), n.matmul(x, 8)
    n.attend(q, k, 12)
    stays = place(n.build(), chip(on_chip=65536)).stays
    assert q in stays
    assert k not in stays


def test_layers_keep_the_room_that_they_need():
    workload = chain(16, 16, 16)
    size = 8 * 8 * 16
    assert len(place(workload, chip(on_chip=4 * size)).stays) == 2
    assert place(workload, chip(on_chip=4 * size), least=4 * size).stays == {}


@given(st.lists(st.integers(1, 40), min_size=2, max_size=12), st.sampled_from([2048, 4096, 8192]))
def test_maps_that_live_at_the_same_time_never_overlap(channels, size):
    placement = place(chain(*channels), chip(on_chip=size))
    stays = list(placement.stays.values())
    for i, a in enumerate(stays):
        assert a.offset >= 0
        assert a.offset + a.size <= size
        for b in stays[:i]:
            meet = a.first <= b.last and b.first <= a.last
            apart = a.offset + a.size <= b.offset or b.offset + b.size <= a.offset
            assert apart or not meet
    for layer in range(len(channels)):
        live = [stay.offset for stay in stays if stay.during(layer)]
        assert placement.free_bytes(layer) == min(live, default=size)


def test_maps_that_stay_are_not_moved():
    workload = chain(16, 16, 16)
    kept = simulate(workload, chip(on_chip=65536)).result
    moved = simulate(workload, chip(on_chip=65536, unified=False)).result
    map_bytes = 8 * 8 * 16
    assert moved.dram_write_bytes - kept.dram_write_bytes == 2 * map_bytes
    assert moved.dram_read_bytes - kept.dram_read_bytes == 2 * map_bytes
