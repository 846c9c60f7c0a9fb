"""What the validators of fused multi-core chips share: workloads, tables and runs."""
