"""Search by one supernet: images, the loop, the derived architecture."""

from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from itertools import islice
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from archwright import data
from archwright.cost import graph_cost
from archwright.engine.device import describe_hardware, make_fabric, versions
from archwright.engine.progress import ProgressBar
from archwright.engine.runs.checkpoint import loading, restore_random
from archwright.engine.runs.checkpointer import Checkpointer
from archwright.engine.runs.folder import SCHEMA
from archwright.engine.setup import (
    load_images,
    open_run_folder,
    require_trainable,
    size_for,
    training_batches,
)
from archwright.graph import Architecture, Network
from archwright.graph.passes.shrinking import Shrinking
from archwright.graph.passes.simplification import check_pointwise, simplify
from archwright.io.files import write_json
from archwright.lowering import FusedNetwork, GraphModule
from archwright.nas.bilevel.bilevel import Bilevel
from archwright.nas.budget.constraints import SearchConstraints, build_constraints
from archwright.nas.config import SearchConfig, require_alpha
from archwright.nas.derive.oneshot import best_of
from archwright.nas.derive.selection import OneShotEvaluator, ParetoPoint
from archwright.nas.loop.result import SearchResult, save_derived_network
from archwright.nas.method import Method, Progress
from archwright.nas.monitor.collapse import CollapseMonitor, check_watch
from archwright.nas.monitor.statistics import OperationRoles
from archwright.nas.recipe import Recipe
from archwright.nas.shrinker import ProgressiveShrinker
from archwright.spaces import get_space, write_architecture
from archwright.tasks import Batch

if TYPE_CHECKING:
    from lightning_fabric import Fabric

_SCORED = 8
"""Batches of alpha's images on which sampled architectures are compared."""


def search_single(config: SearchConfig) -> SearchResult:
    """Run or resume a search by one supernet, and complete its run folder.

    Raises:
        ConfigError, DataError, RunError, DivergedError: as `search`.
    """
    return resume_or_run(config, SearchRun.run)


def resume_or_run(
    config: SearchConfig, go: Callable[["SearchRun", Checkpointer], SearchResult]
) -> SearchResult:
    """Return the result of a run folder that has ended, else run `go` in it.

    Raises:
        ConfigError, DataError, RunError, DivergedError: as `search`.
    """
    run = build_run(config)
    with open_run_folder(run.fabric, config, "search", run.images, run.resolved) as folder:
        finished = folder.result()
        if finished is None:
            return go(run, Checkpointer(folder, run.fabric, config.checkpoint_seconds))
    return SearchResult.from_json({**finished, "out": str(config.out)}, run.space)


def build_run(config: SearchConfig) -> "SearchRun":
    """Build a search, with all checks that are possible before it starts.

    Raises:
        ConfigError, DataError: as `search`.
    """
    space, config = get_space(config.space), config.with_preset()
    method = config.build_method()
    recipe = config.recipe(method.recipe(space.name))
    watch = check_watch(method, config.method, config.watch, config.stop_early, recipe)
    require_alpha(method, config)
    channels = config.channels or space.search_size[0]
    cells = config.cells or space.search_size[1]
    fabric = make_fabric(config.device, config.precision, config.devices)
    images = load_images(config)
    space, size = replace(space, task=images.task), size_for(images, channels, cells)
    ranks_none = method.ranks_none if config.keep_null is None else config.keep_null
    config = replace(config, watch=watch, keep_null=ranks_none)
    constraints = build_constraints(config, space, size, images, ranks_none=ranks_none)
    supernet = method.supernet(space.supernet(size))
    check_pointwise(supernet, config.simplification, space.name)
    supernet = simplify(supernet, config.simplification)
    require_trainable(fabric, config, supernet, recipe.batch_size, "this supernet")
    return SearchRun(config, fabric, constraints, recipe, images, method, supernet)


