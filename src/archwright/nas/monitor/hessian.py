"""The largest eigenvalue of a Hessian that is known by its products with vectors alone."""

from collections.abc import Callable

import torch
from torch import Tensor


def largest_eigenvalue(
    product: Callable[[Tensor], Tensor], start: Tensor, count: int
) -> tuple[float, Tensor]:
    """The largest eigenvalue of a symmetric matrix, from `count` products, and its vector.

    It is estimated in the space that `start` [N] and the products span (the Lanczos method, with
    every vector made orthogonal to all before): never below what power iteration finds, never above
    the true one, and also where the eigenvalue of the largest size is negative.

    Args:
        product: the matrix times a vector of length 1.
        start: where to begin; the vector found before is a good place.
        count: how many products to take.

    Returns:
        The estimate, NaN where a product was not finite, and a vector of length 1 for it.
    """
    basis = [start.double() / start.double().norm()]
    images: list[Tensor] = []
    while len(images) < count:
        images.append(product(basis[-1].to(start.dtype)).double())
        if not images[-1].isfinite().all():
            return float("nan"), start
        rest = images[-1]
        for known in (*basis, *basis):  # the second time for what rounding has left
            rest = rest - (known @ rest) * known
        if rest.norm() <= torch.finfo(start.dtype).eps * images[-1].norm():
            break  # nothing new: the space is invariant
        basis.append(rest / rest.norm())
    vectors = torch.stack(basis[: len(images)])
    projected = vectors @ torch.stack(images).T
    values, combinations = torch.linalg.eigh((projected + projected.T) / 2)
    return float(values[-1]), (combinations[:, -1] @ vectors).to(start.dtype)
