"""Settings of simplification: the stages of TopoNAS that are on, and how they work."""

from dataclasses import dataclass
from typing import Literal

from archwright.errors import ConfigError, unknown

STAGES = ("pms", "fms", "merge", "norm")
"""Partial and floating module sharing, linear merge, kernel normalisation."""

Stage = Literal["pms", "fms", "norm", "merge"]
Pointwise = Literal["shared", "apart", "dense"]
Granularity = Literal["kernel", "filter"]
Scale = Literal["deviation", "norm"]


@dataclass(frozen=True, kw_only=True)
class Simplification:
    """Stages that are applied, and the choices that the paper leaves open.

    `pointwise` is the treatment of the pointwise convs of separable ones: `shared` among the
    candidates like any module, kept `apart` side by side, or merged with their depthwise conv to
    a `dense` kernel. Each whole `kernel` or each `filter` is normalised, to unit `deviation` or
    unit `norm`.
    """

    pms: bool = True
    fms: bool = True
    merge: bool = True
    norm: bool = True
    pointwise: Pointwise = "shared"
    granularity: Granularity = "filter"
    scale: Scale = "norm"

    @property
    def stages(self) -> tuple[str, ...]:
        """Return the names of the stages that are on."""
        return tuple(stage for stage in STAGES if getattr(self, stage))

    def __str__(self) -> str:
        if len(self.stages) == len(STAGES):
            return "all"
        return "+".join(self.stages) or "none"


def parse_stages(text: str) -> frozenset[str]:
    """Return the stages named by `none`, `all`, or names joined by `+`.

    Raises:
        ConfigError: a name is unknown (the nearest one is given), or there twice.
    """
    if text == "all":
        return frozenset(STAGES)
    if text == "none":
        return frozenset()
    names = text.split("+")
    for name in names:
        if name not in STAGES:
            known = ("all", "none", *STAGES)
            raise ConfigError(f"{unknown('simplification', name, known)}, joined by +")
        if names.count(name) > 1:
            raise ConfigError(f"--simplify {text} names {name} twice")
    return frozenset(names)


def simplification(
    text: str,
    *,
    pointwise: Pointwise = "shared",
    granularity: Granularity = "filter",
    scale: Scale = "norm",
) -> Simplification:
    """Return the simplification that `--simplify TEXT` asks for.

    Raises:
        ConfigError: as `parse_stages`, or a choice is made for a stage that is off.
    """
    stages = parse_stages(text)
    usual = Simplification()
    for name, given, needed in (
        ("pointwise", pointwise, ("pms", "fms", "merge")),
        ("granularity", granularity, ("norm",)),
        ("scale", scale, ("norm",)),
    ):
        if given != getattr(usual, name) and not stages & set(needed):
            raise ConfigError(
                f"--{name} {given} changes nothing with --simplify {text}: leave it out, or add "
                f"{' or '.join(needed)}"
            )
    on = {stage: stage in stages for stage in STAGES}
    return Simplification(**on, pointwise=pointwise, granularity=granularity, scale=scale)
