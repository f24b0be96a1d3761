"""Settings that go together, under a name: what `--preset` puts where nothing else is given."""

from typing import Any

from archwright.errors import ConfigError, unknown

_SMALL = {
    **{"channels": 16, "cells": 1, "limit": 10_000, "epochs": 6, "batch_size": 64},
    **{"alpha_lr": 3e-3, "alpha_start": 0},
}

PRESETS: dict[str, dict[str, dict[str, Any]]] = {
    # as published: every method has its own settings
    "paper": {},
    # TopoNAS, Table III: beta-DARTS with twice the epochs
    "doubled": {"beta-darts": {"epochs": 200}},
    # minutes on two cores; chosen on seeds 100 to 104 of CIFAR-10, see docs/protocol.md
    "proxy": {
        "darts": _SMALL,
        "darts-2nd": _SMALL,
        "beta-darts": _SMALL,
        "pc-darts": _SMALL,
        "gdas": _SMALL,
        "drnas": _SMALL,
        "snas": _SMALL,
        "diffgraph": _SMALL,
        "random-ws": _SMALL,
        "random": _SMALL,
    },
}
"""Options by preset and method."""


def preset_options(name: str, method: str) -> dict[str, Any]:
    """What a preset sets for a method; nothing for those that stay as published.

    Raises:
        ConfigError: there is no such preset, or it has nothing to say of the method.
    """
    if name not in PRESETS:
        raise ConfigError(unknown("preset", name, PRESETS))
    preset = PRESETS[name]
    if preset and method not in preset:
        raise ConfigError(f"preset {name!r} is for {', '.join(preset)}, not for {method}")
    return preset.get(method, {})
