"""What the hardware is and how long it takes: specs, presets, kernels, processes, cost."""
