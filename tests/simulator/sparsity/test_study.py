"""The study: rows, means, Pareto fronts, claims, sensitivity; masks of a network's layers."""

import re
from dataclasses import replace

import numpy as np
import pytest

from hw_models.pe_array.borrowing_window import Core
from simulator.sparsity.claims import claims
from simulator.sparsity.evaluate import Setting
from simulator.sparsity.layer_masks import Combination, MaskSource, network_products
from simulator.sparsity.plots import pareto_front
from simulator.sparsity.presets import sparsity_presets
from simulator.sparsity.sensitivity import DESIGNS, sensitivity_table, variations
from simulator.sparsity.study import Case, Variation, geometric_mean, mean_rows, run_study
from simulator.workload.graph import Layer, LayerOp, LoopDims, Operand, Tensor, Workload
from traces.errors import InputError


def network(name="two"):
    """A convolution with padding, then a product of two feature maps."""
    conv = Layer(
        "conv",
        LayerOp.CONV2D,
        LoopDims(k=40, c=24, oy=6, ox=6, fy=3, fx=3, iy=6, ix=6, pad_top=1, pad_left=1),
        (Operand("x"),),
        "y",
        Operand("w"),
    )
    scores = Layer(
        "scores",
        LayerOp.MATMUL,
        LoopDims(g=2, k=36, c=20, ox=36, ix=36),
        (Operand("y"),),
        "z",
        Operand("y"),
        weight_is_constant=False,
    )
    tensors = {n: Tensor(n, 1, parameter=n == "w") for n in "xwyz"}
    return Workload(name, tensors, (conv, scores), ("x",), ("z",))


SOURCE = MaskSource(0.2, 0.5)
CASES = [Case(network(name), SOURCE, tuple(Combination)) for name in ("one", "two")]


def test_operands_are_sparse_where_the_combination_says():
    for combination in Combination:
        conv, scores = network_products(network(), SOURCE, combination, Core())
        (conv_product,), score_products = conv.products, scores.products
        weights = conv_product.nnz_b / conv_product.b.size
        assert weights == pytest.approx(0.2 if combination.sparse_weights else 1, abs=0.02)
        for product in score_products:
            inputs = product.nnz_a / product.a.size
            assert inputs == pytest.approx(0.5 if combination.sparse_activations else 1, abs=0.05)
            assert product.b.all(), "what is not known offline can't be packed offline"
        assert (conv.sparse_weights, scores.sparse_weights) == (combination.sparse_weights, False)


def test_given_masks_come_before_generated_ones():
    inputs = np.zeros((1, 24, 6, 6), bool)
    source = MaskSource(0.2, 0.5, given={("conv", "input"): inputs})
    conv, _ = network_products(network(), source, Combination.BOTH, Core())
    assert conv.products[0].nnz_a == 0
    assert conv.products[0].nnz_b > 0


def test_given_masks_must_have_the_shape_of_the_layer():
    source = MaskSource(0.2, 0.5, given={("conv", "weight"): np.ones((40, 24, 3, 2), bool)})
    rule = "conv: mask of weight must have the shape 40 x 24 x 3 x 3, not 40 x 24 x 3 x 2"
    with pytest.raises(InputError, match=f"^{re.escape(rule)}$"):
        list(network_products(network(), source, Combination.BOTH, Core()))


@pytest.mark.parametrize("densities", [(1.5, 0.5), (0.5, -0.5)])
def test_densities_outside_0_to_1(densities):
    wrong = next(value for value in densities if not 0 <= value <= 1)
    with pytest.raises(InputError, match=f"^density must be from 0 to 1, not {wrong}$"):
        MaskSource(*densities)


@pytest.fixture(scope="module")
def rows():
    return run_study(CASES, "dense sparse_b_star sparse_a_star sparse_ab_star griffin tensordash")


def test_a_row_for_every_network_combination_and_design(rows):
    assert len(rows) == 2 * 4 * 6
    dense = [row for row in rows if row.design == "dense"]
    gains = {(r.speedup, r.efficiency_gain, r.density_gain, r.area_overhead) for r in dense}
    assert gains == {(1, 1, 1, 0)}
    assert all(row.area_overhead > 0 for row in rows if row.design != "dense")


def test_equal_studies_have_equal_rows(rows):
    assert run_study(CASES[:1], "sparse_ab_star")[3] == next(
        r for r in rows if (r.network, r.combination, r.design) == ("one", "both", "sparse_ab_star")
    )


def test_progress_ends_with_everything(rows):
    seen = []
    run_study(
        CASES[:1], "dense griffin", progress=lambda what, done, total: seen.append((done, total))
    )
    assert seen == [(done, 8) for done in range(9)]


def test_means_are_geometric(rows):
    mean = next(r for r in mean_rows(rows) if (r.combination, r.design) == ("weights", "griffin"))
    single = [r.speedup for r in rows if (r.combination, r.design) == ("weights", "griffin")]
    assert mean.networks == 2
    assert mean.speedup == pytest.approx((single[0] * single[1]) ** 0.5)
    assert geometric_mean([2.0, 8.0]) == pytest.approx(4.0)


def test_claims_are_ratios_of_means(rows):
    means = mean_rows(rows)
    gain = {(r.combination, r.design): r.efficiency_gain for r in means}
    found = {claim.what: claim.ours for claim in claims(means)}
    weights = gain["weights", "griffin"] / gain["weights", "tensordash"]
    assert found["Griffin over best prior, weights: TOPS/W"] == pytest.approx(weights)
    loss = 1 - gain["activations", "sparse_ab_star"] / gain["activations", "sparse_a_star"]
    assert found["loss of the dual design, activations: TOPS/W"] == pytest.approx(loss)


def test_claims_without_their_designs_are_open():
    means = mean_rows(run_study(CASES[:1], "dense"))
    assert {claim.ours for claim in claims(means)} == {None}


def test_the_front_holds_what_nothing_beats(rows):
    means = [row for row in mean_rows(rows) if row.combination == "both"]
    base = means[0]
    places = [(1, 5), (2, 4), (2, 3), (3, 3), (0.5, 5), (3, 1)]
    some = [replace(base, tops_per_mm2=x, tops_per_w=y) for x, y in places]
    front = [(row.tops_per_mm2, row.tops_per_w) for row in pareto_front(some)]
    assert front == [(3, 3), (2, 4), (1, 5)]


def test_sensitivity_has_a_column_for_every_variation():
    found = run_study(CASES[:1], DESIGNS, variations(Setting(sample=8)))
    header, lines = sensitivity_table(claims(mean_rows(found)))
    assert len(header) == 1 + 10
    assert [line[0] for line in lines] == ["published", *(v.name for v in variations(Setting()))]
    assert all(len(line) == len(header) for line in lines)
    assert lines[0][1:5] == ["1.2", "1.2", "3.0", "3.0"]


def test_a_design_that_does_not_fit_is_refused_before_the_work():
    small = Variation(setting=Setting(core=Core(4, 4, 1)))
    rule = "A(2,1,1,on): da3 must be less than the PEs it reaches over (1), not 1"
    with pytest.raises(InputError, match=f"^{re.escape(rule)}$"):
        run_study(CASES, "A(2,1,1)", [small])


def test_presets_are_the_six_networks_and_what_they_can_show():
    presets = sparsity_presets()
    assert list(presets) == [
        *("alexnet", "googlenet", "resnet50", "inception_v3", "mobilenet_v2", "bert_base")
    ]
    assert presets["bert_base"].combinations() == (Combination.DENSE, Combination.WEIGHTS)
    assert presets["resnet50"].combinations() == tuple(Combination)
