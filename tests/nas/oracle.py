"""First-order DARTS on the space `plain`, written out in float64 without any of the package.

Legend: E 3 edges, O 3 candidates (none, skip, conv), C 4 channels.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor
from torch.nn import functional as F

EDGES = ((0, 1), (0, 2), (1, 2))
Join = Callable[[int, list[Tensor]], Tensor]
"""What the candidates of the edge with that row make, given what each makes by itself."""


@dataclass
class Oracle:
    """Weights by slot, alpha [E, O], and the state of both optimisers."""

    weights: dict[str, Tensor]
    alpha: Tensor
    momentum: dict[str, Tensor] = field(default_factory=dict[str, Tensor])
    moments: tuple[Tensor, Tensor] | None = None
    alpha_steps: int = 0

    def loss(self, images: Tensor, labels: Tensor) -> Tensor:
        p = self.alpha.softmax(dim=1)
        return self.joined(
            images, labels, lambda row, made: p[row, 1] * made[1] + p[row, 2] * made[2]
        )

    def joined(self, images: Tensor, labels: Tensor, join: Join) -> Tensor:
        """The loss with the candidates of each edge, of which none is zero, joined by `join`."""
        w = self.weights
        nodes = [F.conv2d(images, w["stem/0.weight"], padding=1)]
        for target in (1, 2):
            total = torch.zeros_like(nodes[0])
            for row, (source, end) in enumerate(EDGES):
                if end == target:
                    x = nodes[source]
                    kernel = w[f"cell0/{source}->{target}/conv/1.weight"]
                    made = [torch.zeros_like(x), x, F.conv2d(x.relu(), kernel, padding=1)]
                    total = total + join(row, made)
            nodes.append(total)
        pooled = nodes[2].relu().mean(dim=(2, 3))
        return F.cross_entropy(pooled @ w["head/2.weight"].T + w["head/2.bias"], labels)

    def gradients(self, images: Tensor, labels: Tensor) -> tuple[dict[str, Tensor], Tensor]:
        """Of the loss: with respect to each weight, and to alpha."""
        leaves = {name: value.detach().requires_grad_() for name, value in self.weights.items()}
        alpha = self.alpha.detach().requires_grad_()
        loss = Oracle(leaves, alpha).loss(images, labels)
        *of_weights, of_alpha = torch.autograd.grad(loss, [*leaves.values(), alpha])
        return dict(zip(leaves, of_weights, strict=True)), of_alpha

    def weight_step(
        self, images: Tensor, labels: Tensor, *, lr: float, mu: float, decay: float, clip: float
    ) -> float:
        """SGD with Nesterov's momentum on the clipped gradient; the norm before clipping."""
        gradients, _ = self.gradients(images, labels)
        norm = math.sqrt(sum(float(g.square().sum()) for g in gradients.values()))
        for name, gradient in gradients.items():
            g = gradient * min(1.0, clip / (norm + 1e-6)) + decay * self.weights[name]
            v = mu * self.momentum[name] + g if name in self.momentum else g
            self.momentum[name] = v
            self.weights[name] = self.weights[name] - lr * (g + mu * v)
        return norm

    def alpha_step(
        self, images: Tensor, labels: Tensor, *, lr: float, betas: tuple[float, float], decay: float
    ) -> None:
        """Adam, its weight decay in the gradient."""
        _, gradient = self.gradients(images, labels)
        g = gradient + decay * self.alpha
        m, v = self.moments or (torch.zeros_like(g), torch.zeros_like(g))
        m, v = betas[0] * m + (1 - betas[0]) * g, betas[1] * v + (1 - betas[1]) * g**2
        self.moments = (m, v)
        self.alpha_steps += 1
        first, second = (1 - beta**self.alpha_steps for beta in betas)
        self.alpha = self.alpha - lr * (m / first) / ((v / second).sqrt() + 1e-8)
