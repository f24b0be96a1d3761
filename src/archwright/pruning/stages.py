"""Stages of a pruning, each by itself: learn gates, delete nodes, fine-tune, score.

The comparison of pruning methods uses the same stages, so that every network is treated alike.
"""

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from archwright import data
from archwright.engine.device import to_device
from archwright.engine.networks.trained import TrainedNetwork
from archwright.engine.runs.checkpoint import load_checkpoint, loading
from archwright.engine.runs.checkpointer import Checkpointer
from archwright.engine.runs.folder import RunFolder, read_config
from archwright.engine.scoring.evaluate import evaluate, scoring_batches
from archwright.errors import RunError
from archwright.graph import Node, Pruning
from archwright.io.tensors import checksum
from archwright.lowering import GraphModule
from archwright.pruning.calibration import calibration_batches
from archwright.pruning.config import PruneConfig
from archwright.pruning.distill import distillation
from archwright.pruning.gates import (
    Gates,
    gate_scores,
    gated_network,
    random_scores,
    sparsity,
    taylor_scores,
)
from archwright.pruning.leave_one_out import in_rounds, leave_one_out
from archwright.pruning.reconstruction import pruned_network, reconstruct
from archwright.pruning.select import Target, attainable, select_greedy, select_measured
from archwright.tasks import Batch
from archwright.training.loop import Loop, augmented_batches, cutout_side
from archwright.training.trainer import Trainer

if TYPE_CHECKING:
    from lightning_fabric import Fabric

State = dict[str, Any]

_SHARED = (
    *("data", "limit", "image_size", "seed", "gate_epochs", "gate_lr", "sparsity"),
    *("batch_size", "lr_min", "momentum", "weight_decay", "clip", "cutout", "precision"),
)
"""Settings that decide which gates are learned."""


@dataclass(frozen=True, kw_only=True)
class GatedNetwork:
    """Whole network with a gate on every node."""

    network: GraphModule
    gates: Gates


@dataclass(frozen=True, kw_only=True)
class PrunedNetwork:
    """Pruned network, before it is fine-tuned."""

    pruning: Pruning
    importance: Mapping[Node, float]
    network: GraphModule


