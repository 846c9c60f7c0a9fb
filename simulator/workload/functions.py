"""Names of the functions that the vector unit computes, by the node type they come from.

The names are what `Layer.function` and `Layer.post_ops` hold. A hardware model that charges
cycles or energy by function needs an entry, or a default, for each name in FUNCTIONS.
"""

from __future__ import annotations

UNARY = {
    "Abs": "abs",
    "Ceil": "round",
    "Celu": "elu",
    "Clip": "clip",
    "Cos": "cos",
    "Elu": "elu",
    "Erf": "erf",
    "Exp": "exp",
    "Floor": "round",
    "Gelu": "gelu",
    "HardSigmoid": "hard_sigmoid",
    "HardSwish": "hard_swish",
    "LeakyRelu": "leaky_relu",
    "Log": "log",
    "Mish": "mish",
    "Neg": "neg",
    "Not": "not",
    "PRelu": "prelu",
    "Reciprocal": "reciprocal",
    "Relu": "relu",
    "Round": "round",
    "Selu": "elu",
    "Sigmoid": "sigmoid",
    "Sign": "sign",
    "Sin": "sin",
    "Softplus": "softplus",
    "Softsign": "softsign",
    "Sqrt": "sqrt",
    "Swish": "silu",
    "Tanh": "tanh",
    "ThresholdedRelu": "relu",
}
"""Element by element, from one tensor."""

EXPRESSIONS = ("gelu", "gelu_tanh", "gelu_sigmoid", "silu", "hard_swish", "mish", "square", "cube")
"""Functions that models spell out with several nodes (`expressions.py` recognises them)."""

BINARY = {
    "Add": "add",
    "And": "logic",
    "Div": "div",
    "Equal": "compare",
    "Greater": "compare",
    "GreaterOrEqual": "compare",
    "Less": "compare",
    "LessOrEqual": "compare",
    "Max": "max2",
    "Mean": "mean",
    "Min": "min2",
    "Mod": "mod",
    "Mul": "mul",
    "Or": "logic",
    "Pow": "pow",
    "Sub": "sub",
    "Sum": "add",
    "Where": "where",
    "Xor": "logic",
}
"""Element by element, from several tensors, with broadcasting."""

WITH_SCALAR = {
    "add": "add_scalar",
    "compare": "compare",
    "div": "mul_scalar",
    "logic": "logic",
    "max2": "clip",
    "mean": "add_scalar",
    "min2": "clip",
    "mod": "mod",
    "mul": "mul_scalar",
    "pow": "pow",
    "sub": "add_scalar",
    "where": "where",
}
"""What a binary function becomes when all operands but one are constant scalars: a unary one."""

AFFINE = frozenset({"add", "sub", "mul", "div", "multiply_add"})
"""With a constant per channel, these fold into weights and bias (`epilogue.py`)."""

REDUCTIONS = {
    "ArgMax": "argmax",
    "ArgMin": "argmax",
    "ReduceL1": "sum",
    "ReduceL2": "sum_square",
    "ReduceMax": "max",
    "ReduceMean": "average",
    "ReduceMin": "min",
    "ReduceProd": "product",
    "ReduceSum": "sum",
    "ReduceSumSquare": "sum_square",
}
"""Over some axes of one tensor."""

OTHERS = frozenset(
    {
        *("multiply_add", "softmax", "log_softmax"),
        *("layer_norm", "rms_norm", "group_norm", "instance_norm", "lp_norm", "lrn"),
        *("concat", "pad", "gather", "lookup", "nearest", "linear", "cubic"),
    }
)
"""Functions with a meaning of their own: normalisations, softmax and movement of data."""

FUNCTIONS = (
    frozenset({*UNARY.values(), *EXPRESSIONS, *BINARY.values(), *WITH_SCALAR.values()})
    | {*REDUCTIONS.values()}
    | OTHERS
    | {"relu6"}
)
"""Every name that an imported layer can carry."""
