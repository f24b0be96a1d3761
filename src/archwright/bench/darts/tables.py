"""Summary of the searches of the DARTS space and of the trained networks, and its table."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from archwright.bench.engine.normalised_cost import NormalisedCost
from archwright.bench.engine.statistics import Spread
from archwright.bench.engine.table import NOTHING, Table, number


@dataclass(frozen=True, kw_only=True)
class DartsSummary:
    """Summary of a method with or without simplification, over its seeds; see `Results.rows`.

    `top1` is mean and standard deviation in percent, `normalised_cost` (see `NormalisedCost`) that
    of the searches over all that train a supernet; the others are medians.
    """

    title: str
    supernet: str
    n: int
    top1: Spread
    params: float
    macs: float
    search_seconds: float
    train_seconds: float
    saved_bytes: int | None
    normalised_cost: float | None


def summarise_darts(rows: Sequence[dict[str, Any]]) -> list[DartsSummary]:
    """Return a summary for each method and supernet, in the order in which they first appear."""
    groups: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for row in rows:
        groups.setdefault((row["title"], row["supernet"]), []).append(row)
    seconds = {key: median(r["search_seconds"] for r in own) for key, own in groups.items()}
    saved: dict[tuple[str, str], int] = {
        key: own[0]["saved_bytes"] for key, own in groups.items() if own[0]["saved_bytes"]
    }
    least = NormalisedCost.of((saved[key], seconds[key]) for key in saved)
    return [
        DartsSummary(
            title=key[0],
            supernet=key[1],
            n=len(own),
            top1=Spread.of(r["top1"] for r in own),
            params=median(r["params"] for r in own),
            macs=median(r["macs"] for r in own),
            search_seconds=seconds[key],
            train_seconds=median(r["train_seconds"] for r in own),
            saved_bytes=saved.get(key),
            normalised_cost=least.cost(saved[key], seconds[key])
            if least and key in saved
            else None,
        )
        for key, own in groups.items()
    ]


def darts_table(rows: Sequence[DartsSummary]) -> Table:
    """Return a row for each method and supernet (Table IV)."""
    columns = ("method", "simplified", "n", "top-1, %", "M parameters", "M MACs")
    columns = (*columns, "saved MB", "search s", "training s", "cost")
    made = [
        (
            row.title,
            NOTHING if row.saved_bytes is None else row.supernet,
            str(row.n),
            row.top1.text(),
            number(row.params / 1e6),
            number(row.macs / 1e6, 1),
            number(None if row.saved_bytes is None else row.saved_bytes / 1e6, 1),
            number(row.search_seconds, 0),
            number(row.train_seconds, 0),
            number(row.normalised_cost),
        )
        for row in rows
    ]
    return Table(columns, made, texts=2)
