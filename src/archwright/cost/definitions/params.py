"""Number of learned weights on all edges; those of a shared slot count once."""

from archwright.cost.definitions.counts import GraphCount

PARAMS = GraphCount(
    name="params",
    title="parameters",
    unit="parameters",
    count=True,
    budget_help="Upper limit of parameters.",
    target_help="Upper limit of parameters after pruning; a value of at most 1 is a share of the "
    "whole network's (else no limit).",
    share=True,
)
