"""What a run folder says, read into typed values; what is wrong with it is one RunError line."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from archwright.engine.folder import SCHEMA, read_config
from archwright.errors import RunError
from archwright.io.files import decoded
from archwright.report.costs import ParetoPoint, Priced, front_point, priced
from archwright.report.record import Record

KINDS = ("search", "train", "prune")
METRICS = (
    "train_loss",
    "train_top1",
    "valid_loss",
    "valid_top1",
    "test_loss",
    "test_top1",
    "test_top5",
    "lr",
    "entropy",
    "gap",
    "eigenvalue",
    "seconds",
)


@dataclass(frozen=True, kw_only=True)
class Cell:
    """A cell: input nodes first, then nodes that sum their edges, some of which are the output."""

    kind: str
    inputs: int
    nodes: tuple[tuple[tuple[str, int], ...], ...]  # a node: its edges (candidate, source node)
    output: tuple[int, ...]

    @property
    def edges(self) -> tuple[tuple[str, int, int], ...]:
        """Every edge as (candidate, source, target)."""
        return tuple(
            (op, source, self.inputs + i)
            for i, node in enumerate(self.nodes)
            for op, source in node
        )


@dataclass(frozen=True, kw_only=True)
class Architecture:
    """An architecture as text and as cells."""

    space: str
    text: str
    cells: tuple[Cell, ...]


@dataclass(frozen=True, kw_only=True)
class Epoch:
    """One epoch of one network; `values` holds those of METRICS that were logged.

    `skips` is, for each kind of cell, the share of its decisions that a skip leads. A gate is that
    of a node: `cell0:2`.
    """

    name: str
    epoch: int
    values: Mapping[str, float]
    alpha: Mapping[str, tuple[float, ...]]
    skips: Mapping[str, float] = field(default_factory=dict[str, float])
    gates: Mapping[str, float] = field(default_factory=dict[str, float])


@dataclass(frozen=True, kw_only=True)
class Row:
    """What was measured of one discrete network."""

    name: str
    architecture: str | None = None
    channels: float | None = None
    params: float | None = None
    macs: float | None = None
    top1: float | None = None
    top5: float | None = None

    @property
    def scores(self) -> dict[str, float | None]:
        """Metrics by key, the one that networks are ranked by first."""
        return {"top1": self.top1}


@dataclass(frozen=True, kw_only=True)
class Export:
    """A file that the run's network was exported to, and what it was measured to take."""

    file: str
    format: str
    weights: str
    bytes: float | None
    top1: float | None
    latency_ms: float | None
    spread_ms: float | None
    runtime: str
    batch_size: float | None
    threads: float | None


@dataclass(frozen=True, kw_only=True)
class Pruned:
    """Which nodes a pruning deleted, by cell; of what kind each cell is.

    `top1` is that of the network before it was fine-tuned.
    """

    deleted: Mapping[str, tuple[int, ...]]
    kinds: Mapping[str, str]
    top1: float | None


@dataclass(frozen=True, kw_only=True)
class Result:
    """How a run ended: the network it is about first, then those it is compared with."""

    rows: tuple[Row, ...]
    seconds: float | None
    front: tuple[ParetoPoint, ...] = ()
    priced: Priced | None = None


@dataclass(frozen=True, kw_only=True)
class Member:
    """One of several supernets that decided together: its folder, and what it found by itself."""

    folder: str
    seed: int
    architecture: str


@dataclass(frozen=True, kw_only=True)
class Stop:
    """That a search was stopped, by which rule, and the epoch (from 0) whose alpha was taken."""

    rule: str
    taken: int


