"""A pruning from start to end: gates, the nodes that go, what stands in for them, fine-tuning.

Each stage goes on from its own checkpoint: `gates` while gates are learned, `tuning` once nodes
are deleted.
"""

from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from archwright import data
from archwright.cost import graph_cost
from archwright.ir import Network, Node, Pruning, deletable
from archwright.lower import NaiveNetwork
from archwright.prune.calibration import calibration_batches, calibration_images
from archwright.prune.compensate import fit, pruned_network
from archwright.prune.config import PruneConfig
from archwright.prune.distill import distillation
from archwright.prune.gates import (
    Gates,
    gate_scores,
    gated_network,
    random_scores,
    sparsity,
    taylor_scores,
)
from archwright.prune.result import PruneResult, row
from archwright.prune.select import select
from archwright.prune.source import Source, read_source
from archwright.prune.targets import require_reachable, targets_of
from archwright.runs.checkpoint import loading
from archwright.runs.device import describe_hardware, make_fabric, versions
from archwright.runs.keeper import Keeper
from archwright.runs.start import load_images, require_trainable, start
from archwright.spaces import write_architecture
from archwright.train.evaluate import evaluate, scoring_batches
from archwright.train.loop import Loop, augmented_batches, cutout_side
from archwright.train.trainer import Trainer
from archwright.train.weights import save_network

if TYPE_CHECKING:
    from lightning_fabric import Fabric

State = dict[str, Any]


def prune(config: PruneConfig) -> PruneResult:
    """Prune a network, or go on with one, and leave its run folder complete.

    Raises:
        ConfigError: a setting does not fit, or a target cannot be met (with the least that can).
        DataError: the images cannot be used.
        RunError: there is nothing to prune where it is said to be; the run folder exists, or is of
            another configuration.
        DivergedError: the loss is no longer finite.
    """
    source = read_source(config.run)
    config = config.on(source.settings)
    fabric = make_fabric(config.device, config.precision)
    images = load_images(config)
    source.require_fit(images)
    run = _Pruning(config, fabric, source, images)
    resolved = {
        **{"channels": source.size.channels, "cells": source.size.cells},
        "space": source.space.origin or source.space.name,
        "architecture": write_architecture(source.architecture),
        "inherit": source.settings.get("inherit"),
        "cutout": cutout_side(config.recipe(epochs=1, lr=config.lr), images),
    }
    folder = start(fabric, config, "prune", images, resolved)
    finished = folder.result()
    if finished is None:
        return run.run(Keeper(folder, fabric, config.checkpoint_seconds))
    return PruneResult.from_json({**finished, "out": str(config.out)})


