"""Latencies from a table: of operations, which are summed, or of whole architectures."""

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import cast, get_args

from archwright.cost.expected.additive import additive
from archwright.cost.expected.decision_table import DecisionTable, EdgeFilter
from archwright.cost.expected.located_ops import LocatedOp, Operation, searchable_and_fixed
from archwright.cost.expected.model import AdditiveCostModel, CostModel
from archwright.cost.files import Row, positive, read_rows
from archwright.cost.measured import MeasuredCost
from archwright.errors import ArchwrightError, ConfigError, unknown
from archwright.graph.expr import is_zero
from archwright.io.schema import to_json
from archwright.spaces import read_architecture, write_architecture

COLUMNS = ("operation", "input", "output")
"""Columns that identify an operation: candidate, or fixed part as in `inspect`, and its shapes."""

OVERHEAD = Operation("overhead", "-", "-")
"""Row for the latency of a call of a network that does nothing."""


def is_free(place: LocatedOp) -> bool:
    """Return whether the operation takes no time in a network: no connection, or an identity."""
    return is_zero(place.body) or str(place.body) == "id"


def operations(layout: DecisionTable) -> dict[Operation, LocatedOp]:
    """Return every distinct operation of the networks of the space at this size.

    An identity on an edge counts, since its result is added to a sum; one before a cell does not.
    """
    searched, fixed = searchable_and_fixed(layout.network)
    parts = [place for _, place in searched if not is_zero(place.body)]
    parts += [place for place in fixed if not is_free(place)]
    return {place.operation: place for place in parts}


def read_latency(layout: DecisionTable, path: Path, name: str = "latency_ms") -> CostModel:
    """Return the cost model of a table (CSV or parquet) of latencies or energies.

    The columns are either `architecture` and `name`: other architectures are predicted (see
    `fit_predictor`), and columns such as `image_size` or `channels` can give the size of the
    measured networks. Or they are `operation`, `input`, `output` and `name`, as `archwright
    profile` writes them: the rows of a network are summed. A column `counted` gives the edges of
    the sum: all picked ones, or those that are used or live (see `DecisionTable.counted`).

    Raises:
        ConfigError: the file is unusable, a value is not above zero, an architecture belongs to
            another space, or the table lacks an operation of the networks (it is named).
    """
    rows = read_rows(path)
    have = set(rows[0])
    if name in have and "architecture" in have:
        return _by_architecture(layout, path, rows, name)
    if name in have and have.issuperset(COLUMNS):
        return _by_operation(layout, path, rows, name)
    raise ConfigError(
        f"{path} has the columns {', '.join(sorted(map(str, have)))}: a table needs architecture "
        f"and {name}, or {', '.join(COLUMNS)} and {name} (archwright profile writes one)"
    )


def _by_architecture(
    layout: DecisionTable, path: Path, rows: Sequence[Row], name: str
) -> MeasuredCost:
    _require_size(layout, path, rows)
    known: dict[str, float] = {}
    values = positive(path, rows, name, "architecture")
    for number, (row, value) in enumerate(zip(rows, values, strict=True), 1):
        try:
            architecture = read_architecture(str(row["architecture"]), layout.space)
            layout.space.check(architecture, layout.size)
        except ArchwrightError as error:
            raise ConfigError(f"{path}, row {number}: {error}") from None
        text = write_architecture(architecture)
        if known.setdefault(text, value) != value:
            raise ConfigError(f"{path}, row {number}: {text} is given twice, with {name} {value:g}")
    if len(known) < 2:
        raise ConfigError(
            f"{path} has one architecture: measure some dozens, as a prediction needs"
        )
    return MeasuredCost(name=name, layout=layout, known=known)


def _require_size(layout: DecisionTable, path: Path, rows: Sequence[Row]) -> None:
    """Check that the size at which a table was measured, if it has one, is the deployment size."""
    for field, ours in to_json(layout.size).items():
        for number, row in enumerate(rows, 1):
            if field in row and str(row[field]) != str(ours):
                raise ConfigError(
                    f"{path}, row {number}, was measured at {field} {row[field]}, and costs count "
                    f"at {layout.size.text}: measure at that size, or deploy at the table's"
                )


def _by_operation(
    layout: DecisionTable, path: Path, rows: Sequence[Row], name: str
) -> AdditiveCostModel:
    values = positive(path, rows, name, "operation")
    table: dict[Operation, float] = {}
    for number, (row, value) in enumerate(zip(rows, values, strict=True), 1):
        operation = Operation(*(str(row[column]) for column in COLUMNS))
        if table.setdefault(operation, value) != value:
            raise ConfigError(f"{path}, row {number}: {operation} is given twice")
    _require_all(layout, path, rows, table)

    def cost(place: LocatedOp) -> float:
        return 0.0 if is_zero(place.body) else table.get(place.operation, 0.0)

    overhead = table.get(OVERHEAD, 0.0)
    parts = additive(layout, cost, constant=overhead, counted=_counted(path, rows))
    return AdditiveCostModel(name=name, layout=layout, parts=parts)


def _counted(path: Path, rows: Sequence[Row]) -> EdgeFilter:
    """Return the edges that take time: the value of the column `counted`, by default `picked`."""
    found = {str(row.get("counted") or "picked") for row in rows}
    known = get_args(EdgeFilter)
    for one in sorted(found):
        if one not in known:
            raise ConfigError(f"{path}: {unknown('value of counted', one, known)}")
    if len(found) > 1:
        raise ConfigError(
            f"{path} has rows with counted {' and '.join(sorted(found))}: its operations were "
            f"measured in different ways, profile them together"
        )
    return cast(EdgeFilter, next(iter(found)))


def _require_all(
    layout: DecisionTable, path: Path, rows: Sequence[Row], table: Mapping[Operation, float]
) -> None:
    missing = [operation for operation in operations(layout) if operation not in table]
    if missing:
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        words = ["archwright", "profile", "--space", layout.space.settings["space"]]
        for name, value in to_json(layout.size).items():
            words += ["--" + name.replace("_", "-"), str(value)]
        for name in ("runtime", "device", "threads"):  # as for the other operations
            held = {str(row[name]) for row in rows if row.get(name)}
            words += ["--" + name, *held] if len(held) == 1 else []
        words += ["--out", str(path.with_stem(f"{path.stem}-all"))]
        raise ConfigError(
            f"{path} lacks the operation {missing[0]}{more}: {shlex.join(words)} measures all"
        )
