"""Which networks a supernet bench sets beside each other."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast, get_args

from archwright.errors import ConfigError, unknown
from archwright.graph.passes.simplification.settings import simplification

Lowering = Literal["fused", "naive"]


@dataclass(frozen=True, kw_only=True)
class Variant:
    """A row of the bench: a supernet, or (without a simplification) the discrete network.

    Without a lowering it is a supernet of other code.
    """

    name: str
    simplify: str | None
    lowering: Lowering | None
    recompute: bool = False


DISCRETE = Variant(name="discrete", simplify=None, lowering="naive")
NAIVE = Variant(name="naive", simplify="none", lowering="naive")
"""What all others are compared with; both are always measured."""


def external_variant(file: Path) -> Variant:
    """The row of the supernet that a file builds by other code."""
    return Variant(name=file.stem.replace("_", " "), simplify="none", lowering=None)


def parse_variants(text: str, lowering: Lowering, *, recompute: bool) -> tuple[Variant, ...]:
    """The rows that `--simplify TEXT` asks for: the two that are always there come first.

    The text is a list of simplifications, separated by commas, each lowered by `lowering` or as it
    says itself: `pms,all,none/fused,all/naive`. What is named twice is measured once; `recompute`
    is for the fused ones.

    Raises:
        ConfigError: a simplification or a lowering is unknown, or none is left to recompute in.
    """
    rows = dict.fromkeys((DISCRETE, NAIVE))
    for item in text.split(","):
        simplify, own = parse_simplify(item)
        how: Lowering = "naive" if (own or lowering) == "naive" else "fused"
        plain = how == lowering and simplify != "none"
        variant = Variant(
            name=simplify if plain else f"{simplify}/{how}",
            simplify=simplify,
            lowering=how,
            recompute=recompute and how == "fused",
        )
        if (simplify, how) != (NAIVE.simplify, NAIVE.lowering):
            rows[variant] = None
    if recompute and not any(variant.recompute for variant in rows):
        raise ConfigError("--recompute is for the fused lowering, and no row is lowered so")
    return tuple(rows)


def parse_simplify(item: str) -> tuple[str, Lowering | None]:
    """The simplification that one item of `--simplify` names, and its lowering if it names one.

    Raises:
        ConfigError: either is unknown.
    """
    stages, slash, own = item.strip().partition("/")
    if slash and own not in get_args(Lowering):
        raise ConfigError(f"--simplify {item}: {unknown('lowering', own, get_args(Lowering))}")
    return str(simplification(stages)), cast("Lowering", own) if slash else None
