"""Tiny prunings, and random networks with nodes to delete."""

from pathlib import Path
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn
from torch import Tensor

from archwright.graph import Network, Node, named_fusion
from archwright.graph.passes.rewire import deletable
from archwright.lowering import GraphModule
from archwright.pruning.config import PruneConfig

from ..strategies import any_space, architectures, tiny

FUSIONS = ("sum", "linear", "se", "linear+se")


def tiny_pruning(run: Path, out: Path, **changes: Any) -> PruneConfig:
    """Two epochs of three steps for the gates, and two for the fine-tuning."""
    settings: dict[str, Any] = {
        **{"macs": 0.8, "gate_epochs": 2, "epochs": 2, "batch_size": 16, "calibration": 20},
        **{"score": "gate", "device": "cpu"},
    }
    settings |= changes
    if settings["score"] != "gate":
        del settings["gate_epochs"]
    return PruneConfig(run=run, out=out, **settings)


@st.composite
def networks(draw: DrawFn) -> Network:
    """A random network with cells, of one of the spaces with nodes to delete."""
    space = any_space(draw(st.sampled_from(("nasbench201", "darts", "user"))))
    drawn = architectures(space).map(lambda a: space.discrete(a, tiny(space.name)))
    return draw(drawn.filter(lambda network: bool(deletable(network))))


def some_nodes(network: Network) -> st.SearchStrategy[frozenset[Node]]:
    """At least one node that can be deleted."""
    return st.sets(st.sampled_from(deletable(network)), min_size=1).map(frozenset)


fusions = st.builds(
    named_fusion, st.sampled_from(FUSIONS), per=st.sampled_from(("scalar", "channel"))
)


def logits(network: GraphModule, x: Tensor) -> Tensor:
    """What it answers in evaluation mode."""
    return network.eval()(x)[0].detach()
