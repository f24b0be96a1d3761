"""The memory that training takes for activations."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from archwright.ir import Network
from archwright.lower import Mixture, NaiveNetwork, logits_table


def saved_bytes(run: Callable[[], object], parameters: list[Tensor]) -> int:
    """Bytes that autograd keeps for backward while `run` runs; each storage counts once.

    Parameters are left out, for they are there anyway. Works on any device, `meta` included.
    """
    kept: dict[int, tuple[torch.UntypedStorage, int]] = {}
    own = {parameter.untyped_storage()._cdata for parameter in parameters}

    def pack(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage._cdata not in own:  # holding the storage keeps its address from being reused
            kept[storage._cdata] = (storage, storage.nbytes())
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        run()
    return sum(size for _, size in kept.values())


def activation_bytes(network: Network, batch_size: int = 1) -> int:
    """Bytes that one training step in float32 keeps for backward, counted without running it.

    A network with open decisions counts with a softmax mixture.
    """
    with torch.device("meta"):
        module = NaiveNetwork(network).train()
        images = torch.empty(batch_size, *network.image)
    mixture = _meta_mixture(module)
    return saved_bytes(lambda: module(images, mixture), list(module.parameters()))


def _meta_mixture(module: NaiveNetwork) -> Mixture | None:
    if not module.decisions:
        return None
    logits = nn.Parameter(logits_table(module.decisions).to("meta"))
    return Mixture.from_logits(logits)
