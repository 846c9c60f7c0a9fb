"""A network on a design: exact and sampled cycles, activity, bandwidth limits."""

from math import ceil

import numpy as np
import pytest

from hw_models.pe_array.borrowing_schedule import tile_cycles
from hw_models.pe_array.borrowing_window import Core
from hw_models.sparsity.designs import find_designs
from simulator.sparsity.evaluate import Setting, _standard_errors, evaluate, sampling_variance
from simulator.sparsity.layer_masks import LayerProducts, Product
from traces.errors import InputError

CORE = Core()
M, K, N = 150, 300, 250
STEPS, ROW_TILES, COLUMN_TILES = ceil(K / 16), ceil(M / 4), ceil(N / 16)


def layers(weight_density=0.2, input_density=0.6, seed=5):
    """One product whose rows and columns differ in density, so that tiles differ."""
    generator = np.random.default_rng(seed)
    rows = np.clip(input_density * generator.uniform(0.5, 1.5, (M, 1)), 0, 1)
    columns = np.clip(weight_density * generator.uniform(0.5, 1.5, N), 0, 1)
    a = generator.random((M, K)) < (rows if input_density < 1 else 1)
    b = generator.random((K, N)) < (columns if weight_density < 1 else 1)
    product = Product(a, b, CORE)
    sparse = weight_density < 1, input_density < 1
    return [LayerProducts("fc", M * K * N, *sparse, (product,))]


def on(name, some, **setting):
    return evaluate(some, find_designs(name)[0], Setting(**setting))


def test_the_dense_core_takes_every_step_and_multiplies_everything():
    found = on("dense", layers())
    assert found.cycles == STEPS * ROW_TILES * COLUMN_TILES
    assert found.configurations == {"dense": 1}
    # 2 operations of all MACs over the energy in fJ, times 1000.
    assert found.tops_per_w == pytest.approx(2e3 * M * K * N / sum(found.energy_fj.values()))


@pytest.mark.parametrize("name", ["sparse_a_star", "sparse_b_star", "sparse_ab_star", "griffin"])
def test_cycles_are_those_of_the_tiles(name):
    some = layers()
    design = find_designs(name)[0]
    borrowing = design.configuration(sparse_weights=True, sparse_activations=True)
    product = some[0].products[0]
    exact = tile_cycles(borrowing, CORE, product.operands(borrowing.shuffle)).total
    found = on(name, some)
    assert found.cycles == exact
    assert found.half_width_cycles == 0


@pytest.mark.parametrize("name", ["A(2,1,1)", "B(4,0,1)", "AB(2,0,0,2,0,1)"])
def test_the_interval_of_a_sample_covers_the_exact_cycles(name):
    """95 % intervals: of 60 samples at least 51 must cover (51 or fewer is a 1 in 1000 event)."""
    some = layers()
    exact = on(name, some).cycles
    found = [on(name, some, sample=8, seed=seed) for seed in range(60)]
    covered = sum(abs(x.cycles - exact) <= x.half_width_cycles for x in found)
    assert covered >= 51
    assert np.mean([x.cycles for x in found]) == pytest.approx(exact, rel=0.01)
    assert all(0 <= x.half_width_cycles < 0.2 * exact for x in found)


def test_quantiles_of_student():
    """Tables of Student's t at 97.5 %: 7 degrees of freedom 2.365, 15 2.131, 31 2.040."""
    for sample, quantile in ((8, 2.365), (16, 2.131), (32, 2.040)):
        assert _standard_errors(sample) == pytest.approx(quantile, rel=0.005)


def test_samples_too_small_for_an_interval():
    with pytest.raises(InputError, match=r"^sample must be at least 8 tiles, not 7$"):
        Setting(sample=7)


def test_a_sample_of_everything_is_exact():
    some = layers()
    found = on("griffin", some, sample=max(ROW_TILES, COLUMN_TILES))
    assert (found.cycles, found.half_width_cycles) == (on("griffin", some).cycles, 0)


def test_variance_of_a_sampled_axis():
    """Rows drawn 2 of 4 with means 10 and 14: variance of the mean 8 / 2 * (1 - 2 / 4)."""
    cycles = np.array([[9, 11], [13, 15]], np.int64)
    assert sampling_variance(cycles, (4, 2)) == 8 / 2 * (1 - 2 / 4) * (4 * 2) ** 2
    assert sampling_variance(cycles, (2, 2)) == 0


@pytest.mark.parametrize("steps", [1, 2, 3])
def test_a_tile_takes_at_least_its_steps_over_those_of_a_cycle(steps):
    some = layers(weight_density=0.02)
    limit = ceil(STEPS / steps) * ROW_TILES * COLUMN_TILES
    assert on("sparse_b_star", some, refill_steps=steps).cycles == limit
    assert on("sparse_b_star", some).cycles < limit


def test_without_fallback_the_parts_of_a_single_configuration_run_along():
    some = layers(1.0, 1.0)
    gated, along = (on("tensordash", some, fallback=fallback) for fallback in (True, False))
    assert gated.configurations == {"dense": 1}
    assert along.configurations == {"AB(8 inputs,off)": 1}
    assert gated.energy_fj["AMUX"] == 0 < along.energy_fj["AMUX"]
    hybrid = on("griffin", some, fallback=False)
    assert hybrid.configurations == {"dense": 1}


def test_static_power_goes_with_time_and_area():
    some = layers()
    dense, griffin = (on(name, some, static_share=0.2) for name in ("dense", "griffin"))
    area = sum(griffin.area_um2.values()) / sum(dense.area_um2.values())
    time = griffin.cycles / dense.cycles
    assert griffin.energy_fj["static"] / dense.energy_fj["static"] == pytest.approx(area * time)
    assert on("dense", some).energy_fj["static"] == 0


def test_gated_zeros_leave_the_effectual_products():
    some = layers()
    product = some[0].products[0]
    dense, gated = on("dense", some), on("dense", some, gate_zeros=True)
    share = product.pairs / product.macs
    assert gated.energy_fj["multiplier"] / dense.energy_fj["multiplier"] == pytest.approx(share)


def test_executed_work_of_each_mode():
    some = layers()
    product = some[0].products[0]
    per_mac = on("dense", some).energy_fj["multiplier"] / product.macs
    expected = {
        "A(2,1,0)": product.nnz_a * N,
        "B(4,0,1)": product.nnz_b * M,
        "AB(2,0,0,2,0,1)": product.pairs,
    }
    for name, work in expected.items():
        assert on(name, some).energy_fj["multiplier"] == pytest.approx(work * per_mac)


def test_power_and_density_are_arithmetic():
    found = on("griffin", layers())
    clock_hz = 0.8e9
    seconds = found.cycles / clock_hz
    joules = sum(found.energy_fj.values()) * 1e-15
    mm2 = sum(found.area_um2.values()) * 1e-6
    assert found.power_mw == pytest.approx(1e3 * joules / seconds)
    assert found.tops_per_mm2 == pytest.approx(2e-12 * M * K * N / seconds / mm2)
