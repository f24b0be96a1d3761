"""Pruning of a found network: deleted nodes and their replacement, beside the genotype."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from archwright.errors import GenotypeError, unknown

Aggregation = Literal["sum", "scalar", "channel"]
Node = tuple[str, int]
"""Node of a cell: the cell's step, or a kind for all of its cells; and the node's number."""

_FUSIONS = ("sum", "linear", "se", "linear+se")
_SETTING = r"fusion=.+|per=(scalar|channel)|(reduction|floor)=[0-9]+|gated=(yes|no)"


@dataclass(frozen=True, kw_only=True)
class Fusion:
    """Fusion of the predecessors of a deleted node for a successor (NR-DARTS).

    They are added: unweighted (`sum`), or each with a learned weight, one for all channels
    (`scalar`) or one for each (`channel`). With `recalibrated`, squeeze and excitation follows,
    with channels / `reduction` units, but at least `floor`.
    """

    aggregation: Aggregation = "channel"
    recalibrated: bool = True
    reduction: int = 16
    floor: int = 8

    def __post_init__(self) -> None:
        """Check each setting.

        Raises:
            GenotypeError: there is no such fusion (it is named).
        """
        if self.aggregation not in get_args(Aggregation):
            raise GenotypeError(unknown("aggregation", self.aggregation, get_args(Aggregation)))
        if min(self.reduction, self.floor) < 1:
            raise GenotypeError(
                f"reduction and floor must be at least 1, got {self.reduction} and {self.floor}"
            )

    @property
    def name(self) -> str:
        """Name of the fusion: `sum`, `linear`, `se` or `linear+se`."""
        return _FUSIONS[(self.aggregation != "sum") + 2 * self.recalibrated]

    def units(self, channels: int) -> int:
        """Return the hidden units of squeeze and excitation on `channels` channels."""
        return max(channels // self.reduction, self.floor)


def named_fusion(
    name: str, *, per: Aggregation = "channel", reduction: int = 16, floor: int = 8
) -> Fusion:
    """Return the fusion of that name; `per`: the aggregation of a linear one.

    Raises:
        GenotypeError: there is none of that name, or a setting is out of range.
    """
    if name not in _FUSIONS:
        raise GenotypeError(unknown("fusion", name, _FUSIONS))
    aggregation: Aggregation = per if "linear" in name else "sum"
    return Fusion(
        aggregation=aggregation, recalibrated="se" in name, reduction=reduction, floor=floor
    )


@dataclass(frozen=True, kw_only=True)
class Pruning:
    """Deleted nodes, the fusion that replaces them, and whether the other nodes have gates.

    A gate is one learned weight on the output of a node.
    """

    deleted: frozenset[Node] = frozenset()
    fusion: Fusion = field(default_factory=Fusion)
    gated: bool = False

    def of(self, step: str, kind: str) -> frozenset[int]:
        """Return the deleted nodes of a cell, given its step and its kind."""
        return frozenset(node for place, node in self.deleted if place in (step, kind))

    def by_place(self) -> dict[str, list[int]]:
        """Return the deleted nodes by cell, in natural order (cell2 before cell10)."""
        found: dict[str, list[int]] = {}
        for place, node in in_order(self.deleted):
            found.setdefault(place, []).append(node)
        return found

    def to_json(self) -> dict[str, Any]:
        """Return the content of an architecture file."""
        fusion = self.fusion
        return {
            "deleted": self.by_place(),
            "fusion": fusion.name,
            "aggregation": fusion.aggregation,
            "reduction": fusion.reduction,
            "floor": fusion.floor,
            "gated": self.gated,
        }

    def to_text(self) -> str:
        """Return one line: `cell0:2,4 cell3:5 fusion=linear+se gated=yes`, without defaults."""
        words = [f"{place}:{','.join(map(str, nodes))}" for place, nodes in self.by_place().items()]
        words.append(f"fusion={self.fusion.name}")
        if self.fusion.aggregation == "scalar":
            words.append("per=scalar")
        for name in ("reduction", "floor"):
            value = getattr(self.fusion, name)
            words += [] if value == getattr(Fusion, name) else [f"{name}={value}"]
        return " ".join([*words, *(["gated=yes"] if self.gated else [])])


def pruning_from_json(content: Mapping[str, Any]) -> Pruning:
    """Read the pruning that `Pruning.to_json` returned.

    Raises:
        GenotypeError: a value is out of range.
        KeyError, TypeError, ValueError: a field is missing or malformed.
    """
    name, per = str(content["fusion"]), content["aggregation"]
    fusion = named_fusion(
        name, per=per, reduction=int(content["reduction"]), floor=int(content["floor"])
    )
    deleted = ((str(p), int(n)) for p, nodes in content["deleted"].items() for n in nodes)
    return Pruning(deleted=frozenset(deleted), fusion=fusion, gated=bool(content["gated"]))


def pruning_from_text(text: str) -> Pruning:
    """Read the pruning that `Pruning.to_text` returned.

    Raises:
        GenotypeError: a word is neither nodes of a cell nor a setting (it is named).
    """
    deleted: set[Node] = set()
    given: dict[str, str] = {}
    for word in text.split():
        if match := re.fullmatch(r"([^:=\s]+):([0-9]+(?:,[0-9]+)*)", word):
            deleted.update((match[1], int(node)) for node in match[2].split(","))
        elif re.fullmatch(_SETTING, word):
            name, _, value = word.partition("=")
            given[name] = value
        else:
            raise GenotypeError(
                f"cannot read {word!r} in a pruning: expected nodes (cell0:2,4) or a setting "
                f"(fusion=linear+se, per=scalar, reduction=16, floor=8, gated=yes)"
            )
    per: Aggregation = "scalar" if given.get("per") == "scalar" else "channel"
    fusion = named_fusion(
        given.get("fusion", "linear+se"),
        per=per,
        reduction=int(given.get("reduction", Fusion.reduction)),
        floor=int(given.get("floor", Fusion.floor)),
    )
    return Pruning(deleted=frozenset(deleted), fusion=fusion, gated=given.get("gated") == "yes")


def in_order(nodes: Iterable[Node]) -> list[Node]:
    """Return nodes in natural order: cell2 before cell10."""
    return sorted(nodes, key=_counted)


def _counted(node: Node) -> tuple[list[tuple[int, str]], int]:
    """Return the sort key of natural order."""
    place, number = node
    parts = re.findall(r"[0-9]+|[^0-9]+", place)
    return [(int(part), "") if part.isdigit() else (-1, part) for part in parts], number
