"""What a pruning comes to."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from archwright.cost import graph_cost
from archwright.graph import Architecture
from archwright.io.schema import read_as, result_of, to_json
from archwright.spaces import Size, Space, write_architecture


@dataclass(frozen=True, kw_only=True)
class Measured:
    """A network of the result table, its cost, and the percent of test images it gets right."""

    name: str
    architecture: str
    channels: int
    params: int
    macs: int
    top1: float


def measured(
    name: str, space: Space, architecture: Architecture, size: Size, top1: float
) -> Measured:
    """The row of an architecture at a size, its cost as `inspect` says it."""
    cost = graph_cost(space.discrete(architecture, size))
    return Measured(
        name=name,
        architecture=write_architecture(architecture),
        channels=size.channels,
        params=cost.params,
        macs=cost.macs,
        top1=round(top1, 4),
    )


@dataclass(frozen=True, kw_only=True)
class PruneResult:
    """The network before and after; accuracies are in percent of test images.

    Attributes:
        architecture: what is left, as text.
        nodes_deleted: how many, over all cells.
        top1_pruned: right after nodes were deleted and fusions fitted, before the fine-tuning.
        counted_at: the size of the network, which costs are counted and measured at.
        latency_ms_before: as it was measured; None where there is no target for it.
        rows: the pruned network, and the unpruned one.
    """

    architecture: str
    macs_before: int
    macs_after: int
    params_before: int
    params_after: int
    nodes_deleted: int
    counted_at: Size
    top1_before: float
    top1_pruned: float
    top1_after: float
    latency_ms_before: float | None
    latency_ms_after: float | None
    seconds: float
    out: Path
    rows: tuple[Measured, ...]

    def to_json(self) -> dict[str, Any]:
        """The result as the log has it."""
        return to_json(self)

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> "PruneResult":
        """The inverse of `to_json`; further fields are ignored.

        Raises:
            RunError: a field is missing, or of another type.
        """
        return read_as(cls, content, result_of(content["out"]))
