"""Variants: the networks that the study of supernets compares."""

from dataclasses import dataclass
from pathlib import Path

from archwright.bench.engine.arms import Lowering, parse_simplify
from archwright.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class Variant:
    """Variant of the comparison: a supernet, or (without a simplification) the discrete network.

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
    """Return the variant of the supernet that a file builds by other code."""
    return Variant(name=file.stem.replace("_", " "), simplify="none", lowering=None)


def parse_variants(text: str, lowering: Lowering, *, recompute: bool) -> tuple[Variant, ...]:
    """Parse the rows that `--simplify TEXT` names: the two that are always present come first.

    The text is a list of simplifications, separated by commas, each lowered by `lowering` or by the
    lowering in its name: `pms,all,none/fused,all/naive`. Repeated rows are measured once;
    `recompute` applies to the fused ones.

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
