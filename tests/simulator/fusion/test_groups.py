"""Search for fusion groups, and fused against layer by layer."""

import re
from dataclasses import replace

import pytest
import typer
from typer.testing import CliRunner

from hw_models.chip_files import load_chip
from hw_models.spec import ChipSpec
from simulator.commands.fusion import command
from simulator.fusion.comparison import ALONE, GROUPS, LAYER_BY_LAYER, compared_ways, verdict
from simulator.fusion.compile import FusionChoices
from simulator.fusion.figures import Figures, planned_figures, simulated_figures
from simulator.fusion.groups import (
    WHOLE,
    Group,
    GroupCosts,
    granularities_for,
    layers_alone,
    one_group,
    search_groups,
)
from simulator.fusion.hardware import own_sizes, parse_sizes, search_hardware, variants
from simulator.fusion.run import run_fused
from tests.simulator.fusion.networks import Net
from tests.simulator.networks import chip
from traces.errors import InputError

BASE = FusionChoices(prefetch_weights=False)
SECONDS = 30


def chain(channels, pixels, layers=3):
    net = Net()
    x = net.input(channels, pixels, pixels)
    for _ in range(layers):
        x = net.window(x, channels, (3, 3), pad=(1, 1))
    return net.build()


def large_maps():
    """Maps of 4 KiB on a chip that has 4 KiB for all of them, weights of 144 bytes."""
    return GroupCosts(chain(4, 32), chip(), BASE)


def large_weights():
    """Maps of 1 KiB, weights of 9 KiB of which two layers' don't fit into 10 KiB."""
    return GroupCosts(chain(32, 6), chip(on_chip=8192, weights=10240), BASE)


def found(costs, aim="latency"):
    return search_groups(costs, aim, SECONDS, fine=("line", "line:2"))


def test_large_maps_with_few_weights_are_fused():
    costs = large_maps()
    search = found(costs, "dram_bytes")
    assert search.fuses
    assert search.finished
    once = 2 * 4 * 32 * 32 + 3 * 4 * 4 * 9  # input and output once, weights once; halo is read more
    assert once <= search.figures.dram_bytes < search.layer_by_layer.dram_bytes


def test_weights_that_do_not_fit_are_not_fused():
    costs = large_weights()
    search = found(costs)
    line, whole = (costs.together(one_group(costs.workload, g)) for g in ("line", WHOLE))
    assert line.cycles > whole.cycles
    assert line.dram_bytes > whole.dram_bytes
    assert not search.fuses
    ways = compared_ways(costs, "line", search)
    assert re.fullmatch(
        r"not fusing is best for latency: whole layers one after another; "
        r"all fused, line takes [2-9]\.\d\d times the latency of layer by layer",
        verdict(ways, "latency"),
    )


@pytest.mark.parametrize("aim", ["latency", "energy", "edp", "dram_bytes"])
def test_what_is_found_is_no_worse_than_any_single_way(aim):
    costs = large_maps()
    best = found(costs, aim).figures.of(aim)
    for groups in (one_group(costs.workload, "line"), one_group(costs.workload, WHOLE)):
        assert best <= costs.together(groups).of(aim)


def test_groups_become_stacks_with_tiles_of_their_own():
    costs = large_maps()
    choices = costs.choices((Group(0, 0, WHOLE), Group(1, 2, "line:2")))
    assert choices.stacks == (1,)
    assert list(choices.granularity.layers.values()) == [(1, 32, 32), (1, 2, 32), (1, 2, 32)]


def test_a_group_whose_tiles_are_whole_layers_is_told_as_such():
    costs = large_maps()
    assert costs.plainly(Group(0, 1, "line:32")) == Group(0, 1, WHOLE)
    assert costs.plainly(Group(0, 1, "line:31")) == Group(0, 1, "line:31")


def test_layers_alone_move_every_map_out_and_in():
    costs = large_weights()
    ways = {way.name: way.figures for way in compared_ways(costs, "line")}
    maps, weights = 32 * 6 * 6, 32 * 32 * 9
    padded = 32 * 8 * 8  # inputs are fetched with their padding
    assert ways[ALONE].dram_bytes == 3 * (maps + padded + weights)
    assert ways[LAYER_BY_LAYER].dram_bytes == maps + padded + 3 * weights
    assert GROUPS not in ways


