from pathlib import Path

import pytest
import torch

from archwright.engine import device
from archwright.engine.device import available_bytes, make_fabric, require_memory, to_device
from archwright.errors import ConfigError

CPU = torch.device("cpu")


@pytest.fixture
def two_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)


@pytest.mark.parametrize("name", ["auto", "cpu"])
def test_a_cpu(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    fabric = make_fabric(name, "32-true")
    assert fabric.device.type == "cpu"
    assert (fabric.world_size, fabric.is_global_zero) == (1, True)


def test_float32_is_not_rounded_to_tf32() -> None:
    torch.backends.cudnn.allow_tf32 = True
    torch.backends.cuda.matmul.allow_tf32 = True
    make_fabric("cpu", "32-true")
    assert not torch.backends.cudnn.allow_tf32
    assert not torch.backends.cuda.matmul.allow_tf32


@pytest.mark.parametrize("name", ["gpu", "cuda:", "cuda:x", "", "cpu:-1"])
def test_an_unknown_device(name: str) -> None:
    with pytest.raises(ConfigError, match=r"unknown device .*: give auto, cpu, cuda or cuda:1"):
        make_fabric(name, "32-true")


def test_a_device_without_double_precision() -> None:
    message = "device mps has no 64-bit numbers, which sums need: give --device cpu"
    with pytest.raises(ConfigError, match=message):
        make_fabric("mps", "32-true")


@pytest.mark.parametrize("name", ["cuda", "cuda:0"])
def test_a_device_that_is_not_here(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    with pytest.raises(ConfigError, match=f"device {name} is not on this machine"):
        make_fabric(name, "32-true")


@pytest.mark.usefixtures("two_gpus")
@pytest.mark.parametrize(
    ("name", "devices", "message"),
    [
        ("cuda:2", 1, "device cuda:2 is not on this machine"),
        ("cuda", 3, "--devices 3 is more than the 2 cuda here"),
        ("auto", 3, "--devices 3 is more than the 2 cuda here"),
        ("cuda:1", 2, "device cuda:1 takes no number here: give --device cuda"),
        ("cpu:1", 1, "device cpu:1 takes no number here: give --device cpu"),
    ],
)
def test_devices_that_do_not_fit(name: str, devices: int, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        make_fabric(name, "32-true", devices)


def test_too_little_memory_names_the_estimate(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device, "available_bytes", lambda where: 2_500_000_000)
    require_memory(2_500_000_000, CPU, "this supernet")
    with pytest.raises(
        ConfigError, match=r"this supernet needs about 7\.0 GB, and cpu has 2\.5 GB free: lower"
    ):
        require_memory(7_000_000_000, CPU, "this supernet")


def test_unknown_memory_is_not_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device, "available_bytes", lambda where: None)
    require_memory(10**18, CPU, "this supernet")


def test_free_memory_is_a_plausible_number() -> None:
    free = available_bytes(CPU)
    assert free is None or 10**6 < free < 10**14


@pytest.mark.parametrize(
    ("below", "limit", "used", "cache"),
    [
        (".", "memory.max", "memory.current", "inactive_file"),
        ("memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
    ],
)
def test_the_limit_of_a_container_counts(
    tmp_path: Path, below: str, limit: str, used: str, cache: str
) -> None:
    folder = tmp_path / below
    folder.mkdir(exist_ok=True)
    assert list(device._container_bytes(tmp_path)) == []
    (folder / limit).write_text("1000\n")
    (folder / used).write_text("700\n")
    (folder / "memory.stat").write_text(f"anon 5\n{cache} 50\n")
    assert list(device._container_bytes(tmp_path)) == [350]
    (folder / limit).write_text("max\n")
    assert list(device._container_bytes(tmp_path)) == []


def test_a_network_is_laid_out_for_its_device() -> None:
    conv = torch.nn.Conv2d(4, 6, 3)
    network = torch.nn.Sequential(conv, torch.nn.BatchNorm2d(6))
    before = conv.weight.detach().clone()
    assert to_device(network, CPU) is network
    weight = conv.weight.detach()
    assert weight.is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(weight, before)
