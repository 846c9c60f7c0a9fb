"""The figures that SCALE-Sim reports of one layer, worked out by the model."""

from __future__ import annotations

import numpy as np

from validation.scalesim.addresses import streams
from validation.scalesim.calc_memory import CalcReads, calc_reads
from validation.scalesim.clock import Clock, Reads, run_layer
from validation.scalesim.layer import ConvLayer, Folding, Machine, array_counts, folding
from validation.scalesim.user_memory import UserReads, user_reads
from validation.scalesim.write_buffer import write_buffer

NO_MOVES = Reads(np.empty(0, np.int32), 0)


def layer_figures(layer: ConvLayer, machine: Machine) -> dict[str, float]:
    """All compared figures of a layer, by the names of the reference file's columns."""
    counts = array_counts(layer, machine)
    fold = folding(layer, machine, counts["cycles"])
    (ifmap, ifmap_stream), (filters, filter_stream) = streams(layer, machine.dataflow, fold)
    reads: tuple[CalcReads | UserReads, CalcReads | UserReads]
    if machine.ifmap_words_per_cycle is None or machine.filter_words_per_cycle is None:
        reads = (
            calc_reads(ifmap, ifmap_stream, machine.ifmap_sram_words),
            calc_reads(filters, filter_stream, machine.filter_sram_words),
        )
    else:
        reads = (
            user_reads(
                ifmap, ifmap_stream, machine.ifmap_sram_words, machine.ifmap_words_per_cycle
            ),
            user_reads(
                filters, filter_stream, machine.filter_sram_words, machine.filter_words_per_cycle
            ),
        )
    clock = _clock(fold, machine, reads)
    return {
        "compute_cycles": clock.total_cycles - clock.stall_cycles,
        "total_cycles": clock.total_cycles,
        "stall_cycles": clock.stall_cycles,
        "cycles_incl_prefetch": clock.last_write_cycle + max(r.prefetch_cycles for r in reads),
        **_utilisation_pct(layer, fold, clock),
        **_sram_words(counts, fold),
        "dram_ifmap_reads": reads[0].dram_words,
        "dram_filter_reads": reads[1].dram_words,
        "dram_ofmap_writes": clock.dram_words_written,
    }


def _clock(
    fold: Folding, machine: Machine, reads: tuple[CalcReads | UserReads, CalcReads | UserReads]
) -> Clock:
    """Run the lines; in CALC mode reads never wait and Q words a cycle are written."""
    ifmap, filters = (
        Reads(read.moves, read.move_cycles) if isinstance(read, UserReads) else NO_MOVES
        for read in reads
    )
    words_per_cycle = machine.ofmap_words_per_cycle or machine.cols
    return run_layer(fold, ifmap, filters, write_buffer(machine.ofmap_sram_words, words_per_cycle))


def _utilisation_pct(layer: ConvLayer, fold: Folding, clock: Clock) -> dict[str, float]:
    """Percentages of the compute report. compute_util_pct: artefact 1 of README.md."""
    pes = fold.rows * fold.cols
    folds = fold.row_folds * fold.col_folds
    macs = layer.m * layer.n * layer.depth
    skew_again = 0 if fold.output_stationary else fold.cols - 1
    return {
        "overall_util_pct": 100 * macs / (clock.total_cycles * pes),
        "mapping_eff_pct": 100 * fold.height * fold.width / (folds * pes),
        "compute_util_pct": 100 * macs / (folds * pes * (fold.fold_cycles + skew_again)),
    }


def _sram_words(counts: dict[str, int], fold: Folding) -> dict[str, int]:
    """SRAM accesses of the detailed report. The extra writes of os: artefact 2 of README.md."""
    extra = fold.row_folds * fold.col_folds * (fold.rows + fold.cols)
    return {
        "sram_ifmap_reads": counts["input_reads"],
        "sram_filter_reads": counts["weight_reads"],
        "sram_ofmap_writes": counts["psum_writes"] + (extra if fold.output_stationary else 0),
    }
