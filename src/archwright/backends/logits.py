"""Module of a network that maps images to logits alone."""

from torch import Tensor, nn
from typing_extensions import override

from archwright.lowering import GraphModule


class LogitsModule(nn.Module):
    """Images [B, C, H, W] -> logits [B, classes], in evaluation mode; an auxiliary head apart."""

    def __init__(self, network: GraphModule) -> None:
        super().__init__()
        self.network = network
        self.eval()

    @override
    def forward(self, images: Tensor) -> Tensor:
        logits, _ = self.network(images)
        return logits
