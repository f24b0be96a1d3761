"""Settings of all stages that go together, under a name."""

from dataclasses import dataclass, field
from typing import Any, Literal

Preset = Literal["paper", "proxy", "tiny"]


@dataclass(frozen=True, kw_only=True)
class StageOptions:
    """What a preset sets of each stage; all else is as the stage itself has it.

    `shallow`: which networks are as shallow as the space has them, the supernet or the final one.
    """

    search: dict[str, Any] = field(default_factory=dict[str, Any])
    training: dict[str, Any] = field(default_factory=dict[str, Any])
    pruning: dict[str, Any] = field(default_factory=dict[str, Any])
    shallow: frozenset[Literal["supernet", "final"]] = frozenset()


_PLAIN = {"drop_path": 0.0, "auxiliary": 0.0}
"""Short trainings need all of the network."""

PRESETS: dict[Preset, StageOptions] = {
    # each search method as published; the retraining of DARTS: 600 epochs
    "paper": StageOptions(),
    # an hour or so on two cores; the search is that of --preset proxy of archwright search
    "proxy": StageOptions(
        search={"preset": "proxy"},
        training={**_PLAIN, "limit": 10_000, "epochs": 20, "batch_size": 64, "lr": 0.05},
        pruning={"epochs": 7, "batch_size": 64},
        shallow=frozenset({"supernet"}),
    ),
    # a minute or two on two cores, for a thousand or so small images
    "tiny": StageOptions(
        search={"epochs": 16, "batch_size": 32, "alpha_start": 6, "alpha_lr": 0.01},
        training={**_PLAIN, "epochs": 20, "batch_size": 64, "lr": 0.1, "cutout": 2},
        pruning={"epochs": 7, "batch_size": 64, "cutout": 2},
        shallow=frozenset({"supernet", "final"}),
    ),
}
"""Every preset, by its name."""
