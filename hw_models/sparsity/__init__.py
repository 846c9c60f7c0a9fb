"""Sparsity as data: masks of operands, and the design points of sparse cores."""