class SearchRun:
    """Running search by one supernet."""

    checkpointer: Checkpointer
    monitor: CollapseMonitor

    def __init__(
        self,
        config: SearchConfig,
        fabric: "Fabric",
        constraints: SearchConstraints,
        recipe: Recipe,
        images: data.ImageData,
        method: Method,
        supernet: Network,
    ) -> None:
        self.config, self.fabric, self.constraints = config, fabric, constraints
        self.space, self.size = constraints.space, constraints.size
        self.recipe, self.images = recipe, images
        self.method, self.supernet = method, supernet
        self.shrinker: ProgressiveShrinker | None = None
        if method.progressive_shrinking:
            self.shrinker = ProgressiveShrinker(supernet, alpha_start=recipe.alpha_start)
        weights_set, alpha_set = data.search_split(images.train)
        self.weights_batches, self.alpha_batches = (
            training_batches(fabric, config, images, recipe.batch_size, stream=stream, part=part)
            for stream, part in (("weights", weights_set), ("alpha", alpha_set))
        )

    @property
    def resolved(self) -> dict[str, Any]:
        """Resolved settings of the method, its recipe and the space."""
        config, size, method = self.config, self.size, self.method
        return {
            **asdict(method),
            **{**asdict(self.recipe), "watch": config.watch, "keep_null": config.keep_null},
            **self.space.settings,
            **{"channels": size.channels, "cells": size.cells, "limit": config.limit},
            "derivation": config.derivation,
        }

    def run(self, checkpointer: Checkpointer) -> SearchResult:
        """Run the remaining steps, then derive the architecture."""
        self.checkpointer = checkpointer
        bilevel = self.build_bilevel()
        self.monitor = self.build_monitor(bilevel)
        state = checkpointer.restore()
        epoch, step = 0, 0
        if state:
            with loading(checkpointer.folder.checkpoint("last")):
                self.restore(bilevel, state)
                self.monitor.load_state(state["watch"])
                epoch, step = state["epoch"], state["step"]
                restore_random(state, self.fabric.device)
        elif checkpointer.writes:
            self.log_start(checkpointer, bilevel)
        epochs = self.recipe.epochs if self.method.trains else 0
        total = epochs * len(self.weights_batches)
        done = epoch * len(self.weights_batches) + step
        title = f"search {self.space.name}"
        with ProgressBar(title, total, done, visible=checkpointer.writes) as bar:
            for current in range(epoch, epochs):
                if self.monitor.stop_epoch is not None:
                    break
                self._epoch(bilevel, current, step, bar)
                step = 0
        return self._finish(bilevel)

    def build_bilevel(self) -> Bilevel:
        """Return the supernet and alpha with their initial values."""
        torch.manual_seed(self.config.seed)
        method = self.method
        return Bilevel(
            self.fabric,
            self.images.task,
            self._lowered(self.supernet),
            method,
            self.recipe,
            self.constraints.lagrangian(self._alpha_steps) if method.learns else None,
            self.constraints.encoding,
            nested=self.config.derivation == "nested",
        )

    def restore(self, bilevel: Bilevel, state: dict[str, Any]) -> None:
        """Restore a checkpoint, with the candidates that remained then."""
        if self.shrinker is not None:
            self.shrinker.load_state(state["left"])
            for remaining in self.shrinker.history:
                self._shrink(bilevel, remaining)
        bilevel.load_state(state)

    def _shrink(self, bilevel: Bilevel, remaining: Tensor) -> None:
        """Restrict the graph to the remaining candidates, simplify it and lower it again."""
        assert self.shrinker is not None, "asked for where candidates are pruned"
        numbers = self.shrinker.numbers(remaining)
        graph = Shrinking(numbers)(bilevel.network.network).network
        graph = simplify(graph, self.config.simplification)
        with torch.random.fork_rng(devices=()):  # the first weights of a module are not used
            bilevel.shrink(self._lowered(graph), remaining)
        self.constraints = self.constraints.narrowed(self.shrinker.allowed(remaining))
        if bilevel.lagrangian is not None:
            bilevel.lagrangian.narrow(self.constraints.strongest)

    def build_monitor(self, bilevel: Bilevel) -> CollapseMonitor:
        """Return the monitor that measures indicators of collapse."""
        return CollapseMonitor(
            bilevel,
            OperationRoles.of(self.space.supernet(self.size)),
            self.config.stop_early,
            none_op=None if self.constraints.ranks_none else self.space.null,
            batches=self.alpha_batches if self.config.watch else None,
        )

    def _state(self, bilevel: Bilevel, epoch: int, step: int) -> dict[str, Any]:
        """Return the state that a resumed search needs; `step` steps of the epoch are done."""
        left = {} if self.shrinker is None else {"left": self.shrinker.state()}
        kept = {"epoch": epoch, "step": step, "watch": self.monitor.state()}
        return {**kept, **left, **bilevel.state()}

    @property
    def _alpha_steps(self) -> int:
        return (self.recipe.epochs - self.recipe.alpha_start) * len(self.weights_batches)

    def build_evaluator(self, bilevel: Bilevel) -> OneShotEvaluator:
        """Return the evaluator that compares finalists by the weights of the supernet."""
        finalists = self.config.finalists
        return OneShotEvaluator(bilevel, self.alpha_batches, self.constraints, finalists=finalists)

    def _derive(self, bilevel: Bilevel) -> tuple[Architecture, list[ParetoPoint] | None]:
        """Return the architecture, and a Pareto front if one is asked for.

        Where alpha learns, the top-ranked architectures are compared; otherwise the best of a
        random sample is taken.
        """
        if self.method.learns:
            evaluator, scores = self.build_evaluator(bilevel), self.monitor.ranking_scores
            found, count = evaluator.select(self.constraints, scores), self.config.pareto
            front = (
                None if count is None else evaluator.pareto_front(self.constraints, scores, count)
            )
            return found, front
        drawn = self.constraints.draw(self.method.num_samples, self.config.seed)
        seen = islice(self.alpha_batches.epoch(0), _SCORED)
        return best_of(self.fabric, bilevel.task, bilevel.network, drawn, seen), None

    def _lowered(self, supernet: Network) -> GraphModule:
        if self.config.lowering == "naive":
            return GraphModule(supernet)
        return FusedNetwork(supernet, recompute=self.config.recompute)

    def _epoch(self, bilevel: Bilevel, epoch: int, start: int, bar: ProgressBar) -> None:
        steps = len(self.weights_batches)
        pairs = zip(
            self.weights_batches.epoch(epoch, start),
            self._endless(self.alpha_batches, epoch, start),
            strict=False,
        )
        for step, (weights_batch, alpha_batch) in enumerate(pairs, start):
            along = (epoch + step / steps) / self.recipe.epochs
            progress = Progress(epoch, self.recipe.epochs, along)
            bilevel.step(weights_batch, alpha_batch, progress)
            if self.shrinker is not None and bilevel.learns(progress):
                self.shrinker.observe(bilevel.expected_weights())
            self.checkpointer.after_step(
                step,
                steps,
                check=lambda: bilevel.require_finite(epoch),
                state=lambda done=step + 1: self._state(bilevel, epoch, done),
            )
            bar.advance()
        self._log_epoch(bilevel, epoch, bar)
        bilevel.train_meter.reset()
        bilevel.valid_meter.reset()
        if self.shrinker is not None and self.shrinker.prune(
            Progress(epoch, self.recipe.epochs, (epoch + 1) / self.recipe.epochs),
            lambda allowed: self.constraints.narrowed(allowed).is_feasible,
        ):
            self._shrink(bilevel, self.shrinker.remaining)
        self.checkpointer.save(self._state(bilevel, epoch + 1, 0))

    def _endless(self, batches: data.Batches, epoch: int, start: int) -> Iterator[Batch]:
        """Yield batches without end: the halves may differ by a batch."""
        yield from batches.epoch(epoch, start % len(batches))
        while True:
            yield from batches.epoch(epoch)

    def log_start(self, checkpointer: Checkpointer, bilevel: Bilevel) -> None:
        """Log the search space's decisions, versions and hardware."""
        checkpointer.folder.log.write(
            "start",
            kind="search",
            decisions={d.name: list(d.candidates) for d in bilevel.network.decisions},
            params=sum(p.numel() for p in bilevel.network.parameters()),
            versions=versions(),
            hardware=describe_hardware(self.fabric.device),
        )

    def _log_epoch(self, bilevel: Bilevel, epoch: int, bar: ProgressBar) -> None:
        train, valid = bilevel.train_meter.over_processes(), bilevel.valid_meter.over_processes()
        learned = self._learned(bilevel, epoch) if self.method.learns else {}
        if not self.checkpointer.writes:
            return
        metric = bilevel.task.metric
        scores = {"train": train.score, "valid": valid.score}
        self.checkpointer.folder.log.write(
            "epoch",
            epoch=epoch,
            **{"train_loss": train.loss, f"train_{metric.key}": scores["train"]},
            **{"valid_loss": valid.loss, f"valid_{metric.key}": scores["valid"]},
            lr=bilevel.weight_optimiser.param_groups[0]["lr"],
            **learned,
            seconds=self.checkpointer.tick(),
        )
        seen = "" if scores["valid"] is None else f", valid {metric.text(scores['valid'])}"
        found = f"  {learned['architecture'][:100]}" if learned else ""
        bar.note(
            f"epoch {epoch + 1}/{self.recipe.epochs}: train {metric.text(scores['train'])}{seen}"
            f"{found}"
        )

    def _learned(self, bilevel: Bilevel, epoch: int) -> dict[str, Any]:
        """Return what is logged of alpha at the end of an epoch."""
        weights, scores = bilevel.weights_by_decision(), bilevel.ranking_scores()
        architecture = self.constraints.derive(scores)
        progress = Progress(epoch, self.recipe.epochs, (epoch + 1) / self.recipe.epochs)
        metrics = self.monitor.observe(weights, scores, architecture, progress)
        return {
            "alpha": weights,
            **asdict(metrics),
            **({} if bilevel.lagrangian is None else bilevel.lagrangian.record()),
            **self._size(bilevel),
            "architecture": write_architecture(architecture),
        }

    def _size(self, bilevel: Bilevel) -> dict[str, int]:
        """Return the size of the supernet in an epoch, where it shrinks."""
        if self.shrinker is None:
            return {}
        macs = graph_cost(bilevel.network.network).macs
        return {**self.shrinker.record(), "supernet_macs": macs}

    def _finish(self, bilevel: Bilevel) -> SearchResult:
        folder, stopped = self.checkpointer.folder, self.monitor.stop_epoch
        if stopped is not None and self.checkpointer.writes:
            folder.log.write("stop", rule=self.config.stop_early, taken=stopped.epoch)
        return self.conclude(self.checkpointer, bilevel, *self._derive(bilevel))

    def conclude(
        self,
        checkpointer: Checkpointer,
        bilevel: Bilevel,
        architecture: Architecture,
        points: list[ParetoPoint] | None,
    ) -> SearchResult:
        """Complete the run folder; the network inherits the weights of that supernet."""
        folder = checkpointer.folder
        front = None if points is None else tuple(point.to_json() for point in points)
        published = graph_cost(self.space.discrete(architecture, self.size))
        network, score = save_derived_network(
            self.fabric, folder, bilevel.network, architecture, self.images, self.weights_batches
        )
        cost, seconds = graph_cost(network), checkpointer.tick()
        result = SearchResult(
            architecture=architecture,
            params=cost.params,
            macs=cost.macs,
            published_params=published.params,
            published_macs=published.macs,
            accuracy=score,
            seconds=seconds,
            out=folder.path,
            feasible=self.constraints.feasible(architecture),
            costs=self.constraints.costs(architecture),
            limits=self.constraints.limits,
            counted_at=self.constraints.counted_at,
            front=front,
        )
        if checkpointer.writes:
            if front is not None:
                write_json(folder.path / "front.json", {"schema": SCHEMA, "front": front})
            checkpointer.finish(result.to_json())
        self.fabric.barrier()  # no process returns before the folder is complete
        return result
