"""What a search leaves behind: the architecture, and its network with the supernet's weights."""

from typing import TYPE_CHECKING

from archwright import data
from archwright.derive import restrict
from archwright.ir import Architecture
from archwright.lower import NaiveNetwork
from archwright.runs.device import placed
from archwright.runs.folder import RunFolder
from archwright.train.evaluate import evaluate, recalibrate, scoring_batches
from archwright.train.weights import save_network

if TYPE_CHECKING:
    from lightning_fabric import Fabric


def hand_over(
    fabric: "Fabric",
    folder: RunFolder,
    supernet: NaiveNetwork,
    architecture: Architecture,
    images: data.ImageData,
    batches: data.Batches,
) -> float:
    """Write architecture and inherited weights; return the accuracy on held-out images (percent).

    The derived network takes its batch statistics from `batches` first, since the supernet's are
    those of the mixture.
    """
    derived = placed(NaiveNetwork(restrict(supernet.network, architecture)), fabric.device)
    derived.inherit(supernet)
    recalibrate(fabric, derived, batches.epoch(0))
    top1 = evaluate(fabric, derived, scoring_batches(fabric, images).epoch(0)).top1
    assert top1 is not None, "a data set has test images"
    if fabric.is_global_zero:
        save_network(folder, architecture, derived)
    return round(top1, 4)
