"""What networks are run with when they are measured."""

from collections.abc import Callable
from typing import Literal, Protocol, get_args

import torch

from archwright.backends import LogitsModule, Session, to_onnx
from archwright.errors import ConfigError, unknown
from archwright.graph import Network
from archwright.lowering import GraphModule

RuntimeName = Literal["onnxruntime", "torch"]


class Runtime(Protocol):
    """Something that networks are run with."""

    def __call__(self, network: Network) -> Callable[[], object]:
        """One answer of the network to one image, to be timed."""
        ...


def runtime(name: str, device: str, threads: int) -> Runtime:
    """The runtime of that name on a device; `threads` are onnxruntime's, torch has its own setting.

    Raises:
        ConfigError: there is no such runtime, it is not installed, or has no such device.
    """
    known = get_args(RuntimeName)
    if name not in known:
        raise ConfigError(unknown("runtime", name, known))
    if name == "torch":
        return _in_torch(device)
    return lambda network: Session(
        to_onnx(GraphModule(network).eval()), threads=threads, device=device
    ).call(network.image)


def _in_torch(device: str) -> Runtime:
    try:
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError):  # the latter where torch was built without it
        raise ConfigError(f"torch has no device {device!r} here: give --device cpu") from None

    def run(network: Network) -> Callable[[], object]:
        answer = LogitsModule(GraphModule(network)).to(device)
        images = torch.randn(1, *network.image, generator=torch.Generator().manual_seed(0))
        images = images.to(device)

        @torch.inference_mode()
        def call() -> object:
            return answer(images).cpu()  # which waits for the device

        return call

    return run
