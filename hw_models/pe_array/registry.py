"""The types of PE array by the `kind` of their spec."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

from hw_models.pe_array.borrowing_array import BorrowingArray, BorrowingSpec
from hw_models.pe_array.dataflow import DataflowArray, DataflowSpec
from hw_models.pe_array.row_stationary import RowStationaryArray, RowStationarySpec
from hw_models.pe_array.spatial import SpatialArray, SpatialSpec
from hw_models.pe_array.systolic import SystolicArray, SystolicSpec
from hw_models.pe_array.timing import PEArray

AnyPEArraySpec = SystolicSpec | SpatialSpec | RowStationarySpec | BorrowingSpec | DataflowSpec

PE_ARRAYS: dict[str, Callable[[Any], PEArray]] = {
    "systolic": SystolicArray,
    "spatial": SpatialArray,
    "row_stationary": RowStationaryArray,
    "borrowing": BorrowingArray,
    "dataflow": DataflowArray,
}
"""kind -> class. A new type of array is a new row here and in `hw_models.spec.PeArraySpec`."""


@lru_cache(maxsize=64)
def pe_array(spec: AnyPEArraySpec) -> PEArray:
    """The array that a spec describes; equal specs share one."""
    return PE_ARRAYS[spec.kind](spec)
