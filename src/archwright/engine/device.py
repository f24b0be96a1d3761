"""Device, precision and processes of a run, through Fabric."""

import os
import platform
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import torch
from torch import Tensor, nn

from archwright.engine.options import Precision
from archwright.errors import ConfigError

if TYPE_CHECKING:
    from lightning_fabric import Fabric


_Network = TypeVar("_Network", bound=nn.Module)


def make_fabric(device: str, precision: Precision, devices: int = 1) -> "Fabric":
    """Return a Fabric on `auto`, `cpu`, `cuda` or `cuda:1`, not launched yet.

    With several `devices`, its launch starts the other processes, which run the same command again
    from its start. So everything that can be checked is checked before.

    Raises:
        ConfigError: this machine has no such device, or too few of them.
    """
    from lightning_fabric import Fabric

    name, _, index = device.partition(":")
    if name == "mps":
        raise ConfigError("device mps has no 64-bit numbers, which sums need: give --device cpu")
    if name not in ("auto", "cpu", "cuda") or (":" in device and not index.isdigit()):
        raise ConfigError(f"unknown device {device!r}: give auto, cpu, cuda or cuda:1")
    if index and (name != "cuda" or devices > 1):
        raise ConfigError(f"device {device} takes no number here: give --device {name}")
    count = torch.cuda.device_count()
    if name == "auto":
        name = "cuda" if count else "cpu"
    if name != "cpu" and int(index or 0) >= count:
        raise ConfigError(f"device {device} is not on this machine: give --device auto or cpu")
    if name != "cpu" and devices > count:
        raise ConfigError(f"--devices {devices} is more than the {count} {name} here")
    _require_whole_float32()
    chosen: Any = [int(index)] if index else devices
    strategy = "ddp" if devices > 1 else "auto"
    return Fabric(accelerator=name, devices=chosen, precision=precision, strategy=strategy)


def _require_whole_float32() -> None:
    """Switch TF32 off: with it, a GPU rounds the factors of float32 products to 10 bits.

    PyTorch enables it for convolutions, which contradicts the precision 32-true.
    """
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cuda.matmul.allow_tf32 = False


def to_device(network: _Network, device: torch.device) -> _Network:
    """Move `network` to a device, with its weights in the layout that is fast for convolutions
    there.

    On a CPU, depthwise convolutions take half the time in channels-last layout.
    """
    network.to(device)
    if device.type == "cpu":
        network.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
    return network


def describe_hardware(device: torch.device) -> str:
    """Return one line that names the device and the CPU cores."""
    cores = f"{torch.get_num_threads()} of {os.cpu_count()} CPU threads, {platform.machine()}"
    if device.type == "cuda":
        return f"{torch.cuda.get_device_name(device)}, {cores}"
    return cores


def conditions(device: torch.device) -> dict[str, Any]:
    """Return the conditions, beside the settings, on which the last bits of a result depend, by
    name.

    On a CPU these include the number of threads, which determines the order of sums.
    """
    threads = {"threads": torch.get_num_threads()} if device.type == "cpu" else {}
    return {"device": device.type, **threads, "torch": torch.__version__}


def versions() -> dict[str, str]:
    """Return the versions of the libraries that affect a result."""
    from archwright._version import __version__

    return {
        "archwright": __version__,
        "torch": torch.__version__,
        "python": platform.python_version(),
    }


def available_bytes(device: torch.device) -> int | None:
    """Return the free memory of `device`; None if it cannot be determined."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    try:
        fields = dict(line.split(":", 1) for line in Path("/proc/meminfo").read_text().splitlines())
        free = int(fields["MemAvailable"].split()[0]) * 1024
    except (OSError, KeyError):
        return None
    return min([free, *_container_bytes(Path("/sys/fs/cgroup"))])


def _container_bytes(root: Path) -> Iterator[int]:
    """Return the rest of a container's memory limit; file cache counts as free."""
    for folder, limit, used, cache in (
        (root, "memory.max", "memory.current", "inactive_file"),
        (root / "memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
    ):
        try:
            most, now = (int((folder / name).read_text()) for name in (limit, used))
            stat = dict(line.split() for line in (folder / "memory.stat").read_text().splitlines())
            yield max(most - now + int(stat[cache]), 0)
        except (OSError, KeyError, ValueError):  # another version, or no limit ("max")
            continue


def require_memory(needed: int, device: torch.device, what: str) -> None:
    """Check that `needed` bytes are free on `device`.

    Raises:
        ConfigError: they are not; the estimate is named.
    """
    free = available_bytes(device)
    if free is not None and needed > free:
        raise ConfigError(
            f"{what} needs about {needed / 1e9:.1f} GB, and {device.type} has {free / 1e9:.1f} GB "
            f"free: lower --channels, --cells or --batch-size"
        )


def average_over_processes(fabric: "Fabric", tensors: list[Tensor]) -> None:
    """Replace each tensor (of one type) by its mean over all processes, in one message."""
    if fabric.world_size == 1 or not tensors:
        return
    joined = torch.cat([tensor.flatten() for tensor in tensors])
    mean = fabric.all_reduce(joined, reduce_op="mean")
    assert isinstance(mean, Tensor), "a tensor goes in, a tensor comes out"
    parts = mean.split([tensor.numel() for tensor in tensors])
    for tensor, part in zip(tensors, parts, strict=True):
        tensor.copy_(part.view_as(tensor))


def gather_states(fabric: "Fabric", state: Mapping[str, Tensor]) -> list[Mapping[str, Tensor]]:
    """Return the tensors of every process by name; their shapes may differ."""
    if fabric.world_size == 1:
        return [state]
    own = {name: value.cpu() for name, value in state.items()}
    found: list[Any] = [None] * fabric.world_size
    torch.distributed.all_gather_object(found, own)
    return found
