"""What sparsity support brings and costs: networks on sparse cores, against a dense one."""
