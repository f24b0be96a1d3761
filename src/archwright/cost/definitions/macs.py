"""Multiply-accumulates of convolutions and linear layers on all edges, for one image."""

from archwright.cost.definitions.counts import GraphCount

MACS = GraphCount(
    name="macs",
    title="multiply-accumulates",
    unit="MACs",
    count=True,
    budget_help="Upper limit of multiply-accumulates for one image.",
    target_help="Upper limit of multiply-accumulates after pruning; a value of at most 1 is a "
    "share of the whole network's (else no limit).",
    share=True,
)
