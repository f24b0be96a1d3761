"""Runtimes in which networks are measured."""

from collections.abc import Callable
from typing import Literal, Protocol, get_args

import torch

from archwright.backends import LogitsModule, Session, to_onnx
from archwright.errors import ConfigError, unknown
from archwright.graph import Network
from archwright.lowering import GraphModule

RuntimeName = Literal["onnxruntime", "torch"]


class Runtime(Protocol):
    """Function that loads networks into a runtime."""

    def __call__(self, network: Network) -> Callable[[], object]:
        """Return a function that runs the network on one image, for timing."""
        ...


def runtime(name: str, device: str, threads: int) -> Runtime:
    """Return the runtime of that name on a device; `threads` is for onnxruntime only.

    Raises:
        ConfigError: the runtime is unknown, is not installed, or does not have the device.
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
            return answer(images).cpu()  # waits for the device

        return call

    return run
