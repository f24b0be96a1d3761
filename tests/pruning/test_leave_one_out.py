"""Nodes ranked by the loss without each."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import torch
from torch.nn import functional

from archwright.engine.setup import load_images
from archwright.graph import Node, Pruning
from archwright.lowering import GraphModule
from archwright.pruning import stages as stages_module
from archwright.pruning.leave_one_out import leave_one_out
from archwright.pruning.prunable import load_prunable
from archwright.pruning.select import Target
from archwright.pruning.stages import Stages
from archwright.spaces import get_space, read_architecture
from archwright.tasks import CLASSIFICATION

from ..engine.helpers import CELL
from ..strategies import images, seeded, tiny
from .helpers import logits, tiny_pruning

if TYPE_CHECKING:
    from lightning_fabric import Fabric

A, B, C = ("cell0", 1), ("cell0", 2), ("cell1", 1)


def test_a_score_is_what_the_mean_loss_over_all_images_rises_by() -> None:
    network = get_space("nasbench201").discrete(read_architecture(CELL), tiny("nasbench201"))
    made: dict[frozenset[Node], GraphModule] = {}

    def without(nodes: frozenset[Node]) -> GraphModule:
        made[nodes] = seeded(network, seed=len(nodes) + 3 * (C in nodes)).train()
        return made[nodes]

    x, labels = images(network, batch=5), torch.tensor([0, 1, 2, 3, 4])
    batches = [(x[:2], labels[:2]), (x[2:], labels[2:])]
    found = leave_one_out(CLASSIFICATION, without, (A, B, C), frozenset({A}), batches)
    assert set(made) == {frozenset({A}), frozenset({A, B}), frozenset({A, C})}

    def loss(nodes: frozenset[Node]) -> float:
        return functional.cross_entropy(made[nodes].eval()(x)[0], labels).item()

    before = loss(frozenset({A}))
    wanted = {node: loss(frozenset({A, node})) - before for node in (B, C)}
    assert found == pytest.approx(wanted, rel=1e-6)


def trying(run: Path, folder: Path, fabric: "Fabric") -> Stages:
    """The stages of a pruning that ranks nodes by the loss."""
    source = load_prunable(run)
    config = tiny_pruning(run, folder / "out", score="loss").on(source.settings)
    return Stages(fabric=fabric, config=config, source=source, images=load_images(config))


def test_a_node_is_tried_again_when_others_are_gone(
    trained: Path, tmp_path: Path, fabric: "Fabric", monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each of two nodes can be spared for the other's sake, but not both."""
    stages = trying(trained, tmp_path, fabric)
    gated = stages.gated()
    first, second, third, *others = gated.gates
    seen: list[frozenset[Node]] = []

    def scores(task, without, nodes, deleted: frozenset[Node], batches) -> Mapping[Node, float]:
        seen.append(deleted)
        found = dict.fromkeys(others, 5.0) | {first: 0.1, second: 0.2, third: 1.0}
        if first in deleted:
            found[second] = 9.0
        return {node: value for node, value in found.items() if node not in deleted}

    monkeypatch.setattr(stages_module, "leave_one_out", scores)
    target = Target(name="--macs", unit="MACs", limit=98, cost=lambda p: 100.0 - len(p.deleted))
    cut = stages.cut(gated, [target])
    assert seen == [frozenset(), frozenset({first}), frozenset({first, third})]
    assert cut.pruning.deleted == {first, third}
    assert cut.importance[second] == 9.0
    alone = stages.cut(gated, [Target(name="", unit="", limit=99, cost=target.cost)])
    assert alone.pruning.deleted == {first}


def test_a_network_that_trials_decide_on(trained: Path, tmp_path: Path, fabric: "Fabric") -> None:
    """The node that goes is the one without which the loss was least."""
    stages = trying(trained, tmp_path, fabric)
    gated = stages.gated()
    target = Target(name="--macs", unit="MACs", limit=99, cost=lambda p: 100.0 - len(p.deleted))
    cut = stages.cut(gated, [target])
    (gone,) = cut.pruning.deleted
    importance = stages.importance(gated)
    assert importance[gone] == min(importance.values())
    (x, labels) = next(iter(stages._calibration))

    def loss(*nodes: Node) -> float:
        pruning = Pruning(deleted=frozenset(nodes), fusion=stages.config.pruning.fusion)
        return CLASSIFICATION.loss(logits(stages._fitted(gated, pruning), x), labels).item()

    for node, value in importance.items():
        assert value == pytest.approx(loss(node) - loss(), rel=1e-4, abs=1e-6)
