"""Learning from the network that was pruned.

Legend: B batch, C channels, H height, W width.
"""

import torch
from torch import Tensor
from torch.nn import functional

from archwright.lowering import GraphModule
from archwright.training.trainer import LossTerm


def distillation(teacher: GraphModule, weight: float, temperature: float) -> LossTerm:
    """The term that draws answers to those of `teacher`, which is not trained.

    weight T^2 KL(softmax(teacher / T) || softmax(logits / T)), mean over the images (Hinton et
    al., Distilling the Knowledge in a Neural Network, 2015).
    """
    teacher.eval().requires_grad_(False)

    def term(images: Tensor, logits: Tensor) -> Tensor:
        with torch.no_grad():
            wanted, _ = teacher(images)
        given = functional.log_softmax(logits.float() / temperature, dim=1)
        target = functional.log_softmax(wanted.float() / temperature, dim=1)
        divergence = functional.kl_div(given, target, reduction="batchmean", log_target=True)
        return weight * temperature**2 * divergence

    return term
