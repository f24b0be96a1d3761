"""Table of rank agreement."""

from collections.abc import Sequence

from archwright.bench.engine.table import NOTHING, Table, number, without_empty_columns
from archwright.bench.rank.rankings import RankAgreement


def agreements_table(rows: Sequence[RankAgreement], preset: str) -> Table:
    """Return a row for each way to train a supernet."""
    columns = ("method", "simplified", "n", "Kendall's tau", "Spearman's rho", "one-shot, %")
    columns = (*columns, "ranked first, %", "scoring s", "tau less unsimplified", "p, flips")
    made = [
        (
            row.arm.title(preset),
            row.arm.supernet,
            str(row.n),
            *(value.text(3) for value in (row.tau, row.rho)),
            number(row.one_shot, 1),
            row.chosen.text(),
            number(row.seconds, 0),
            NOTHING if row.difference is None else f"{row.difference:+.3f}",
            number(row.p, 3),
        )
        for row in rows
    ]
    return without_empty_columns(Table(columns, made, texts=2))
