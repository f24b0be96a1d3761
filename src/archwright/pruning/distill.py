"""Distillation: learn from the outputs of the unpruned network.

Legend: B batch, C channels, H height, W width.

Legend: B batch, C channels, H height, W width.
"""

import torch
from torch import Tensor

from archwright.lowering import GraphModule
from archwright.tasks import Outputs, Task
from archwright.training.trainer import LossTerm


def distillation(task: Task, teacher: GraphModule, weight: float, temperature: float) -> LossTerm:
    """Return the loss term that pulls outputs towards those of `teacher`, which is not trained.

    The term is weight T^2 D(teacher, outputs), where the task defines the divergence D at the
    temperature T; for logits KL(softmax(teacher / T) || softmax(logits / T)), the mean over the
    images (Hinton et al., Distilling the Knowledge in a Neural Network, 2015).
    """
    teacher.eval().requires_grad_(False)

    def term(images: Tensor, outputs: Outputs) -> Tensor:
        with torch.no_grad():
            wanted, _ = teacher(images)
        return weight * temperature**2 * task.distillation(outputs, wanted, temperature)

    return term
