"""`archwright bench`."""

from archwright.cli.bench import (
    budgets,
    darts,
    nasbench201,
    predictor,
    profile,
    pruning,
    rank,
    supernet,
)
from archwright.cli.command import Group

command = Group(
    name="bench",
    text="Measure what networks take, and what searches find, beside each other.",
    parts={
        "supernet": supernet.command,
        "nasbench201": nasbench201.command,
        "rank": rank.command,
        "darts": darts.command,
        "budgets": budgets.command,
        "pruning": pruning.command,
        "predictor": predictor.command,
        "profile": profile.command,
    },
)
