"""Result of a pruning."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from archwright.engine.trained import TrainedNetwork
from archwright.io.schema import read_as, result_of, to_json
from archwright.spaces import Size, write_architecture


@dataclass(frozen=True, kw_only=True)
class Measured:
    """Row of the table: a network, its cost, and the percent of test images that it gets right.

    `published_params` and `published_macs` are those of its architecture as published, which
    differ where weights were inherited from a search.
    """

    name: str
    architecture: str
    channels: int
    params: int
    macs: int
    published_params: int
    published_macs: int
    top1: float


def measured(name: str, one: TrainedNetwork, top1: float) -> Measured:
    """Return the row of a network."""
    cost, published = one.cost, one.published_cost
    return Measured(
        name=name,
        architecture=write_architecture(one.architecture),
        channels=one.size.channels,
        params=cost.params,
        macs=cost.macs,
        published_params=published.params,
        published_macs=published.macs,
        top1=round(top1, 4),
    )


@dataclass(frozen=True, kw_only=True)
class PruneResult:
    """Network before and after; accuracies are in percent of test images.

    Attributes:
        architecture: what is left, as text.
        published_params: parameters of what is left, as published; `published_macs` alike.
        nodes_deleted: their number, over all cells.
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
    published_params: int
    published_macs: int
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
