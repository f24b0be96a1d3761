"""Two supernets written by hand in plain torch, to compare lowerings with.

Each takes the weights by slot, the weights of the candidates a decision each, and images
[B, C, H, W]; batch norms take the statistics of the batch.
"""

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn import functional as F

State = Mapping[str, Tensor]
Weights = Mapping[str, Tensor]


def _norm(state: State, slot: str, x: Tensor) -> Tensor:
    scale, shift = state.get(f"slots.{slot}.weight"), state.get(f"slots.{slot}.bias")
    return F.batch_norm(x, None, None, scale, shift, training=True)


def _conv(state: State, slot: str, x: Tensor, stride: int = 1, dilation: int = 1) -> Tensor:
    weight = state[f"slots.{slot}.weight"]
    padding = dilation * (weight.shape[-1] - 1) // 2
    groups = x.shape[1] // weight.shape[1]
    return F.conv2d(x, weight, None, stride, padding, dilation, groups)


def _relu_conv_norm(state: State, slot: str, x: Tensor, stride: int = 1, first: int = 0) -> Tensor:
    x = _conv(state, f"{slot}/{first + 1}", x.relu(), stride)
    return _norm(state, f"{slot}/{first + 2}", x)


def _classifier(state: State, slot: str, x: Tensor) -> Tensor:
    weight, bias = state[f"slots.{slot}.weight"], state[f"slots.{slot}.bias"]
    return F.linear(x.mean((2, 3)), weight, bias)


def nasbench201(state: State, weights: Weights, x: Tensor, cells: int = 1) -> Tensor:
    """Logits [B, classes] of the NAS-Bench-201 supernet with `cells` cells a stage."""
    x = _norm(state, "stem/1", _conv(state, "stem/0", x))
    for stage in range(3):
        if stage:
            name = f"down{stage}"
            main = _relu_conv_norm(state, f"{name}/main", x, 2)
            main = _relu_conv_norm(state, f"{name}/main", main, first=3)
            x = main + _conv(state, f"{name}/shortcut/1", F.avg_pool2d(x, 2))
        for cell in range(stage * cells, (stage + 1) * cells):
            nodes = [x]
            for target in range(1, 4):
                total = torch.zeros_like(x)
                for source in range(target):
                    p, h = weights[f"cell/{source}->{target}"], nodes[source]
                    slot = f"cell{cell}/{source}->{target}"
                    pool = F.avg_pool2d(h, 3, 1, 1, count_include_pad=False)
                    total = total + p[1] * h + p[4] * pool
                    for index, size in ((2, 1), (3, 3)):
                        name = f"{slot}/nor_conv_{size}x{size}"
                        total = total + p[index] * _relu_conv_norm(state, name, h)
                nodes.append(total)
            x = nodes[-1]
    return _classifier(state, "head/3", _norm(state, "head/0", x).relu())


def _reduction(state: State, slot: str, x: Tensor) -> Tensor:
    """The factorised reduction of an even number of pixels."""
    x = x.relu()
    halves = (_conv(state, f"{slot}/1/0", x, 2), _conv(state, f"{slot}/1/1", x[..., 1:, 1:], 2))
    return _norm(state, f"{slot}/2", torch.cat(halves, 1))


def _separable(
    state: State, slot: str, x: Tensor, stride: int, dilation: int, first: int
) -> Tensor:
    x = _conv(state, f"{slot}/{first + 1}", x.relu(), stride, dilation)
    return _norm(state, f"{slot}/{first + 3}", _conv(state, f"{slot}/{first + 2}", x))


def _darts_edge(state: State, slot: str, p: Tensor, x: Tensor, stride: int) -> Tensor:
    largest = F.max_pool2d(x, 3, stride, 1)
    mean = F.avg_pool2d(x, 3, stride, 1, count_include_pad=False)
    total = p[1] * _norm(state, f"{slot}/max_pool_3x3", largest)
    total = total + p[2] * _norm(state, f"{slot}/avg_pool_3x3", mean)
    total = total + p[3] * (x if stride == 1 else _reduction(state, f"{slot}/skip_connect", x))
    for index, size in ((4, 3), (5, 5)):
        name = f"{slot}/sep_conv_{size}x{size}"
        once = _separable(state, name, x, stride, 1, 0)
        total = total + p[index] * _separable(state, name, once, 1, 1, 4)
    for index, size in ((6, 3), (7, 5)):
        name = f"{slot}/dil_conv_{size}x{size}"
        total = total + p[index] * _separable(state, name, x, stride, 2, 0)
    return total


def darts(state: State, weights: Weights, x: Tensor, cells: int = 3) -> Tensor:
    """Logits [B, classes] of the DARTS supernet for small images."""
    stem = _norm(state, "stem/1", _conv(state, "stem/0", x))
    before, last, halve = stem, stem, False
    for cell in range(cells):
        kind = "reduce" if cell in (cells // 3, 2 * cells // 3) else "normal"
        name = f"cell{cell}"
        adapt = _reduction if halve else _relu_conv_norm
        nodes = [
            adapt(state, f"{name}/input0", before),
            _relu_conv_norm(state, f"{name}/input1", last),
        ]
        for target in range(2, 6):
            ends: list[Tensor] = []
            for source in range(target):
                stride = 2 if kind == "reduce" and source < 2 else 1
                p = weights[f"{kind}/{source}->{target}"]
                slot = f"{name}/{source}->{target}"
                ends.append(_darts_edge(state, slot, p, nodes[source], stride))
            nodes.append(torch.stack(ends).sum(0))
        before, last, halve = last, torch.cat(nodes[2:], 1), kind == "reduce"
    return _classifier(state, "head/1", last)
