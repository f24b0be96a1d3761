"""Loss of one searched edge over (alpha, w), without and with kernel normalisation.

    python bench/landscape.py

Draws docs/images/landscape.svg, after Fig. 6 of TopoNAS. The edge chooses between a 3x3 conv with
the kernel w K and no connection: it computes p conv(x; w K), p = sigmoid(alpha), and is to compute
what it does at p = 0.6 and w = 1. Without normalisation alpha and w only act as p w: the loss
vanishes along a curve that meets every alpha. With it the kernel is K / |K| for every w > 0 (K has
no mean), and the loss vanishes at one alpha alone, whatever w.
"""

from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.contour import ContourSet
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

Array = NDArray[np.float64]

OUT = Path(__file__).parents[1] / "docs" / "images" / "landscape.svg"
WANTED = 0.6
LEVELS = np.linspace(-4, 1, 11)


def edge(x: Array, kernel: Array, p: float) -> Array:
    """Return the edge's output on one image: p conv(x; kernel)."""
    windows = sliding_window_view(x, kernel.shape)
    return p * np.einsum("hwij,ij->hw", windows, kernel)


def normalised(kernel: Array) -> Array:
    """Return a kernel without mean, of unit norm."""
    centred = kernel - kernel.mean()
    return centred / np.sqrt((centred**2).sum())


def losses(alphas: Array, scales: Array, *, norm: bool) -> Array:
    """Return the mean squared error [W, A] at every w and alpha."""
    generator = np.random.default_rng(0)
    x, kernel = generator.normal(size=(12, 12)), normalised(generator.normal(size=(3, 3)))
    target = edge(x, kernel, WANTED)
    found = np.empty((len(scales), len(alphas)))
    for row, scale in enumerate(scales):
        here = normalised(scale * kernel) if norm else scale * kernel
        for column, p in enumerate(1 / (1 + np.exp(-alphas))):
            found[row, column] = ((edge(x, here, p) - target) ** 2).mean()
    return found


def draw(axes: Axes, title: str, *, norm: bool) -> ContourSet:
    """Draw one panel: the loss, and in red where it vanishes."""
    alphas, scales = np.linspace(-3, 4, 57), np.geomspace(0.4, 12, 49)
    found = np.log10(losses(alphas, scales, norm=norm) + 1e-4)
    filled = axes.contourf(alphas, scales, found, LEVELS, cmap="Blues", extend="both")
    # the loss vanishes where p w (or with normalisation p alone) is what it should be
    best = np.log(WANTED / (1 - WANTED))
    p = 1 / (1 + np.exp(-alphas))
    where = (np.full_like(scales, best), scales) if norm else (alphas, WANTED / p)
    axes.plot(*where, color="#c0392b", linewidth=2, label="loss = 0")
    axes.set(title=title, xlabel="alpha", yscale="log", xlim=(-3, 4), ylim=(0.4, 12))
    axes.legend(loc="lower left", frameon=False)
    return filled


def main() -> None:
    """Write the picture."""
    mpl.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "landscape"})
    figure, (left, right) = plt.subplots(1, 2, figsize=(8, 3.4), sharey=True, layout="constrained")
    draw(left, "as it is", norm=False)
    filled = draw(right, "kernels normalised", norm=True)
    figure.colorbar(filled, ax=right, label="log10 of the loss")
    left.set_ylabel("w")
    OUT.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(OUT, metadata={"Date": None})


if __name__ == "__main__":
    main()
