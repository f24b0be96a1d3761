"""Settings that go together, under a name: what `--preset` puts where nothing else is given."""

from typing import Any

from archwright.errors import ConfigError, unknown
from archwright.nas.methods import METHODS

_PROXY: dict[str, Any] = {
    **{"channels": 8, "cells": 3, "image_size": 16, "limit": 20_000},
    **{"epochs": 5, "batch_size": 64, "lr": 0.1, "alpha_lr": 3e-2, "alpha_start": 1},
}

_SOFT: dict[str, Any] = {"tau": 5.0, "tau_min": 1.0}

PRESETS: dict[str, dict[str, dict[str, Any]]] = {
    # as published: every method has its own settings
    "paper": {},
    # TopoNAS, Table III: beta-DARTS with twice the epochs
    "doubled": {"beta-darts": {"epochs": 200}},
    # minutes on two cores; chosen on seeds 100 to 104 of CIFAR-10, see docs/protocol.md
    "proxy": {
        "darts": _PROXY,
        "darts-2nd": _PROXY,
        # half a unit an epoch, as published
        "beta-darts": {**_PROXY, "beta_decay": 2.5},
        "pc-darts": _PROXY,
        # a path a step: more and cheaper steps, as in its published settings; too few of them to
        # cool down in (docs/methods/gdas.md)
        "gdas": {**_PROXY, "epochs": 16, "alpha_lr": 1e-2, "alpha_start": 4, "tau_min": 10.0},
        "drnas": _PROXY,
        # softer samples: noise costs more where steps are few
        "snas": {**_PROXY, **_SOFT},
        # one sample a step, and nothing dropped before it has had a chance
        "diffgraph": {
            **{**_PROXY, **_SOFT, "draws": 1},
            **{"keep_null": False, "progressive": False},
        },
        "random-ws": _PROXY,
        "random": _PROXY,
    },
}
"""Options by preset and method; depth and width are those of nasbench201."""

_SIZES: dict[str, dict[str, Any]] = {"darts": {"channels": 8, "cells": 5}}
"""Depth and width of a preset on other spaces; what is not here is searched at its usual size."""


def preset_options(name: str, method: str, space: str = "nasbench201") -> dict[str, Any]:
    """What a preset sets for a method on a space; nothing for those that stay as published.

    Raises:
        ConfigError: there is no such preset or method, or the one has nothing to say of the other.
    """
    if method not in METHODS:
        raise ConfigError(unknown("method", method, METHODS))
    if name not in PRESETS:
        raise ConfigError(unknown("preset", name, PRESETS))
    preset = PRESETS[name]
    if preset and method not in preset:
        raise ConfigError(f"preset {name!r} is for {', '.join(preset)}, not for {method}")
    options = preset.get(method, {})
    if space == "nasbench201":
        return options
    others = {n: value for n, value in options.items() if n not in ("channels", "cells")}
    return {**others, **(_SIZES.get(space, {}) if others else {})}
