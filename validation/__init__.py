"""Is it right: reference data, analytical models, peers and benchmarks."""
