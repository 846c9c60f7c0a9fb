"""The analytical models, by name."""

from __future__ import annotations

from validation.analytical import eyeriss, roofline, scalesim, serial, sparse, zigzag
from validation.analytical.prediction import Model

MODELS: dict[str, Model] = {
    module.MODEL.name: module.MODEL
    for module in (roofline, scalesim, zigzag, eyeriss, serial, sparse)
}
