"""Presets: named settings of all stages."""

from dataclasses import dataclass, field
from typing import Any, Literal

Preset = Literal["paper", "proxy", "tiny"]


@dataclass(frozen=True, kw_only=True)
class StageOptions:
    """Settings of each stage in a preset; everything else has the stage's own default.

    `shallow` names the networks that have the least depth of the space: the supernet or the final
    one.
    """

    search: dict[str, Any] = field(default_factory=dict[str, Any])
    training: dict[str, Any] = field(default_factory=dict[str, Any])
    pruning: dict[str, Any] = field(default_factory=dict[str, Any])
    shallow: frozenset[Literal["supernet", "final"]] = frozenset()


_PLAIN = {"drop_path": 0.0, "auxiliary": 0.0}
"""Short trainings use the whole network: no drop-path and no auxiliary head."""

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
