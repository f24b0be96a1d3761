"""Result of a search: the architecture, and its network with the supernet's weights."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archwright import data
from archwright.engine.device import to_device
from archwright.engine.networks.weights import save_network
from archwright.engine.runs.folder import RunFolder
from archwright.engine.scoring.evaluate import evaluate, recalibrate, scoring_batches
from archwright.graph import Architecture, Network
from archwright.graph.passes.restriction import restrict
from archwright.io.schema import read_as, result_of, to_json
from archwright.lowering import GraphModule
from archwright.nas.budget.budget import costs_from_json, costs_to_json
from archwright.spaces import Size, Space, read_architecture, write_architecture

if TYPE_CHECKING:
    from lightning_fabric import Fabric


@dataclass(frozen=True)
class SearchResult:
    """Architecture that a search found, and its network.

    `params` and `macs` are those of the derived network, which the folder holds;
    `published_params` and `published_macs` those of the architecture as published, at the same
    size; `accuracy` is the task's metric of the derived network on held-out images, with the
    weights of the supernet. `costs` are those that were limited or weighed, at the deployment size;
    `limits` are the limits on them, `feasible` says whether these hold, and `counted_at` is that
    size; `front` has the points of the Pareto front (see `ParetoPoint.to_json`). They are None if
    the search had no costs, no limits or no front.
    """

    architecture: Architecture
    params: int
    macs: int
    published_params: int
    published_macs: int
    accuracy: float
    seconds: float
    out: Path
    feasible: bool | None = None
    costs: dict[str, float] | None = None
    limits: dict[str, float] | None = None
    counted_at: Size | None = None
    front: tuple[dict[str, Any], ...] | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the result for JSON: the architecture as text, the folder as a string."""
        text = write_architecture(self.architecture)
        costs = None if self.costs is None else costs_to_json(self.costs)
        content = to_json(replace(self, costs=None), skip_none=True)
        return {**content, "architecture": text, **({} if costs is None else {"costs": costs})}

    @classmethod
    def from_json(cls, content: dict[str, Any], space: Space | None = None) -> "SearchResult":
        """Read the result that `to_json` returned; `space` is the one searched, if it is a user's.

        Raises:
            RunError: a field is missing, or of another type.
        """
        where = result_of(content["out"])
        held = dict(content)
        text = read_as(_Found, held, where).architecture
        costs = read_as(dict[str, float | None], held.pop("costs", None) or {}, where)
        found = read_as(cls, {**held, "architecture": read_architecture(text, space)}, where)
        return replace(found, costs=costs_from_json(costs) or None)


@dataclass(frozen=True)
class _Found:
    """Architecture of a result in the log, as text."""

    architecture: str


def save_derived_network(
    fabric: "Fabric",
    folder: RunFolder,
    supernet: GraphModule,
    architecture: Architecture,
    images: data.ImageData,
    batches: data.Batches,
) -> tuple[Network, float]:
    """Write the derived network; return its graph, and the task's metric on held-out images.

    The derived network takes its batch statistics from `batches` first, since the supernet's are
    those of the mixture.
    """
    derived = to_device(GraphModule(restrict(supernet.network, architecture)), fabric.device)
    derived.inherit(supernet)
    recalibrate(fabric, derived, batches.epoch(0))
    batches_of_test = scoring_batches(fabric, images).epoch(0)
    score = evaluate(fabric, images.task, derived, batches_of_test).score
    assert score is not None, "a data set has test images"
    if fabric.is_global_zero:
        save_network(folder, architecture, derived)
    return derived.network, round(score, 4)