@dataclass(frozen=True, kw_only=True)
class Run:
    """A run folder; `result` is None while the run has not finished."""

    name: str
    kind: str
    config: Mapping[str, object]
    decisions: Mapping[str, tuple[str, ...]]
    params: float | None
    versions: Mapping[str, str]
    hardware: str | None
    epochs: tuple[Epoch, ...]
    result: Result | None
    architecture: Architecture | None
    exports: tuple[Export, ...] = ()
    stop: Stop | None = None
    pruned: Pruned | None = None
    members: tuple[Member, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """The networks that the log tells apart, in the order met; "" if it names none."""
        return tuple(dict.fromkeys(epoch.name for epoch in self.epochs))

    @property
    def seconds(self) -> float | None:
        """How long the run took, or has taken so far."""
        if self.result is not None and self.result.seconds is not None:
            return self.result.seconds
        return max(
            (e.values["seconds"] for e in self.epochs if "seconds" in e.values), default=None
        )


def load_run(folder: Path) -> Run:
    """Read the run in `folder`; an unfinished one is read as far as it went."""
    if not folder.is_dir():
        raise RunError(f"{folder}: there is no such run folder; check the path")
    config = Record(read_config(folder), str(folder / "config.json"))
    kind = config.need_text("kind")
    if kind not in KINDS:
        if kind == "build":
            page = folder / "report.html"
            raise RunError(f"{folder} is a build, whose page is {page}: give its stages' folders")
        raise RunError(
            f"{config.where}: kind {kind!r} is not one of {', '.join(KINDS)}: "
            f"give the folder of such a run"
        )
    records = _read_log(folder / "log.jsonl")
    start = next((r for r in reversed(records) if r.text("event") == "start"), Record({}, ""))
    decisions = {
        name: tuple(candidates) for name, candidates in start.texts_by_name("decisions").items()
    }
    architecture = _read_architecture(folder / "architecture.json")
    results = [r for r in records if r.text("event") == "result"]
    stops = [r for r in records if r.text("event") == "stop"]
    return Run(
        name=folder.resolve().name,
        kind=kind,
        config=config.values,
        decisions=decisions,
        params=start.number("params"),
        versions=start.plain("versions"),
        hardware=start.text("hardware"),
        epochs=_epochs(records, decisions),
        result=_result(results[-1], architecture) if results else None,
        architecture=architecture,
        stop=Stop(rule=stops[-1].need_text("rule"), taken=stops[-1].integer("taken"))
        if stops
        else None,
        exports=_exports(records),
        pruned=_pruned(records),
        members=tuple(_member(r) for r in records if r.text("event") == "supernet"),
    )


def _member(record: Record) -> Member:
    return Member(
        folder=f"supernet{record.integer('number')}",
        seed=record.integer("seed"),
        architecture=record.need_text("architecture"),
    )


def _read_text(path: Path, remedy: str) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise RunError(f"{path} is missing: {remedy}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise RunError(f"{path} cannot be read ({error}): {remedy}") from None


def _read_json(path: Path, remedy: str) -> Record:
    text = _read_text(path, remedy)
    try:
        value = decoded(text)
    except ValueError as error:
        raise RunError(f"{path} is not JSON ({error}): restore it, or run again") from None
    return Record.of(value, str(path))


def _read_log(path: Path) -> list[Record]:
    text = _read_text(path, "the run was never started; run it first")
    records: list[Record] = []
    lines = text.split("\n")
    for number, line in enumerate(lines, start=1):
        where = f"{path} line {number}"
        if not line.strip():
            continue
        try:
            value = decoded(line)
        except ValueError as error:
            if number == len(lines):  # no newline after it: the run was killed while writing
                break
            raise RunError(f"{where} is not JSON ({error}): delete that line") from None
        records.append(Record.of(value, where))
    return records


def _epochs(records: list[Record], decisions: Mapping[str, tuple[str, ...]]) -> tuple[Epoch, ...]:
    """Epochs in order, the networks in the order met; of an epoch run again, the last record."""
    found: dict[tuple[str, int], Epoch] = {}
    order: dict[str, int] = {}
    for record in records:
        if record.text("event") != "epoch":
            continue
        name, number = record.text("name") or "", record.integer("epoch")
        values = {key: record.number(key) for key in METRICS}
        alpha = record.numbers_by_name("alpha")
        for decision, weights in alpha.items():
            candidates = decisions.get(decision)
            if candidates is not None and len(candidates) != len(weights):
                raise RunError(
                    f"{record.where}: alpha of {decision} has {len(weights)} weights for "
                    f"{len(candidates)} candidates; delete that line, or run again"
                )
        order.setdefault(name, len(order))
        found[name, number] = Epoch(
            name=name,
            epoch=number,
            values={key: value for key, value in values.items() if value is not None},
            alpha={key: tuple(weights) for key, weights in alpha.items() if key in decisions},
            skips=record.number_by_name("skips"),
            gates=record.number_by_name("gates"),
        )
    return tuple(sorted(found.values(), key=lambda e: (order[e.name], e.epoch)))


def _exports(records: list[Record]) -> tuple[Export, ...]:
    """Exported files in the order met; of one written again, the last record."""
    found: dict[str, Export] = {}
    for record in records:
        if record.text("event") != "export":
            continue
        file = record.need_text("file")
        found[file] = Export(
            file=file,
            format=record.need_text("format"),
            weights=record.need_text("weights"),
            bytes=record.number("bytes"),
            top1=record.number("top1"),
            latency_ms=record.number("latency_ms"),
            spread_ms=record.number("latency_spread_ms"),
            runtime=record.text("runtime") or "",
            batch_size=record.number("batch_size"),
            threads=record.number("threads"),
        )
    return tuple(found.values())


def _pruned(records: list[Record]) -> Pruned | None:
    found = [record for record in records if record.text("event") == "pruned"]
    if not found:
        return None
    deleted = found[-1].integers_by_name("deleted")
    return Pruned(
        deleted={step: tuple(nodes) for step, nodes in deleted.items()},
        kinds=found[-1].plain("kinds"),
        top1=found[-1].number("top1"),
    )


def _row(record: Record, name: str, architecture: str | None) -> Row:
    top1 = record.number("top1")
    return Row(
        name=name,
        architecture=record.text("architecture") or architecture,
        channels=record.number("channels"),
        params=record.number("params"),
        macs=record.number("macs"),
        top1=record.number("accuracy") if top1 is None else top1,
        top5=record.number("top5"),
    )


def _result(record: Record, architecture: Architecture | None) -> Result:
    rows = tuple(_row(row, row.need_text("name"), None) for row in record.records("rows"))
    if not rows:
        rows = (_row(record, "found", architecture.text if architecture else None),)
    front = tuple(front_point(point) for point in record.records("front"))
    return Result(rows=rows, seconds=record.number("seconds"), front=front, priced=priced(record))


def _read_architecture(path: Path) -> Architecture | None:
    if not path.exists():
        return None
    record = _read_json(path, "run again")
    _check_schema(record)
    cells = tuple(_cell(kind, cell) for kind, cell in record.records_by_name("cells").items())
    return Architecture(space=record.need_text("space"), text=record.need_text("text"), cells=cells)


def _cell(kind: str, record: Record) -> Cell:
    cell = Cell(
        kind=kind,
        inputs=record.integer("inputs"),
        nodes=record.edge_lists("nodes"),
        output=record.integers("output"),
    )
    backward = [e for e in cell.edges if not 0 <= e[1] < e[2]]
    if backward:
        op, source, target = backward[0]
        raise RunError(
            f"{record.where}: edge {op} {source}->{target} does not come from an earlier node; "
            "write the architecture again"
        )
    total = cell.inputs + len(cell.nodes)
    if cell.inputs < 1 or not cell.output or not all(0 <= i < total for i in cell.output):
        raise RunError(
            f"{record.where}: output {list(cell.output)} is not among the {total} nodes; "
            "write the architecture again"
        )
    return cell


def _check_schema(record: Record) -> None:
    schema = record.number("schema")
    if schema is not None and schema > SCHEMA:
        raise RunError(
            f"{record.where}: schema {schema:g} is newer than {SCHEMA}; update archwright"
        )
