"""Module that returns only the logits of a network."""

from torch import Tensor, nn
from typing_extensions import override

from archwright.lowering import GraphModule


class LogitsModule(nn.Module):
    """Module in evaluation mode: images [B, C, H, W] -> logits [B, classes], no auxiliary head."""

    def __init__(self, network: GraphModule) -> None:
        super().__init__()
        self.network = network
        self.eval()

    @override
    def forward(self, images: Tensor) -> Tensor:
        logits, _ = self.network(images)
        return logits