@pytest.mark.parametrize("groups", [one_group, None])
def test_planned_figures_are_those_of_the_simulation(groups):
    costs = GroupCosts(chain(4, 16), load_chip("stream_tpu_quad"), BASE)
    ways = one_group(costs.workload, "line") if groups else layers_alone(costs.workload)
    fused = costs.compiled(ways)
    planned, simulated = planned_figures(fused), simulated_figures(run_fused(fused))
    assert planned.dram_bytes == simulated.dram_bytes
    assert planned.cycles == pytest.approx(simulated.cycles, rel=0.01)
    assert planned.energy_pj == pytest.approx(simulated.energy_pj, rel=0.01)


def test_figures_add_up_and_a_product_is_of_the_sums():
    both = Figures(2, 3.0, 5) + Figures(7, 11.0, 13)
    assert both == Figures(9, 14.0, 18)
    assert both.of("edp") == 9 * 14.0


def test_only_maps_that_are_kept_can_have_groups():
    base = replace(BASE, overlap="recompute")
    with pytest.raises(
        InputError, match=r"^overlap must be full where groups differ, not recompute$"
    ):
        GroupCosts(chain(4, 8), chip(), base)


def test_rows_that_an_array_makes_at_a_time_are_tried():
    assert {"line:7", "line:14", "tile:7x32"} <= set(granularities_for(load_chip("prertl_vwa")))
    assert "line:7" not in granularities_for(load_chip("prertl_mac_array"))


def test_sizes_are_kib_of_weights_and_of_activations():
    assert parse_sizes("32,64:128") == ((32, 64), (128,))
    text = "sizes must be KiB of weights, a colon, KiB of activations (32,64:128), not '32'"
    with pytest.raises(InputError, match=f"^{re.escape(text)}$"):
        parse_sizes("32")


@pytest.mark.parametrize("name", ["prertl_vwa", "prertl_mac_array", "stream_4homo"])
def test_variants_have_the_sizes_asked_for_and_as_many_pes(name):
    spec = load_chip(name)
    every = variants(spec, (32, 64), (128,), shapes=True)
    shapes = {variant.shape for variant in every}
    assert len(every) == 2 * len(shapes) > 2
    for variant in every:
        assert variant.chip.peak_macs_per_cycle == spec.peak_macs_per_cycle
        for core in variant.chip.cores:
            if core.computes_macs:
                assert core.buffer_of("weight").size_bytes == variant.weight_bytes
                assert core.buffer_of("input").size_bytes == 128 * 1024
        ChipSpec.model_validate(variant.chip.model_dump())


def test_energies_that_a_file_gives_grow_with_the_buffer():
    small, large = variants(load_chip("stream_4homo"), (64, 256), (128,), shapes=False)
    energies = [v.chip.cores[0].pe_array.buffers[0].read_pj for v in (small, large)]
    assert energies[0] < energies[1]
    assert small.area_mm2 < large.area_mm2


def test_the_own_sizes_change_nothing():
    spec = load_chip("prertl_vwa")
    [same] = variants(spec, *own_sizes(spec), shapes=False)
    assert same.chip == spec
    assert same.shape == (8, 7)


def test_weights_and_inputs_in_one_buffer_cannot_be_varied():
    text = "chip nvdla_small: weights and inputs must have buffers of their own, not cbuf for both"
    with pytest.raises(InputError, match=f"^{re.escape(text)}$"):
        variants(load_chip("nvdla_small"), (64,), (64,), shapes=False)


def test_larger_buffers_save_more_traffic():
    spec = chip(on_chip=4096, weights=2048)
    small, own = variants(spec, (2,), (1, 4), shapes=False)
    tried = search_hardware(chain(4, 32), (small, own), BASE, "dram_bytes", SECONDS)
    best = tried[0]
    assert best.variant == own
    assert best.search.fuses


def run(*words):
    app = typer.Typer()
    app.command()(command)
    return CliRunner().invoke(app, words)


def test_the_verb_compares_and_says_which_way_is_best(tmp_path):
    file = tmp_path / "best.yaml"
    done = run("resnet18", "--chip", "stream_tpu_quad", "--layers", "2:4", "--out", str(file))
    assert done.exit_code == 0, done.output
    assert done.output.splitlines()[-1].startswith("all fused, line takes ")
    assert "stacks: []" in file.read_text()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--objective", "speed"), "--objective must be one of latency, energy, edp, dram_bytes"),
        (("--policy", "any"), "--policy must be one of best, latency, memory, not 'any'"),
        (("--granularity", "row"), "granularity must be layer, image, line, line:N or tile:HxW"),
    ],
)
def test_wrong_options_are_told(words, message):
    done = run("resnet18", "--chip", "stream_tpu_quad", *words)
    assert isinstance(done.exception, InputError)
    assert str(done.exception).startswith(message)
