"""Each model on layers whose prediction is simple arithmetic."""

from dataclasses import replace

import pytest

from simulator.mapping.mapping import Mapping
from tests.validation.analytical.cases import CHIP, product, whole
from validation.analytical import eyeriss, roofline, scalesim, serial, sparse, tiling, zigzag
from validation.analytical.models import MODELS
from validation.analytical.prediction import DRAM, EMPTY, FILL, IDEAL

SIDE = 16  # of the systolic array
M, N, K = 64, 32, 48
LAYER = product(M, N, K)
BYTES = M * K + K * N + M * N
PER_CYCLE = float(CHIP.dram_bytes_per_cycle)


@pytest.mark.parametrize("name", sorted(MODELS))
def test_causes_add_up_to_the_cycles(name):
    prediction = MODELS[name].predict(LAYER, whole(LAYER), CHIP)

    assert prediction.cycles == pytest.approx(sum(prediction.causes.values()))
    assert MODELS[name].source
    assert MODELS[name].assumptions


def test_roofline_is_the_longer_of_computing_and_moving():
    prediction = roofline.predict(LAYER, whole(LAYER), CHIP)

    assert prediction.dram_bytes == BYTES
    assert prediction.cycles == pytest.approx(max(M * N * K / SIDE**2, BYTES / PER_CYCLE))


def test_scalesim_pays_skew_and_drain_of_every_fold():
    folds = (M // SIDE) * (N // SIDE)
    prediction = scalesim.predict(LAYER, whole(LAYER), CHIP)

    assert prediction.causes[FILL] == folds * (2 * SIDE - 2)
    assert prediction.cycles == folds * (K + 2 * SIDE - 2)


def test_scalesim_pays_a_whole_fold_for_an_edge():
    layer = product(SIDE + 1, SIDE, K)
    prediction = scalesim.predict(layer, whole(layer), CHIP)

    assert prediction.causes[IDEAL] + prediction.causes[EMPTY] == 2 * K


def test_scalesim_has_no_prediction_for_a_vector_layer():
    layer = replace(LAYER, op="elementwise", function="add", weight=None)
    assert scalesim.predict(layer, whole(layer), CHIP) is None


def test_zigzag_adds_first_loads_and_last_store_to_steps_that_never_wait():
    prediction = zigzag.predict(LAYER, whole(LAYER), CHIP)

    steps = M * N * K / SIDE**2
    assert prediction.causes[IDEAL] + prediction.causes[EMPTY] == steps
    assert prediction.causes[DRAM] > 0


def test_stream_adds_moving_to_computing():
    prediction = serial.predict(LAYER, whole(LAYER), CHIP)
    assert prediction.cycles == pytest.approx(M * N * K / SIDE**2 + BYTES / PER_CYCLE)


def test_eyeriss_energy_is_accesses_times_costs():
    mac_pj = eyeriss.action_energies_pj(CHIP)["mac"]
    macs = M * N * K
    # 16 PEs share an input, 16 a weight; a sum stays in its PE, so it leaves K times too often.
    buffer = macs / SIDE + macs / SIDE + macs
    units = macs * 5 + buffer * (eyeriss.BUFFER + eyeriss.NETWORK) + BYTES * eyeriss.EXTERNAL

    prediction = eyeriss.predict(LAYER, whole(LAYER), CHIP)
    assert prediction.energy_pj == pytest.approx(units * mac_pj)


def test_a_dense_array_gains_nothing_from_zeros():
    thin = replace(LAYER, weight_density=0.25)
    assert sparse.predict(thin, whole(thin), CHIP) == sparse.predict(LAYER, whole(LAYER), CHIP)


def test_loops_that_share_rows_are_unrolled_to_the_fewest_steps():
    steps, factors = tiling._fewest_steps((6, 8), 16)
    assert (steps, factors) == (3 * 1, (2, 8))


def test_an_operand_is_loaded_again_for_loops_outside_its_tiles():
    tile = {"b": 1, "g": 1, "k": N // 2, "c": K, "oy": 1, "ox": M // 4}
    mapping = Mapping(tile, ("b", "g", "k", "c", "oy", "ox"), {"input": 2, "weight": 2})

    assert tiling.loads(LAYER, mapping, "input", LAYER.inputs[0].dims) == 2
    assert tiling.loads(LAYER, mapping, "weight", LAYER.weight.dims) == 1
    kept = Mapping(tile, mapping.order, {"input": 4, "weight": 2})
    assert tiling.loads(LAYER, kept, "input", LAYER.inputs[0].dims) == 1
