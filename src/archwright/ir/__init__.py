"""The one representation: primitives, expressions, cells, networks, genotypes; and verifiers."""

from archwright.ir.expr import (
    Chain,
    Choice,
    Concat,
    Decision,
    Expr,
    Module,
    Option,
    chain,
    choices,
    choose,
    concat,
    name_slots,
)
from archwright.ir.genotype import Architecture, CellGenotype, Pick, decision_name
from archwright.ir.graph import INPUT, Cell, Edge, Network, Step
from archwright.ir.ops import (
    AvgPool,
    BatchNorm,
    Conv,
    GlobalAvgPool,
    Linear,
    MaxPool,
    ReLU,
    Shuffle,
    Slice,
    Zero,
)
from archwright.ir.primitive import Primitive, Shape
from archwright.ir.verify import verify, verify_discrete
from archwright.ir.walk import connected, walk_network

__all__ = [
    "INPUT",
    "Architecture",
    "AvgPool",
    "BatchNorm",
    "Cell",
    "CellGenotype",
    "Chain",
    "Choice",
    "Concat",
    "Conv",
    "Decision",
    "Edge",
    "Expr",
    "GlobalAvgPool",
    "Linear",
    "MaxPool",
    "Module",
    "Network",
    "Option",
    "Pick",
    "Primitive",
    "ReLU",
    "Shape",
    "Shuffle",
    "Slice",
    "Step",
    "Zero",
    "chain",
    "choices",
    "choose",
    "concat",
    "connected",
    "decision_name",
    "name_slots",
    "verify",
    "verify_discrete",
    "walk_network",
]
