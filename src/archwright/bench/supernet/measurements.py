"""Measurements of supernets, and their ratios."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from statistics import median, quantiles
from typing import Any, Self

from archwright.bench.engine.normalised_cost import NormalisedCost
from archwright.bench.engine.results import checked, kinds_of
from archwright.bench.instruments.peak import Peak
from archwright.bench.supernet.variants import DISCRETE, NAIVE, Variant


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """Measurement of one variant.

    A step is a forward pass, the loss, and a backward pass to all weights and, of a supernet, to
    the logits of its mixture.

    Attributes:
        variant: what was measured.
        memory_format: that of the timed steps, `contiguous` or `channels_last`, whichever is
            faster for this variant; None as long as that is not known. All else is counted in
            contiguous memory.
        saved_bytes: what autograd keeps for backward after a forward pass with its loss, each
            storage once, weights left out.
        peak_bytes: growth of memory from before a step to its highest point; None where it
            cannot be measured.
        peak_missing: why it could not be measured, or "".
        aten_ops_forward: calls of ATen operators in a forward pass with its loss.
        aten_ops: the same in a whole step.
        launches: kernels launched in a step; None on a device that launches none.
        macs: multiply-accumulates of a forward pass, an image.
        params: learned weights, those of the mixture left out.
        seconds: of each timed step.
    """

    variant: Variant
    saved_bytes: int
    aten_ops_forward: int
    aten_ops: int
    launches: int | None
    macs: int
    params: int
    peak_bytes: int | None = None
    peak_missing: str = "it was not measured"
    memory_format: str | None = None
    seconds: tuple[float, ...] = ()

    def with_peak(self, peak: Peak) -> Self:
        """Return the measurement with the peak of memory."""
        return replace(self, peak_bytes=peak[0], peak_missing=peak[1])

    @property
    def step_s(self) -> float | None:
        """Return the median of a step in seconds; None if none was timed."""
        return median(self.seconds) if self.seconds else None

    @property
    def step_min_s(self) -> float | None:
        """Return the fastest step in seconds; None if none was timed."""
        return min(self.seconds, default=None)

    @property
    def step_quartiles_s(self) -> list[float] | None:
        """Return first and third quartile of a step in seconds; None if none was timed."""
        if len(self.seconds) < 2:
            return None if self.step_s is None else [self.step_s] * 2
        first, _, third = quantiles(self.seconds, method="inclusive")
        return [first, third]


def rounds(measured: Sequence[Measurement]) -> int:
    """Count the steps of every row that have been timed."""
    return min((len(one.seconds) for one in measured), default=0)


def measurement_rows(measured: Sequence[Measurement]) -> list[dict[str, Any]]:
    """Return the rows as JSON has them, with ratios to the discrete network and the naive supernet.

    `normalised_cost` (see `NormalisedCost`) is over the supernets of this bench: of the bytes saved
    for backward, and the median step. What needs times is None where there are none.
    """
    by_name = {one.variant.name: one for one in measured}
    discrete, naive = by_name[DISCRETE.name], by_name[NAIVE.name]
    taken = [(one.saved_bytes, one.step_s) for one in measured if one is not discrete]
    timed = [(saved, seconds) for saved, seconds in taken if seconds is not None]
    least = NormalisedCost.of(timed) if len(timed) == len(taken) else None
    rows: list[dict[str, Any]] = []
    for one in measured:
        content = asdict(one)
        variant = content.pop("variant")
        rows.append(
            {
                "variant": variant.pop("name"),
                **variant,
                **content,
                "seconds": list(one.seconds),
                "step_s": one.step_s,
                "step_min_s": one.step_min_s,
                "step_quartiles_s": one.step_quartiles_s,
                "times": len(one.seconds),
                "memory_ratio": one.saved_bytes / discrete.saved_bytes,
                "time_ratio": _ratio(one.step_s, discrete.step_s),
                "time_ratio_min": _ratio(one.step_min_s, discrete.step_min_s),
                "memory_ratio_to_naive": one.saved_bytes / naive.saved_bytes,
                "time_ratio_to_naive": _ratio(one.step_s, naive.step_s),
                "normalised_cost": None if one is discrete else _cost(one, least),
            }
        )
    return rows


def parse_measurements(rows: Sequence[Mapping[str, Any]]) -> list[Measurement]:
    """Invert `measurement_rows`.

    Raises:
        RunError: a row is none of this bench.
    """
    kinds = kinds_of(Measurement, "variant")
    of_variant = kinds_of(Variant, "name") | {"variant": str}
    found: list[Measurement] = []
    for row in rows:
        held, variant = checked(row, kinds), checked(row, of_variant)
        name, seconds = variant.pop("variant"), tuple(held.pop("seconds"))
        found.append(Measurement(variant=Variant(name=name, **variant), seconds=seconds, **held))
    return found


def _cost(one: Measurement, least: NormalisedCost | None) -> float | None:
    if least is None or one.step_s is None:
        return None
    return least.cost(one.saved_bytes, one.step_s)


def _ratio(one: float | None, other: float | None) -> float | None:
    return None if one is None or other is None else one / other
