"""The instruments, on what is known beforehand."""

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from archwright.bench.instruments import peak
from archwright.bench.instruments.counting import aten_ops, forward_macs, launches
from archwright.bench.instruments.peak import peak_growth

CPU = torch.device("cpu")


def test_calls_are_counted_forward_and_backward() -> None:
    a = torch.ones(3, requires_grad=True)
    forward, whole = aten_ops(lambda: (a * 2).sum())
    assert forward == 2  # mul, sum
    assert whole >= 4  # ones_like, expand, mul
    assert a.grad is not None


def test_macs_are_those_of_the_forward_pass() -> None:
    layer, conv = nn.Linear(5, 7), nn.Conv2d(4, 6, 3, groups=2, bias=False)

    def run() -> Tensor:
        return layer(torch.ones(2, 5)).sum() + conv(torch.ones(1, 4, 5, 5)).sum()

    assert forward_macs(run) == 2 * 5 * 7 + 6 * (4 // 2) * 9 * 3 * 3


def test_a_cpu_launches_nothing() -> None:
    assert launches(lambda: torch.ones(1), CPU) is None


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="needs Linux")
def test_the_peak_is_what_was_held_at_once() -> None:
    def step() -> None:
        for _ in range(3):  # one after the other
            torch.ones(16_000_000)  # 64 MB

    held: list[Tensor] = []
    once, missing = peak_growth(step, CPU)
    all_three, _ = peak_growth(lambda: held.extend(torch.ones(16_000_000) for _ in range(3)), CPU)
    assert missing == ""
    assert once == pytest.approx(64e6, rel=0.1)
    assert all_three == pytest.approx(192e6, rel=0.1)


@pytest.mark.parametrize(
    ("device", "reason"),
    [("mps", "mps reports no peak"), ("cpu", "no peak that can be reset (FileNotFoundError)")],
)
def test_a_missing_peak_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, device: str, reason: str
) -> None:
    monkeypatch.setattr(peak, "_PROCESS", tmp_path / "nowhere")
    value, missing = peak_growth(lambda: None, torch.device(device))
    assert value is None
    assert reason in missing


def test_multiply_accumulates_are_counted_without_keeping_anything_for_backward() -> None:
    linear, made = torch.nn.Linear(3, 5), list[torch.Tensor]()
    assert forward_macs(lambda: made.append(linear(torch.ones(2, 3)))) == 2 * 3 * 5
    assert not made[0].requires_grad
