"""What a pruning comes to."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from archwright.cost import graph_cost
from archwright.ir import Architecture
from archwright.spaces import Size, Space, write_architecture


@dataclass(frozen=True, kw_only=True)
class Row:
    """A network of the result table, as that of a training: its cost, and its percent of test
    images that are told right.
    """

    name: str
    architecture: str
    channels: int
    params: int
    macs: int
    top1: float


def row(name: str, space: Space, architecture: Architecture, size: Size, top1: float) -> Row:
    """The row of an architecture at a size."""
    cost = graph_cost(space.discrete(architecture, size))
    text = write_architecture(architecture)
    return Row(
        name=name,
        architecture=text,
        channels=size.channels,
        params=cost.params,
        macs=cost.macs,
        top1=round(top1, 4),
    )


@dataclass(frozen=True, kw_only=True)
class PruneResult:
    """The network before and after; accuracies are in percent of test images.

    Attributes:
        top1_pruned: right after nodes were deleted and fusions fitted, before the fine-tuning.
        nodes_deleted: how many, over all cells.
    """

    macs_before: int
    macs_after: int
    params_before: int
    params_after: int
    nodes_deleted: int
    top1_before: float
    top1_pruned: float
    top1_after: float
    seconds: float
    out: Path

    def to_json(self) -> dict[str, Any]:
        """The result as the log has it."""
        return {**asdict(self), "out": str(self.out)}

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> "PruneResult":
        """The inverse of `to_json`; further fields are left out."""
        given = {name: content[name] for name in cls.__dataclass_fields__}
        return cls(**{**given, "out": Path(content["out"])})
