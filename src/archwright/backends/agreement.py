"""Agreement of exported files with torch."""

from collections.abc import Callable, Sequence
from typing import cast

import torch
from torch import Tensor, nn

from archwright.errors import RunError
from archwright.graph import Shape

TOLERANCE = 1e-5
"""How far logits may be from torch's, in units of the largest logit, or of 1 if that is larger."""


def max_error(
    answer: nn.Module,
    exported: Callable[[Tensor], Tensor],
    image: Shape,
    batches: Sequence[int] = (1, 3),
) -> float:
    """Return the largest difference between a network's logits and the exported ones, for noise.

    `batches` are numbers of images; in units of the largest logit, or of 1 if that is larger.

    Raises:
        RunError: it is above `TOLERANCE`.
    """
    generator = torch.Generator().manual_seed(0)
    worst = 0.0
    for batch in batches:
        images = torch.randn(batch, *image, generator=generator)
        with torch.no_grad():
            wanted = cast(Tensor, answer(images))
        scale = max(1.0, float(wanted.abs().max()))
        worst = max(worst, float((exported(images) - wanted).abs().max()) / scale)
    if not worst <= TOLERANCE:
        raise RunError(
            f"the exported network answers otherwise than torch, by {worst:.1e}: it was not written"
        )
    return worst
