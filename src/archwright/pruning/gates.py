"""Gates on the nodes of a network, and the importance of nodes that follows from them.

Legend: B batch, C channels, H height, W width; g the gate of a node, L the loss.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from archwright.engine.scoring.evaluate import LabelledBatches
from archwright.graph import Network, Node, Pruning
from archwright.graph.passes.rewire import deletable, gate_slot, rewire
from archwright.lowering import GraphModule
from archwright.tasks import Outputs, Task
from archwright.training.trainer import LossTerm

Gates = dict[Node, nn.Parameter]
"""The gate [1, 1, 1] of each node, in the order of evaluation."""


def gated_network(whole: Network, state: Mapping[str, Tensor]) -> tuple[GraphModule, Gates]:
    """Return the network `whole` with its weights `state`, and with a gate of value one on every
    node.
    """
    module = GraphModule(rewire(whole, Pruning(gated=True)))
    module.load_state_dict({**module.state_dict(), **state})
    gates = {
        node: module.get_parameter(f"slots.{gate_slot(*node)}.weight") for node in deletable(whole)
    }
    return module, gates


def sparsity(gates: Gates, strength: float) -> LossTerm:
    """Return the loss term that pulls gates towards zero: `strength` times the sum of |g|."""

    def term(images: Tensor, outputs: Outputs) -> Tensor:
        return strength * torch.cat([gate.flatten() for gate in gates.values()]).abs().sum()

    return term


def gate_scores(gates: Gates) -> dict[Node, float]:
    """Return |g| of each node."""
    return {node: abs(float(gate.detach())) for node, gate in gates.items()}


def taylor_scores(
    task: Task, gated: GraphModule, gates: Gates, batches: LabelledBatches
) -> dict[Node, float]:
    """Return the mean over batches of |g dL/dg| for each node, in evaluation mode.

    This is the change of L without the node, to first order (Molchanov et al., Importance
    Estimation for Neural Network Pruning, CVPR 2019).
    """
    training = gated.training
    gated.eval()
    totals = torch.zeros(len(gates), dtype=torch.float64)
    count = 0
    for images, targets in batches:
        outputs, _ = gated(images)
        loss = task.loss(outputs, targets)
        gradients = torch.autograd.grad(loss, list(gates.values()), materialize_grads=True)
        parts = [
            float((gate.detach() * gradient).abs())
            for gate, gradient in zip(gates.values(), gradients, strict=True)
        ]
        totals += torch.tensor(parts, dtype=torch.float64)
        count += 1
    gated.train(training)
    return dict(zip(gates, (totals / max(count, 1)).tolist(), strict=True))


def random_scores(nodes: Sequence[Node], seed: int) -> dict[Node, float]:
    """Return a uniformly random number for each node."""
    return dict(zip(nodes, np.random.default_rng(seed).random(len(nodes)).tolist(), strict=True))
