"""A build from start to end: profile, search, train, prune, export and measure.

Each stage has a run folder of its own and continues from its own checkpoints; the log of the build
records which stages are finished. So this module holds no state of a stage.
"""

import sys
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar

from archwright.deployment.config import EvaluateConfig, ExportConfig
from archwright.deployment.evaluate import evaluate
from archwright.deployment.export import export
from archwright.engine.networks.trained import load_network
from archwright.engine.runs.folder import (
    SCHEMA,
    RunFolder,
    changed_settings,
    hold,
    open_run,
    read_config,
)
from archwright.errors import ArchwrightError, RunError
from archwright.io.files import write_bytes, write_json
from archwright.nas.loop.result import SearchResult
from archwright.nas.loop.search import search
from archwright.pipeline.budget_check import check_budgets
from archwright.pipeline.config import BuildConfig
from archwright.pipeline.plan import Plan, make_plan
from archwright.pipeline.profiling import measure_machine
from archwright.pipeline.result import BuildResult, Stage
from archwright.pruning.result import Measured, PruneResult
from archwright.pruning.run import prune
from archwright.report import write_report
from archwright.spaces import get_space, write_architecture
from archwright.tasks import CLASSIFICATION, get_task
from archwright.training.run import TrainResult, train

_KIND = "build"
T = TypeVar("T")


def build(config: BuildConfig) -> BuildResult:
    """Build a network within its budgets, or continue the build, and leave its folder complete.

    Raises:
        ConfigError: a setting does not exist or fit, nothing is within the budgets, or a pruning
            does not come down to its target (each with the least that is possible).
        DataError: the images cannot be used.
        RunError: the folder holds something else, or a stage in it was run with other settings.
        DivergedError: a loss is no longer finite.
    """
    finished = _finished(config)
    if finished is not None:
        return finished
    plan = make_plan(config)
    with hold(config.out), _kept(RunFolder(config.out)):
        return _Build(plan, _open(plan)).run()


@contextmanager
def _kept(folder: RunFolder) -> Generator[None]:
    """Restore the settings if the build is refused before any stage has ended."""
    before = folder.config.read_bytes() if folder.config.exists() else None
    stages = folder.log.records()
    try:
        yield
    except ArchwrightError:
        if before is not None and folder.log.records() == stages:
            write_bytes(folder.config, before)
        raise


def _held(config: BuildConfig) -> dict[str, Any] | None:
    """Return the settings of the build in the folder; None if there is none.

    Raises:
        RunError: there is one and it is not to be resumed, or the run in it is no build.
    """
    if not RunFolder(config.out).config.exists():
        return None
    if not config.resume:
        raise RunError(f"{config.out} holds a run already: add --resume, or give another --out")
    held = read_config(config.out)
    if held.get("kind") != _KIND:
        raise RunError(
            f"{config.out} is the run of a {held.get('kind')}, no build: give another --out"
        )
    return held


def _finished(config: BuildConfig) -> BuildResult | None:
    """Return the result of a finished build with these settings."""
    held = _held(config)
    if held is None or changed_settings(held.get("asked", {}), config.settings()):
        return None
    if held.get("space_sha256") != get_space(config.space).settings.get("space_sha256"):
        return None  # the file was edited, which the stages refuse
    result = RunFolder(config.out).result()
    if result is None or not (config.file.is_file() and config.page.is_file()):
        return None
    task = get_task(held.get("task", CLASSIFICATION.name))
    return BuildResult.from_json(result, config.out, task)


def _open(plan: Plan) -> RunFolder:
    """Open the build's folder. Changed settings are refused by the stages, not here."""
    out = plan.config.out
    if _held(plan.config) is None:
        return open_run(out, _KIND, plan.settings, resume=plan.config.resume)
    folder = RunFolder(out)
    write_json(folder.config, {"schema": SCHEMA, "kind": _KIND, **plan.settings})
    return folder


