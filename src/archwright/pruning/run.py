"""Pruning from start to end: learn gates, delete nodes, fit their replacements, fine-tune.

Each stage continues from its own checkpoint: `gates` while gates are learned, `tuning` after nodes
are deleted.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from archwright.cost import graph_cost
from archwright.engine.device import describe_hardware, make_fabric, to_device, versions
from archwright.engine.networks.network_file import save_graph, write_graph
from archwright.engine.networks.trained import TrainedNetwork
from archwright.engine.networks.weights import save_network
from archwright.engine.runs.checkpoint import loading, save_checkpoint
from archwright.engine.runs.checkpointer import Checkpointer
from archwright.engine.runs.folder import RunFolder
from archwright.engine.setup import load_images, open_run_folder, require_trainable
from archwright.graph import Cell, Node, Pruning
from archwright.graph.passes.rewire import deletable, rewire
from archwright.lowering import GraphModule
from archwright.pruning.config import PruneConfig
from archwright.pruning.gates import Gates
from archwright.pruning.latency import measured_latency
from archwright.pruning.prunable import load_prunable, require_fit
from archwright.pruning.result import PruneResult, measured
from archwright.pruning.select import Target
from archwright.pruning.stages import GatedNetwork, PrunedNetwork, Stages
from archwright.pruning.targets import require_reachable, targets_of
from archwright.spaces import get_space, write_architecture

State = dict[str, Any]


def prune(config: PruneConfig) -> PruneResult:
    """Prune a network, or continue a pruning, and leave its run folder complete.

    Raises:
        ConfigError: a setting does not fit, or a target cannot be met (with the least that can).
        DataError: the images cannot be used.
        RunError: the given run has no network to prune; the run folder exists, or is of another
            configuration.
        DivergedError: the loss is no longer finite.
    """
    source = load_prunable(config.run, None if config.space is None else get_space(config.space))
    config = config.on(source.settings)
    fabric = make_fabric(config.device, config.precision)
    images = load_images(config)
    require_fit(source, images)
    stages = Stages(fabric=fabric, config=config, source=source, images=images)
    finished = RunFolder(config.out).result() if config.resume else None
    run = _Pruning(stages, [] if finished else targets_of(config, source.network))
    resolved = {
        **{"channels": source.size.channels, "cells": source.size.cells},
        **source.space.settings,
        "architecture": write_architecture(source.architecture),
        "inherit": source.settings.get("inherit"),
        "cutout": stages.cutout,
        **stages.input_checksums,
    }
    with open_run_folder(fabric, config, "prune", images, resolved) as folder:
        finished = folder.result()
        if finished is None:
            return run.run(Checkpointer(folder, fabric, config.checkpoint_seconds))
    return PruneResult.from_json({**finished, "out": str(config.out)}, images.task)


class _Pruning:
    """Pruning while it runs; `facts` holds the results of finished stages."""

    checkpointer: Checkpointer

    def __init__(self, stages: Stages, targets: list[Target]) -> None:
        self.stages, self.targets = stages, targets
        self.config, self.source = stages.config, stages.source
        self.metric = stages.images.task.metric.key
        network, size = self.source.network, self.config.batch_size
        require_trainable(stages.fabric, self.config, network, size, "this network")
        _ = stages.batches
        if self.config.gates is not None:
            stages.learned_gates(self.config.gates)
        if targets:
            require_reachable(self.source.network, targets, self.config.pruning)
        self.facts: State = {}

    def run(self, checkpointer: Checkpointer) -> PruneResult:
        """Run every stage that is left."""
        self.checkpointer = checkpointer
        state = checkpointer.restore() or {}
        if state:
            self.facts = state["facts"]
        else:
            self._begin()
        if state.get("stage") != "tuning":
            pruned = self._cut(self._gates(state)).network
            state = {"stage": "tuning", "network": pruned.state_dict(), "trainer": None}
            checkpointer.save({**state, "facts": self.facts})
        return self._tune(state)

    def _begin(self) -> None:
        self.facts["score_before"] = self.stages.score(self.stages.unpruned())
        if self.checkpointer.writes:
            self.checkpointer.folder.log.write(
                "start",
                kind="prune",
                params=self.source.cost.params,
                **{self.metric: self.facts["score_before"]},
                versions=versions(),
                hardware=describe_hardware(self.stages.fabric.device),
            )

    def _gates(self, state: State) -> GatedNetwork:
        """Return the gated network; its gates are learned, or read from another run, if they rank
        the nodes.
        """
        config, stages = self.config, self.stages
        if config.score != "gate":
            return stages.gated()
        if config.gates is not None:
            return stages.learned_gates(config.gates)
        held = {"stage": "gates", "facts": self.facts}
        gated = stages.learn_gates(self.checkpointer, state or None, lambda: held, _noted)
        if self.checkpointer.writes:
            path = self.checkpointer.folder.checkpoint("gates")
            content = {"network": gated.network.state_dict()}
            save_checkpoint(path, content, stages.fabric.device)
        return gated

    def _cut(self, gated: GatedNetwork) -> PrunedNetwork:
        """Return the network without its least important nodes."""
        cut = self.stages.cut(gated, self.targets)
        facts, pruning = self.facts, cut.pruning
        facts["deleted"] = [list(node) for node in sorted(pruning.deleted)]
        facts["score_pruned"] = self.stages.score(cut.network)
        facts["latency_ms"] = [None, None]
        if self.config.latency_ms is not None:
            (timed,) = (t.measured for t in self.targets if t.measured is not None)
            facts["latency_ms"] = [measured_latency(self.source.network), timed(pruning)]
        if self.checkpointer.writes:
            folder, found = (
                self.checkpointer.folder,
                replace(self.source.architecture, pruning=pruning),
            )
            write_graph(folder.unpruned, self.source.network)
            save_graph(folder, found, cut.network.network)  # which the next checkpoints go with
            folder.log.write(
                "pruned",
                deleted=pruning.by_place(),
                kinds=_kinds(self.source),
                importance=_shown(cut.importance),
                macs=graph_cost(cut.network.network).macs,
                **{self.metric: facts["score_pruned"]},
                seconds=self.checkpointer.tick(),
            )
        return cut

    def _tune(self, state: State) -> PruneResult:
        """Fine-tune the pruned network, and write the result."""
        deleted = frozenset((str(step), int(node)) for step, node in self.facts["deleted"])
        pruning = replace(self.config.pruning, deleted=deleted)
        network = GraphModule(rewire(self.source.network, pruning))
        if not state["trainer"]:
            with loading(self.checkpointer.folder.checkpoint("last")):
                network.load_state_dict(state["network"])
        held = {"stage": "tuning", "facts": self.facts}
        network = self.stages.finetune(
            to_device(network, self.stages.fabric.device),
            self.checkpointer,
            state=state if state["trainer"] else None,
            extra_state=lambda: held,
        )
        return self._finish(pruning, network)

    def _finish(self, pruning: Pruning, network: GraphModule) -> PruneResult:
        source, facts = self.source, self.facts
        architecture = replace(source.architecture, pruning=pruning)
        pruned = replace(source, architecture=architecture, network=network.network)
        before = measured("unpruned", source, facts["score_before"])
        after = measured("pruned", pruned, self.stages.score(network))
        latency_before, latency_after = facts["latency_ms"]
        result = PruneResult(
            architecture=after.architecture,
            macs_before=before.macs,
            macs_after=after.macs,
            params_before=before.params,
            params_after=after.params,
            published_params=after.published_params,
            published_macs=after.published_macs,
            nodes_deleted=len(pruning.deleted),
            counted_at=source.size,
            metric=self.metric,
            score_before=before.score,
            score_pruned=facts["score_pruned"],
            score_after=after.score,
            latency_ms_before=latency_before,
            latency_ms_after=latency_after,
            seconds=self.checkpointer.tick(),
            out=self.checkpointer.folder.path,
            rows=(after, before),
        )
        if self.checkpointer.writes:
            save_network(self.checkpointer.folder, architecture, network)
            self.checkpointer.finish(result.to_json())
        return result


def _noted(gates: Gates) -> State:
    return {"gates": _shown({node: float(gate.detach()) for node, gate in gates.items()})}


def _shown(values: Mapping[Node, float]) -> dict[str, float]:
    """Return the values of nodes by their name in the log: `cell0:2` is node 2 of cell0."""
    return {f"{step}:{node}": value for (step, node), value in values.items()}


def _kinds(source: TrainedNetwork) -> dict[str, str]:
    """Return the kind of each cell with nodes that can be deleted."""
    places = {step for step, _ in deletable(source.network)}
    steps = (step for step in source.network.steps if step.name in places)
    return {step.name: step.body.kind for step in steps if isinstance(step.body, Cell)}
