"""Presets: named groups of settings; each method has its own, in its file."""

from typing import Any

from archwright.errors import ConfigError, unknown
from archwright.nas.methods import METHODS

_SIZES: dict[str, dict[str, Any]] = {"darts": {"channels": 8, "cells": 5}}
"""Width and depth of presets, by space; other spaces but nasbench201 have their own sizes."""


def preset_options(name: str, method: str, space: str = "nasbench201") -> dict[str, Any]:
    """Return the settings of a preset for a method on a space; empty for the published settings.

    Raises:
        ConfigError: there is no such preset or method, or the method has no preset of that name.
    """
    if method not in METHODS:
        raise ConfigError(unknown("method", method, METHODS))
    if name not in METHODS[method].presets:
        having = {other: METHODS[other].presets for other in METHODS}
        holders = [other for other, presets in having.items() if name in presets]
        if not holders:
            raise ConfigError(unknown("preset", name, set().union(*having.values())))
        raise ConfigError(f"preset {name!r} is for {', '.join(holders)}, not for {method}")
    options = dict(METHODS[method].presets[name])
    if space == "nasbench201":
        return options
    others = {n: value for n, value in options.items() if n not in ("channels", "cells")}
    return {**others, **(_SIZES.get(space, {}) if others else {})}
