"""Bits of an integer in compiled functions."""
# mypy: disable-error-code="no-untyped-def, import-untyped"

from __future__ import annotations

from llvmlite import ir
from numba import types
from numba.extending import intrinsic


@intrinsic
def trailing_zeros(_context, bits):
    """Number of the lowest bit that is set, of an int64 that isn't 0: one machine instruction."""

    def generate(_target, builder, _signature, arguments):
        return builder.cttz(arguments[0], ir.Constant(ir.IntType(1), 1))

    return types.int64(types.int64), generate
