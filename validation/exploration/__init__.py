"""Stream's exploration: networks on its single-core and multi-core chips, fused and not."""
