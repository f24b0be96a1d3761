"""Run folders as typed values; damage in a folder raises a RunError of one line."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from archwright.cost.steps import StepFacts, step_facts
from archwright.engine.networks.network_file import read_graph
from archwright.engine.runs.folder import SCHEMA, RunFolder, read_config
from archwright.errors import RunError
from archwright.io.files import decoded
from archwright.io.schema import read_as, read_json
from archwright.report.costs import ParetoPoint, Priced, front_point, priced
from archwright.report.reading import log_lines
from archwright.tasks import CLASSIFICATION, Metric, get_task

KINDS = ("search", "train", "prune")


@dataclass(frozen=True, kw_only=True)
class Cell:
    """Cell: input nodes first, then nodes that sum their edges, some of which are the output."""

    kind: str
    inputs: int
    nodes: tuple[tuple[tuple[str, int], ...], ...]  # a node: its edges (candidate, source node)
    output: tuple[int, ...]

    @property
    def edges(self) -> tuple[tuple[str, int, int], ...]:
        """Edges as (candidate, source, target)."""
        return tuple(
            (op, source, self.inputs + i)
            for i, node in enumerate(self.nodes)
            for op, source in node
        )


@dataclass(frozen=True, kw_only=True)
class Architecture:
    """Architecture as text and as cells.

    `steps` are the steps of the network, if each cell has one input and the network was written.
    """

    space: str
    text: str
    cells: tuple[Cell, ...]
    steps: tuple[StepFacts, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Epoch:
    """Epoch of one network; `values` holds the logged metrics.

    `skips` is, for each kind of cell, the fraction of its decisions whose strongest candidate is a
    skip. A gate is named after its node: `cell0:2`.
    """

    name: str
    epoch: int
    values: Mapping[str, float]
    alpha: Mapping[str, tuple[float, ...]]
    skips: Mapping[str, float] = field(default_factory=dict[str, float])
    gates: Mapping[str, float] = field(default_factory=dict[str, float])


@dataclass(frozen=True, kw_only=True)
class Row:
    """Measurements of one discrete network; `scores` by the metric's key, the ranking one first."""

    name: str
    architecture: str | None = None
    channels: float | None = None
    params: float | None = None
    macs: float | None = None
    scores: Mapping[str, float | None] = field(default_factory=dict[str, float | None])

    @property
    def score(self) -> float | None:
        """Value of the ranking metric."""
        return next(iter(self.scores.values()), None)


@dataclass(frozen=True, kw_only=True)
class Result:
    """Result of a run: its own network first, then the baselines."""

    rows: tuple[Row, ...]
    seconds: float | None
    front: tuple[ParetoPoint, ...] = ()
    priced: Priced | None = None


@dataclass(frozen=True, kw_only=True)
class Member:
    """Supernet of an ensemble: its folder, and the architecture that it would derive alone."""

    folder: str
    seed: int
    architecture: str


