"""Settings that were frozen before the reported seeds were searched (docs/protocol.md)."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

from archwright.bench.engine.arms import parse_seeds
from archwright.errors import ConfigError
from archwright.nas.config import SearchConfig
from archwright.spaces import get_space

FREEZES = Path(__file__).with_name("freezes.json")
_DIGITS = 16
"""Of a hash, in hexadecimal."""
_RESOLVED = (
    *("channels", "cells", "image_size", "limit", "derivation", "keep_null", "finalists"),
    *("regularity", "stop_early", "pointwise", "granularity", "scale"),
)
"""Settings of a search, beside those of its recipe and its method, that decide what it finds."""


@dataclass(frozen=True, kw_only=True)
class Freeze:
    """Reported seeds, and the settings that they may be searched with.

    Attributes:
        seeds: each is searched once for a method.
        reason: why the settings were frozen, and on which seeds they were chosen.
        settings: the hash of the settings, by method and preset (`diffgraph/proxy`).
    """

    seeds: tuple[int, ...]
    reason: str
    settings: Mapping[str, str]


@cache
def read_freezes() -> tuple[Freeze, ...]:
    """Read all freezes, the first one first."""
    held = json.loads(FREEZES.read_text(encoding="utf-8"))
    return tuple(
        Freeze(seeds=parse_seeds(one["seeds"]), reason=one["reason"], settings=one["settings"])
        for one in held
    )


def freeze_of(seed: int) -> int:
    """Return the number, from 1, of the freeze that a seed is reported for; 0 if it is not."""
    found = (number for number, one in enumerate(read_freezes(), 1) if seed in one.seeds)
    return next(found, 0)


def settings_hash(config: SearchConfig) -> str:
    """Hash all settings that decide the result of a search, except seed, images and simplification.

    The hash is of the resolved values: a preset, a default or a published recipe that changes in
    the code changes the hash, too.

    Raises:
        ConfigError: method or preset do not exist, or contradict each other.
    """
    with_preset = config.with_preset()
    method = with_preset.build_method()
    recipe = with_preset.recipe(method.recipe(get_space(with_preset.space).name))
    content = {
        **{name: getattr(with_preset, name) for name in _RESOLVED},
        **asdict(recipe),
        **asdict(method),
    }
    # what is not set is left out, so that an option that comes later changes no older hash
    content = {name: value for name, value in content.items() if value is not None}
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:_DIGITS]


def require_frozen(config: SearchConfig, *, part: str = "") -> None:
    """Check that a search with a reported seed has the settings that were frozen for it.

    `part` names the change of an ablation to the preset; it is frozen by that name.

    Raises:
        ConfigError: its settings are others (both hashes are named).
    """
    name = f"{config.method}/{config.preset}" + (f" {part}" if part else "")
    for one in read_freezes():
        if config.seed not in one.seeds:
            continue
        frozen, now = one.settings.get(name), settings_hash(config)
        if frozen != now:
            held = "none are" if frozen is None else f"{frozen} are"
            raise ConfigError(
                f"seed {config.seed} is reported, and {held} the settings of {name} that were "
                f"frozen for it, not {now}: choose settings on other seeds, then freeze them"
            )