@dataclass(frozen=True, kw_only=True)
class Stages:
    """Common inputs of the stages: a trained network, images, and the configuration."""

    fabric: "Fabric"
    config: PruneConfig
    source: TrainedNetwork
    images: data.ImageData

    @property
    def batches(self) -> data.Batches:
        """Augmented training images, for learning gates and for fine-tuning.

        Raises:
            DataError: a batch is larger than the images.
        """
        recipe = self.config.recipe(epochs=1, lr=self.config.lr)
        return augmented_batches(self.fabric, recipe, self.images)

    def unpruned(self) -> GraphModule:
        """Return the network as it was trained."""
        module = GraphModule(self.source.network)
        module.load_state_dict(dict(self.source.state))
        return to_device(module, self.fabric.device)

    def score(self, network: GraphModule) -> float:
        """Return the task's metric of a network on the test images."""
        batches = scoring_batches(self.fabric, self.images)
        score = evaluate(self.fabric, self.images.task, network, batches.epoch(0)).score
        assert score is not None, "a data set has test images"
        return round(score, 4)

    def gated(self) -> GatedNetwork:
        """Return the network with gates, all of value one."""
        network, gates = gated_network(self.source.network, self.source.state)
        return GatedNetwork(network=to_device(network, self.fabric.device), gates=gates)

    def learn_gates(
        self,
        checkpointer: Checkpointer,
        state: State | None = None,
        extra_state: Callable[[], State] = dict,
        extra_log: Callable[[Gates], State] = lambda gates: {},
    ) -> GatedNetwork:
        """Learn gates for the configured epochs, or continue from `state`; return the network.

        `extra_state` returns further content of checkpoints, `extra_log` further content of an
        epoch's log line.
        """
        config, gated = self.config, self.gated()
        torch.manual_seed(config.seed)
        recipe = config.recipe(epochs=config.gate_epochs, lr=config.gate_lr)
        term = sparsity(gated.gates, config.sparsity)
        trainer = Trainer(self.fabric, self.images.task, gated.network, recipe, term)
        self._loop(checkpointer, extra_state, lambda: extra_log(gated.gates)).run(
            "gated", trainer, state
        )
        return gated

    def learned_gates(self, run: Path) -> GatedNetwork:
        """Return the network with the gates that the pruning in the folder `run` learned.

        Raises:
            RunError: it learned none, or with settings other than configured (one is named).
        """
        held, wanted = read_config(run), self.settings()
        path = RunFolder(run).checkpoint("gates")
        if held.get("kind") != "prune" or not path.is_file():
            raise RunError(f"{run} has learned no gates: give a pruning that did, or leave --gates")
        if held.get("run") != wanted["run"]:
            raise RunError(
                f"{run} learned its gates on another network than {self.source.path}: give a "
                f"pruning of the same one, or leave --gates out"
            )
        for name in _SHARED:
            if held.get(name) != wanted[name]:
                raise RunError(
                    f"{run} learned its gates with {name}={held.get(name)!r}, not "
                    f"{wanted[name]!r}: give the same settings, or leave --gates out"
                )
        gated = self.gated()
        with loading(path):
            gated.network.load_state_dict(load_checkpoint(path)["network"])
        return gated

    @property
    def cutout(self) -> int:
        """Side in pixels of the square that is cut out."""
        return cutout_side(self.config.recipe(epochs=1, lr=self.config.lr), self.images)

    @property
    def input_checksums(self) -> State:
        """Checksums of the networks that other runs supply, recorded in the settings in place of
        paths.
        """
        content: State = {"run": checksum(self.source.state)}
        if self.config.gates is not None:
            path = RunFolder(self.config.gates).checkpoint("gates")
            content["gates"] = checksum(load_checkpoint(path)["network"])
        return content

    def settings(self) -> State:
        """Return the settings and the values resolved from them, as they are recorded."""
        resolved: State = {"cutout": self.cutout, "image_size": self.images.image_size}
        resolved["run"] = checksum(self.source.state)
        return {**self.config.settings(), **resolved}

    def importance(self, gated: GatedNetwork) -> dict[Node, float]:
        """Return the importance of each node; the least important are deleted first."""
        config = self.config
        if config.score == "gate":
            return gate_scores(gated.gates)
        if config.score == "random":
            return random_scores(tuple(gated.gates), config.seed)
        if config.score == "loss":
            return self._loss_scores(gated, frozenset())
        task, batches = self.images.task, self._calibration
        return taylor_scores(task, gated.network, gated.gates, batches)

    def _loss_scores(self, gated: GatedNetwork, deleted: frozenset[Node]) -> dict[Node, float]:
        """Return the rise of the loss for each remaining node that is left out in addition to
        `deleted`.
        """
        pruning = self.config.pruning
        count = len(gated.gates) - len(deleted)
        print(f"trying {count} nodes, {len(deleted)} are gone", file=sys.stderr, flush=True)

        def without(nodes: frozenset[Node]) -> GraphModule:
            return self._fitted(gated, replace(pruning, deleted=nodes))

        nodes = tuple(gated.gates)
        return leave_one_out(self.images.task, without, nodes, deleted, self._calibration)

    @cached_property
    def _calibration(self) -> list[Batch]:
        """Images for fitting fusions and comparing losses, the same for every trial."""
        config = self.config
        return calibration_batches(self.fabric, self.images, config.calibration, config.seed)

    def cut(self, gated: GatedNetwork, targets: Sequence[Target]) -> PrunedNetwork:
        """Return the network without its least important nodes, their replacements fitted.

        If nodes are ranked by the loss, the remaining nodes are scored again after each fraction of
        the way to the targets: the importance of a node depends on which others are already
        deleted.

        Raises:
            ConfigError: a target cannot be met.
        """
        config, pruning = self.config, self.config.pruning
        targets = attainable(dict.fromkeys(gated.gates, 0.0), targets, pruning)

        def nearer(
            importance: Mapping[Node, float], gone: frozenset[Node], part: float
        ) -> frozenset[Node]:
            relaxed = [target.relaxed(part) for target in targets]
            before = replace(pruning, deleted=gone)
            return select_greedy(importance, relaxed, before, per_cost=config.per_cost).deleted

        if config.score == "loss":
            importance, gone = in_rounds(lambda gone: self._loss_scores(gated, gone), nearer)
            pruning = replace(pruning, deleted=gone)
        else:
            importance = self.importance(gated)
        pruning = select_measured(importance, targets, pruning, per_cost=config.per_cost)
        network = self.without(gated, pruning)
        return PrunedNetwork(pruning=pruning, importance=importance, network=network)

    def without(self, gated: GatedNetwork, pruning: Pruning) -> GraphModule:
        """Return the network after `pruning`, the replacements fitted."""
        if pruning.deleted or self.config.drop_gates:
            return self._fitted(gated, pruning)
        return self._left(gated, pruning)

    def _left(self, gated: GatedNetwork, pruning: Pruning) -> GraphModule:
        torch.manual_seed(self.config.seed)  # fusions start alike, whatever was drawn before
        return pruned_network(self.source.network, pruning, gated.network)

    def _fitted(self, gated: GatedNetwork, pruning: Pruning) -> GraphModule:
        """Return the network fitted to the calibration images, even if nothing was deleted."""
        config, network = self.config, self._left(gated, pruning)
        x = torch.cat([images for images, _ in self._calibration])
        anew = not config.keep_statistics
        reconstruct(network, gated.network, pruning.deleted, x, recalibrated=anew)
        return network

    def finetune(
        self,
        network: GraphModule,
        checkpointer: Checkpointer,
        name: str = "pruned",
        state: State | None = None,
        extra_state: Callable[[], State] = dict,
    ) -> GraphModule:
        """Fine-tune a network on the images of the run, or continue from `state`; return the
        network.
        """
        config, task = self.config, self.images.task
        if not config.epochs:
            return network
        torch.manual_seed(config.seed)
        term = None
        if config.distill:
            term = distillation(task, self.unpruned(), config.distill, config.temperature)
        recipe = config.recipe(epochs=config.epochs, lr=config.lr)
        trainer = Trainer(self.fabric, task, network, recipe, term)
        self._loop(checkpointer, extra_state, dict).run(name, trainer, state)
        return trainer.eval_network

    def _loop(
        self,
        checkpointer: Checkpointer,
        extra_state: Callable[[], State],
        extra_log: Callable[[], State],
    ) -> Loop:
        return Loop(
            fabric=self.fabric,
            checkpointer=checkpointer,
            images=self.images,
            batches=self.batches,
            extra_state=extra_state,
            extra_log=extra_log,
        )