@dataclass(frozen=True, kw_only=True)
class Run:
    """Run folder; `result` is None until the run has finished."""

    name: str
    kind: str
    config: Mapping[str, object]
    metrics: tuple[Metric, ...]
    decisions: Mapping[str, tuple[str, ...]]
    params: float | None
    versions: Mapping[str, str]
    hardware: str | None
    epochs: tuple[Epoch, ...]
    result: Result | None
    architecture: Architecture | None
    exports: tuple[log_lines.Export, ...] = ()
    stop: log_lines.Stop | None = None
    pruned: log_lines.Pruned | None = None
    members: tuple[Member, ...] = ()

    @property
    def metric(self) -> Metric:
        """Metric that networks are ranked by."""
        return self.metrics[0]

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the networks in the log, in the order of appearance; "" if networks are not
        named.
        """
        return tuple(dict.fromkeys(epoch.name for epoch in self.epochs))

    @property
    def seconds(self) -> float | None:
        """Duration of the run, so far if it has not finished."""
        if self.result is not None and self.result.seconds is not None:
            return self.result.seconds
        return max(
            (e.values["seconds"] for e in self.epochs if "seconds" in e.values), default=None
        )


def load_run(folder: Path) -> Run:
    """Read the run in `folder`; of an unfinished run, everything logged so far.

    Raises:
        RunError: there is none, it is a build, or a file in it is damaged (file and place named).
    """
    if not folder.is_dir():
        raise RunError(f"{folder}: there is no such run folder; check the path")
    config = read_config(folder)
    kind = config["kind"]
    if kind not in KINDS:
        if kind == "build":
            page = folder / "report.html"
            raise RunError(f"{folder} is a build, whose page is {page}: give its stages' folders")
        raise RunError(
            f"{folder / 'config.json'}: kind {kind!r} is not one of {', '.join(KINDS)}: "
            f"give the folder of such a run"
        )
    metrics = get_task(str(config.get("task", CLASSIFICATION.name))).metrics
    lines = list(_log_lines(folder / "log.jsonl", metrics))
    start = next(reversed(_of(lines, log_lines.Start)), log_lines.Start())
    architecture = _read_architecture(RunFolder(folder))
    results = [(where, line) for where, line in lines if isinstance(line, log_lines.Result)]
    stops, pruned = _of(lines, log_lines.Stop), _of(lines, log_lines.Pruned)
    return Run(
        name=folder.resolve().name,
        kind=kind,
        config=config,
        metrics=metrics,
        decisions=start.decisions,
        params=start.params,
        versions={name: str(version) for name, version in start.versions.items()},
        hardware=start.hardware,
        epochs=_epochs(lines, start.decisions),
        result=_result(*results[-1], architecture, metrics) if results else None,
        architecture=architecture,
        stop=stops[-1] if stops else None,
        # of a file that was written again, the last line
        exports=tuple({line.file: line for line in _of(lines, log_lines.Export)}.values()),
        pruned=pruned[-1] if pruned else None,
        members=tuple(_member(line) for line in _of(lines, log_lines.Supernet)),
    )


_Lines = list[tuple[str, object]]
"""Lines of a log, each with its place."""
_L = TypeVar("_L")


def _of(lines: _Lines, kind: type[_L]) -> list[_L]:
    return [line for _, line in lines if isinstance(line, kind)]


def _member(line: log_lines.Supernet) -> Member:
    folder = f"supernet{line.number}"
    return Member(folder=folder, seed=line.seed, architecture=line.architecture)


def _log_lines(path: Path, metrics: Sequence[Metric]) -> Iterator[tuple[str, object]]:
    """Yield the log lines with known events, with their places.

    Raises:
        RunError: the file is missing, or a line is damaged.
    """
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except FileNotFoundError:
        raise RunError(f"{path} is missing: the run was never started; run it first") from None
    except (OSError, UnicodeDecodeError) as error:
        raise RunError(f"{path} cannot be read ({error}): run again") from None
    for number, line in enumerate(lines, start=1):
        where = f"{path} line {number}"
        if not line.strip():
            continue
        try:
            content = decoded(line)
        except ValueError as error:
            if number == len(lines):  # no newline after it: the run was killed while writing
                return
            raise RunError(f"{where} is not JSON ({error}): delete that line") from None
        event = _read(log_lines.Event, content, where).event
        if event in log_lines.EVENTS:
            scored = log_lines.with_scores(content, metrics)
            yield where, _read(log_lines.EVENTS[event], scored, where)


def _read(kind: type[_L], content: object, where: str) -> _L:
    """Read a line; measured values may be NaN or infinite."""
    return read_as(kind, content, where, remedy=_REMEDY, finite=False)


_REMEDY = "restore it, or run again"


def _epochs(lines: _Lines, decisions: Mapping[str, tuple[str, ...]]) -> tuple[Epoch, ...]:
    """Return epochs in order, networks in the order of appearance; of a repeated epoch, the last
    record.
    """
    found: dict[tuple[str, int], Epoch] = {}
    order: dict[str, int] = {}
    for where, line in lines:
        if not isinstance(line, log_lines.Epoch):
            continue
        for decision, weights in line.alpha.items():
            candidates = decisions.get(decision)
            if candidates is not None and len(candidates) != len(weights):
                raise RunError(
                    f"{where}: alpha of {decision} has {len(weights)} weights for "
                    f"{len(candidates)} candidates; delete that line, or run again"
                )
        order.setdefault(line.name, len(order))
        found[line.name, line.epoch] = Epoch(
            name=line.name,
            epoch=line.epoch,
            values=line.metrics,
            alpha={key: weights for key, weights in line.alpha.items() if key in decisions},
            skips=log_lines.known(line.skips),
            gates=log_lines.known(line.gates),
        )
    return tuple(sorted(found.values(), key=lambda e: (order[e.name], e.epoch)))


def _result(
    where: str,
    line: log_lines.Result,
    architecture: Architecture | None,
    metrics: Sequence[Metric],
) -> Result:
    rows = tuple(_row(row, row.name, None, metrics) for row in line.rows)
    if not rows:
        rows = (_row(line, "found", architecture.text if architecture else None, metrics),)
    front = tuple(front_point(point, where) for point in line.front)
    return Result(rows=rows, seconds=line.seconds, front=front, priced=priced(line))


def _row(
    line: log_lines.Measured, name: str, architecture: str | None, metrics: Sequence[Metric]
) -> Row:
    scores = {metric.key: line.scores.get(metric.key) for metric in metrics}
    if scores[metrics[0].key] is None:
        scores[metrics[0].key] = line.accuracy  # as a search names the ranking metric
    return Row(
        name=name,
        architecture=line.architecture or architecture,
        channels=line.channels,
        params=line.params,
        macs=line.macs,
        scores=scores,
    )


@dataclass(frozen=True, kw_only=True)
class _CellForm:
    """Cell in its file."""

    inputs: int
    nodes: tuple[tuple[tuple[str, int], ...], ...]
    output: tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class _ArchitectureForm:
    """Architecture in its file."""

    space: str
    text: str
    cells: dict[str, _CellForm]
    schema: float | None = None


def _read_architecture(folder: RunFolder) -> Architecture | None:
    path = folder.architecture
    if not path.exists():
        return None
    form = read_json(_ArchitectureForm, path, remedy=_REMEDY)
    if form.schema is not None and form.schema > SCHEMA:
        raise RunError(f"{path}: schema {form.schema:g} is newer than {SCHEMA}; update archwright")
    cells = tuple(_cell(kind, cell, f"{path} cells.{kind}") for kind, cell in form.cells.items())
    chain = all(cell.inputs == 1 for cell in cells) and folder.network.exists()
    steps = step_facts(read_graph(folder.network)) if chain else ()
    return Architecture(space=form.space, text=form.text, cells=cells, steps=steps)


def _cell(kind: str, form: _CellForm, where: str) -> Cell:
    cell = Cell(kind=kind, inputs=form.inputs, nodes=form.nodes, output=form.output)
    backward = [e for e in cell.edges if not 0 <= e[1] < e[2]]
    if backward:
        op, source, target = backward[0]
        raise RunError(
            f"{where}: edge {op} {source}->{target} does not come from an earlier node; "
            "write the architecture again"
        )
    total = cell.inputs + len(cell.nodes)
    if cell.inputs < 1 or not cell.output or not all(0 <= i < total for i in cell.output):
        raise RunError(
            f"{where}: output {list(cell.output)} is not among the {total} nodes; "
            "write the architecture again"
        )
    return cell
