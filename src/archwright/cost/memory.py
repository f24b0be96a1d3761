"""Memory for activations in training."""

from collections.abc import Callable, Iterable
from itertools import chain

import torch
from torch import Tensor
from torch.multiprocessing.reductions import StorageWeakRef

from archwright.cost.expected.located_ops import LocatedOp
from archwright.graph import INPUT, BatchNorm, Network, Op, Shape, Step, walk_network
from archwright.lowering import GraphModule, Mixture, logits_table


def saved_bytes(run: Callable[[], object], resident: Iterable[Tensor]) -> int:
    """Return the bytes that autograd keeps for backward while `run` runs; each storage counts once.

    `resident` are tensors that exist anyway and do not count: parameters and buffers. Any device
    is possible, also `meta`.
    """
    # a weak reference identifies its storage on every device, and prevents that the id is reused
    own = {StorageWeakRef(tensor.untyped_storage()) for tensor in resident}
    kept: dict[StorageWeakRef, int] = {}

    def pack(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        reference = StorageWeakRef(storage)
        if reference not in own:
            kept[reference] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        run()
    return sum(kept.values())


def estimate_training_bytes(network: Network, batch_size: int) -> int:
    """Estimate the bytes of a training step in float32 to within a factor; no module is built.

    The output of each module counts once, and each weight four times (weight, gradient, momentum,
    and space for an update).
    """
    features = 0
    weights: dict[str, int] = {}

    def count(module: Op, shape: Shape) -> None:
        nonlocal features
        out = module.primitive.out_shape(shape)
        features += out.channels * out.height * out.width
        weights[module.slot] = module.primitive.params

    walk_network(network, count)
    return 4 * (features * batch_size + 4 * sum(weights.values()))


def degenerate_batch_norm(network: Network, batch_size: int) -> str | None:
    """Return the slot of the first batch norm that gets one value per channel in a step, or None.

    One value has no deviation, so such a step is impossible.
    """
    found: list[str] = []

    def check(module: Op, shape: Shape) -> None:
        alone = batch_size * shape.height * shape.width == 1
        if alone and isinstance(module.primitive, BatchNorm):
            found.append(module.slot)

    walk_network(network, check)
    return found[0] if found else None


def activation_bytes(network: Network, batch_size: int = 1) -> int:
    """Return the bytes that one training step in float32 keeps for backward, without running it.

    Open decisions are softmax mixtures.
    """
    with torch.device("meta"):
        module = GraphModule(network).train()
        images = torch.empty(batch_size, *network.image)
    mixture = _meta_mixture(module)
    return saved_bytes(
        lambda: module(images, mixture), chain(module.parameters(), module.buffers())
    )


def kept_bytes(place: LocatedOp) -> int:
    """Return the bytes that an expression alone keeps for backward, for one image in float32."""
    with torch.device("meta"):
        network = Network(place.shape, (Step("only", place.body, (INPUT,)),))
        module = GraphModule(network).train()
        features = torch.empty(1, *place.shape, requires_grad=True)
    return saved_bytes(lambda: module(features), chain(module.parameters(), module.buffers()))


def _meta_mixture(module: GraphModule) -> Mixture | None:
    if not module.decisions:
        return None
    logits = logits_table(module.decisions).to("meta")
    return Mixture.from_logits(logits.requires_grad_())