class _Build:
    """Build while it runs."""

    def __init__(self, plan: Plan, folder: RunFolder) -> None:
        self.plan, self.folder = plan, folder
        self.config = plan.config

    def run(self) -> BuildResult:
        """Run every stage that is left."""
        plan = self.plan
        if self.config.profiles:
            self._stage("profile", lambda: measure_machine(plan))
        found = self._stage("search", lambda: search(plan.search))
        if not (plan.training.out / "config.json").exists():
            plan.require_prunable(found.architecture)
        trained = self._stage("train", lambda: train(plan.training))
        pruned = None
        if (pruning := plan.pruning_of(found.architecture)) is not None:
            pruned = self._stage("prune", lambda: prune(pruning))
        exported = self._export()
        result = self._result(found, trained, pruned, exported)
        runs = [plan.search.out, plan.training.out]
        runs += [] if pruned is None else [pruned.out]
        at = self.plan.size.text
        write_report(runs, self.config.page, budgets=result.budgets, counted_at=at)
        self.folder.log.write("result", **result.to_json())
        return result

    def _stage(self, name: str, run: Callable[[], T]) -> T:
        """Run a stage, or the rest of it, and record its end and its seconds once."""
        number, all_of_them = self.plan.stages.index(name) + 1, len(self.plan.stages)
        print(f"stage {number} of {all_of_them}: {name}", file=sys.stderr, flush=True)
        began = time.monotonic()
        done = run()
        if name not in self._noted():
            seconds = getattr(done, "seconds", None) or round(time.monotonic() - began, 3)
            self.folder.log.write("stage", name=name, seconds=seconds)
        return done

    def _noted(self) -> dict[str, float]:
        """Seconds of each recorded stage."""
        records = self.folder.log.records()
        return {r["name"]: r["seconds"] for r in records if r["event"] == "stage"}

    def _export(self) -> dict[str, Any]:
        """Return the export from the log, with the score of the file; run it once if it is
        missing.
        """
        settings, last = self.plan.export, self.folder.log.last("export")
        if last is not None and _is_of(last, settings):
            return last
        began = time.monotonic()
        written = self._stage("export", lambda: export(settings))
        score = written.score
        if score is None:
            asked = {name: getattr(self.config, name) for name in ("data", "data_root")}
            limit = self.config.test_limit
            scored = EvaluateConfig(file=settings.out, **asked, test_limit=limit)
            score = evaluate(scored).score.headline
        seconds = round(time.monotonic() - began, 3)
        exported = {
            **written.to_json(),
            "network": settings.run.name,
            written.metric: round(score, 4),
            "seconds": seconds,
        }
        self.folder.log.write("export", **exported)
        return exported

    def _result(
        self,
        found: SearchResult,
        trained: TrainResult,
        pruned: PruneResult | None,
        exported: Mapping[str, Any],
    ) -> BuildResult:
        final = load_network(self.plan.export.run, self.plan.space)
        key = self.plan.space.task.metric.key
        budgets = check_budgets(self.config, found, final, exported)
        noted = {**self._noted(), "export": exported["seconds"]}
        stages = tuple(Stage(name=name, seconds=noted[name]) for name in self.plan.stages)
        kept = self.folder.path / "architecture.json"
        write_bytes(kept, final.folder.architecture.read_bytes())
        return BuildResult(
            architecture=exported["architecture"],
            metric=key,
            score=exported[key],
            macs=exported["macs"],
            params=exported["params"],
            latency_ms=exported["latency_ms"],
            latency_spread_ms=exported["latency_spread_ms"],
            feasible=all(budget.holds for budget in budgets) if budgets else None,
            budgets=budgets,
            counted_at=final.size,
            file=self.config.file,
            report=self.config.page,
            rows=_rows(self.plan, found, trained, pruned),
            stages=stages,
            seconds=round(sum(stage.seconds for stage in stages), 3),
            out=self.config.out,
        )


def _is_of(exported: Mapping[str, Any], settings: ExportConfig) -> bool:
    """Return whether a recorded export is the requested one, of the present network.

    The network's own run recorded it too: a network that was trained again has another log.
    """
    asked = {"network": settings.run.name, "format": settings.format, "weights": settings.weights}
    if any(exported[name] != value for name, value in asked.items()):
        return False
    if not settings.out.is_file() or settings.out.stat().st_size != exported["bytes"]:
        return False
    measured = ("bytes", "deviation", "latency_ms", "latency_spread_ms")
    return any(
        record["event"] == "export" and all(record[name] == exported[name] for name in measured)
        for record in RunFolder(settings.run).log.records()
    )


def _rows(
    plan: Plan, found: SearchResult, trained: TrainResult, pruned: PruneResult | None
) -> tuple[Measured, ...]:
    """Return the network after each stage, then the networks for comparison."""
    key = plan.space.task.metric.key
    first = Measured(
        name="searched",
        architecture=write_architecture(found.architecture),
        channels=read_config(plan.search.out)["channels"],
        params=found.params,
        macs=found.macs,
        published_params=found.published_params,
        published_macs=found.published_macs,
        scores={key: found.accuracy},
    )
    own, *rivals = (
        Measured(
            name="trained" if row.name == "found" else row.name,
            architecture=row.architecture,
            channels=row.channels,
            params=row.params,
            macs=row.macs,
            published_params=row.published_params,
            published_macs=row.published_macs,
            scores={key: row.score},
        )
        for row in trained.rows
    )
    cut = () if pruned is None else (pruned.rows[0],)
    return (first, own, *cut, *rivals)
