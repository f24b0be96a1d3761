"""What a supernet bench has measured, and how rows compare."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from statistics import median, quantiles
from typing import Any

from archwright.bench.normalised import Least
from archwright.bench.variants import DISCRETE, NAIVE, Variant


@dataclass(frozen=True, kw_only=True)
class Measured:
    """What was measured of one variant.

    A step is a forward pass, the loss, and a backward pass to all weights and, of a supernet, to
    the logits of its mixture.

    Attributes:
        variant: what was measured.
        memory_format: `contiguous` or `channels_last`, whichever is faster for this variant.
        saved_bytes: what autograd keeps for backward after a forward pass with its loss, each
            storage once, weights left out.
        peak_bytes: growth of memory from before a step to its highest point; None where it
            cannot be measured.
        peak_missing: why it could not be measured, or "".
        seconds: of each timed step.
        aten_ops_forward: calls of ATen operators in a forward pass with its loss.
        aten_ops: the same in a whole step.
        launches: kernels launched in a step; None on a device that launches none.
        macs: multiply-accumulates of a forward pass, an image.
        params: learned weights, those of the mixture left out.
    """

    variant: Variant
    memory_format: str
    saved_bytes: int
    peak_bytes: int | None
    peak_missing: str
    seconds: tuple[float, ...]
    aten_ops_forward: int
    aten_ops: int
    launches: int | None
    macs: int
    params: int

    @property
    def step_s(self) -> float:
        """The median of a step in seconds."""
        return median(self.seconds)

    @property
    def step_min_s(self) -> float:
        """The fastest step in seconds."""
        return min(self.seconds)


def rows_of(measured: Sequence[Measured]) -> list[dict[str, Any]]:
    """The rows as JSON has them, with their ratios to the discrete network and the naive supernet.

    `normalised_cost` (see `Least`) is over the supernets of this bench: of the bytes saved for
    backward, and the median step.
    """
    by_name = {one.variant.name: one for one in measured}
    discrete, naive = by_name[DISCRETE.name], by_name[NAIVE.name]
    supernets = [one for one in measured if one is not discrete]
    least = Least.of((one.saved_bytes, one.step_s) for one in supernets)
    assert least is not None, "the naive supernet is one"
    rows: list[dict[str, Any]] = []
    for one in measured:
        content = asdict(one)
        variant, seconds = content.pop("variant"), content.pop("seconds")
        first, _, third = (
            quantiles(seconds, method="inclusive") if len(seconds) > 1 else seconds * 3
        )
        cost = least.cost(one.saved_bytes, one.step_s)
        rows.append(
            {
                "variant": variant.pop("name"),
                **variant,
                **content,
                "step_s": one.step_s,
                "step_min_s": one.step_min_s,
                "step_quartiles_s": [first, third],
                "times": len(seconds),
                "memory_ratio": one.saved_bytes / discrete.saved_bytes,
                "time_ratio": one.step_s / discrete.step_s,
                "time_ratio_min": one.step_min_s / discrete.step_min_s,
                "memory_ratio_to_naive": one.saved_bytes / naive.saved_bytes,
                "time_ratio_to_naive": one.step_s / naive.step_s,
                "normalised_cost": None if one is discrete else cost,
            }
        )
    return rows
