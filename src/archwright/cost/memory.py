"""The memory that training takes for activations."""

from collections.abc import Callable, Iterable
from itertools import chain

import torch
from torch import Tensor
from torch.multiprocessing.reductions import StorageWeakRef

from archwright.cost.expected.located_ops import LocatedOp
from archwright.graph import INPUT, BatchNorm, Network, Op, Shape, Step, walk_network
from archwright.lowering import GraphModule, Mixture, logits_table


def saved_bytes(run: Callable[[], object], resident: Iterable[Tensor]) -> int:
    """Bytes that autograd keeps for backward while `run` runs; each storage counts once.

    `resident` are the tensors that are there anyway and do not count: parameters and buffers.
    Works on any device, `meta` included.
    """
    # a weak reference names its storage on every device, and keeps the name from being used again
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
    """About the bytes of a training step in float32, right within a factor; nothing is built.

    Every module's output counts once, and every weight four times (with its gradient, its
    momentum, and room for an update).
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
    """The first batch norm that a step would leave a single value a channel; None: there is none.

    There is no deviation of one value: such a step cannot be taken.
    """
    found: list[str] = []

    def check(module: Op, shape: Shape) -> None:
        alone = batch_size * shape.height * shape.width == 1
        if alone and isinstance(module.primitive, BatchNorm):
            found.append(module.slot)

    walk_network(network, check)
    return found[0] if found else None


def activation_bytes(network: Network, batch_size: int = 1) -> int:
    """Bytes that one training step in float32 keeps for backward, counted without running it.

    A network with open decisions counts with a softmax mixture.
    """
    with torch.device("meta"):
        module = GraphModule(network).train()
        images = torch.empty(batch_size, *network.image)
    mixture = _meta_mixture(module)
    return saved_bytes(
        lambda: module(images, mixture), chain(module.parameters(), module.buffers())
    )


def kept_bytes(place: LocatedOp) -> int:
    """Bytes that an expression keeps for backward by itself, for one image in float32."""
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