class _Pruning:
    """One pruning while it runs; `facts` is what its finished stages found."""

    keeper: Keeper

    def __init__(
        self, config: PruneConfig, fabric: "Fabric", source: Source, images: data.ImageData
    ) -> None:
        self.config, self.fabric, self.source, self.images = config, fabric, source, images
        self.whole = source.network
        require_trainable(fabric, config, self.whole, config.batch_size, "this network")
        self.batches = augmented_batches(fabric, config.recipe(epochs=1, lr=config.lr), images)
        self.targets = targets_of(config, self.whole)
        require_reachable(self.whole, self.targets, config.pruning)
        self.facts: State = {}

    def run(self, keeper: Keeper) -> PruneResult:
        """Every stage that is left."""
        self.keeper = keeper
        state = keeper.restore() or {}
        if state:
            self.facts = state["facts"]
        else:
            self._begin()
        if state.get("stage") != "tuning":
            gated, gates = self._gates(state)
            torch.manual_seed(self.config.seed)  # fusions start alike, whatever was resumed
            pruned = self._cut(gated, gates)
            state = {"stage": "tuning", "network": pruned.state_dict(), "trainer": None}
            keeper.save({**state, "facts": self.facts})
        return self._tune(state)

    def _begin(self) -> None:
        module = NaiveNetwork(self.whole)
        module.load_state_dict(dict(self.source.state))
        self.facts["top1_before"] = self._top1(module.to(self.fabric.device))
        if self.keeper.writes:
            self.keeper.folder.log.write(
                "start",
                kind="prune",
                params=graph_cost(self.whole).params,
                decisions=_shown(deletable(self.whole)) if self.config.pruning.gated else {},
                top1=self.facts["top1_before"],
                versions=versions(),
                hardware=describe_hardware(self.fabric.device),
            )

    def _gates(self, state: State) -> tuple[NaiveNetwork, Gates]:
        """The gated network; its gates are learned if they rank the nodes."""
        gated, gates = gated_network(self.whole, self.source.state)
        gated.to(self.fabric.device)
        epochs = self.config.gate_epochs
        if not self.config.pruning.gated or not epochs:
            return gated, gates
        torch.manual_seed(self.config.seed)
        recipe = self.config.recipe(epochs=epochs, lr=self.config.gate_lr)
        term = sparsity(gates, self.config.sparsity)
        trainer = Trainer(self.fabric, gated, recipe, term)
        loop = self._loop("gates", lambda: {"alpha": _shown_values(gates)})
        loop.run("gated", trainer, state or None)
        return gated, gates

    def _cut(self, gated: NaiveNetwork, gates: Gates) -> NaiveNetwork:
        """The network without its least important nodes, fusions fitted."""
        config = self.config
        if config.score == "gate":
            scores = gate_scores(gates)
        elif config.score == "taylor":
            batches = calibration_batches(self.fabric, config, self.images)
            scores = taylor_scores(gated, gates, batches)
        else:
            scores = random_scores(tuple(gates), config.seed)
        pruning = select(self.whole, scores, self.targets, config.pruning, per_cost=config.per_cost)
        pruned = pruned_network(self.whole, pruning, gated)
        if pruning.fusion.aggregation != "sum":
            fit(pruned, gated, pruning.deleted, self._calibration())
        self.facts["deleted"] = [list(node) for node in sorted(pruning.deleted)]
        self.facts["top1_pruned"] = self._top1(pruned)
        if self.keeper.writes:
            self.keeper.folder.log.write(
                "pruned",
                deleted=pruning.by_place(),
                importance={f"{step}:{node}": value for (step, node), value in scores.items()},
                macs=graph_cost(pruned.network).macs,
                top1=self.facts["top1_pruned"],
                seconds=self.keeper.tick(),
            )
        return pruned

    def _tune(self, state: State) -> PruneResult:
        """Fine-tune what is left, and write it down."""
        config = self.config
        deleted = frozenset((str(step), int(node)) for step, node in self.facts["deleted"])
        pruning = replace(config.pruning, deleted=deleted)
        torch.manual_seed(config.seed)
        gated, _ = gated_network(self.whole, self.source.state)
        pruned = pruned_network(self.whole, pruning, gated).to(self.fabric.device)
        if not state["trainer"]:
            with loading(self.keeper.folder.checkpoint("last")):
                pruned.load_state_dict(state["network"])
        network = pruned
        if config.epochs:
            recipe = config.recipe(epochs=config.epochs, lr=config.lr)
            trainer = Trainer(self.fabric, pruned, recipe, self._distillation())
            loop = self._loop("tuning", dict)
            loop.run("pruned", trainer, state if state["trainer"] else None)
            network = trainer.scored
        return self._finish(pruning, network)

    def _finish(self, pruning: Pruning, network: NaiveNetwork) -> PruneResult:
        source, facts = self.source, self.facts
        architecture = replace(source.architecture, pruning=pruning)
        top1 = self._top1(network)
        before = row(
            "unpruned", source.space, source.architecture, source.size, facts["top1_before"]
        )
        after = row("pruned", source.space, architecture, source.size, top1)
        result = PruneResult(
            macs_before=before.macs,
            macs_after=after.macs,
            params_before=before.params,
            params_after=after.params,
            nodes_deleted=len(pruning.deleted),
            top1_before=before.top1,
            top1_pruned=facts["top1_pruned"],
            top1_after=after.top1,
            seconds=self.keeper.tick(),
            out=self.keeper.folder.path,
        )
        if self.keeper.writes:
            save_network(self.keeper.folder, architecture, network)
            rows = [asdict(after), asdict(before)]
            self.keeper.folder.log.write("result", **result.to_json(), rows=rows)
        return result

    def _loop(self, stage: str, noted: Any) -> Loop:
        return Loop(
            fabric=self.fabric,
            keeper=self.keeper,
            images=self.images,
            batches=self.batches,
            held=lambda: {"stage": stage, "facts": self.facts},
            noted=noted,
        )

    def _top1(self, network: NaiveNetwork) -> float:
        batches = scoring_batches(self.fabric, self.images)
        top1 = evaluate(self.fabric, network, batches.epoch(0)).top1
        assert top1 is not None, "a data set has test images"
        return round(top1, 4)
