"""GDAS on simplified supernets: what is executed, and what alpha learns from.

Legend: E decisions, O candidates.
"""

from dataclasses import replace

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F
from torch.utils._python_dispatch import TorchDispatchMode

from archwright.graph import Architecture, Conv, Network
from archwright.graph.expr import modules
from archwright.graph.passes.restriction import restrict
from archwright.graph.passes.simplification import simplify
from archwright.graph.passes.simplification.settings import simplification
from archwright.lowering import FusedNetwork, GraphModule, Mixture
from archwright.nas.method import Progress
from archwright.nas.methods.gdas import Gdas
from archwright.spaces import read_architecture

from ...strategies import any_space, seeded, tiny

STAGES = ("none", "pms", "pms+fms", "pms+fms+merge", "all")
FOUND = {
    "nasbench201": "|nor_conv_3x3~0|+|avg_pool_3x3~0|nor_conv_1x1~1|"
    "+|skip_connect~0|none~1|nor_conv_3x3~2|",
    "darts": "darts-v2",
}


class Convolutions(TorchDispatchMode):
    """Counts convolutions."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.count += "convolution" in str(func)
        return func(*args, **(kwargs or {}))


def supernet(space: str, stages: str) -> Network:
    return simplify(any_space(space).supernet(tiny(space)), simplification(stages))


def sample(network: GraphModule, architecture: Architecture, logits: Tensor) -> Mixture:
    """What GDAS would make of logits, had its noise chosen `architecture`."""
    answers = architecture.answers()
    answered = {name: answers.get(name, "none") for name in (d.name for d in network.decisions)}
    chosen = torch.zeros_like(logits)
    for row, decision in enumerate(network.decisions):
        chosen[row, decision.candidates.index(answered[decision.name])] = 30.0
    noisy = logits.log_softmax(dim=1) + chosen
    return Mixture.straight_through(noisy / 10.0, only_sample=True)


def images(space: str) -> Tensor:
    size = tiny(space)
    return torch.randn(4, *size.image, generator=torch.Generator().manual_seed(1)).double()


@pytest.mark.parametrize("space", FOUND)
@pytest.mark.parametrize("stages", STAGES)
@pytest.mark.parametrize("lowering", [GraphModule, FusedNetwork])
def test_only_the_sampled_candidates_run(
    space: str, stages: str, lowering: type[GraphModule]
) -> None:
    architecture = read_architecture(FOUND[space])
    network = supernet(space, stages)
    module = lowering(network).double()
    found = GraphModule(restrict(network, architecture)).double()
    found.inherit(module)
    logits = torch.zeros(len(module.decisions), len(module.decisions[0].candidates))
    x = images(space)
    with Convolutions() as of_sample:
        made, _ = module(x, sample(module, architecture, logits.double().requires_grad_()))
    with Convolutions() as alone:
        expected, _ = found(x)
    assert of_sample.count == alone.count > 0
    torch.testing.assert_close(made, expected, rtol=1e-10, atol=1e-10)
    # the slots of the other candidates take no part, also not in backward
    made.square().sum().backward()
    run = {m.slot.replace(".", "_") for m in found.network.modules() if m.primitive.params}
    assert {name.rpartition(".")[0].removeprefix("slots.") for name in touched(module)} == run


def touched(module: GraphModule) -> list[str]:
    """The parameters that got a gradient."""
    return [name for name, p in module.named_parameters() if p.grad is not None]


def gradients(stages: str) -> tuple[Tensor, Tensor]:
    """Loss and alpha's gradient of one draw of GDAS on the NAS-Bench-201 space."""
    network = GraphModule(supernet("nasbench201", stages)).double()
    network.inherit(seeded(supernet("nasbench201", "none")))
    logits = torch.randn(6, 5, generator=torch.Generator().manual_seed(2)).double()
    logits.requires_grad_()
    torch.manual_seed(4)
    mixture = Gdas(tau=1.0, tau_min=1.0).mixture(logits, Progress(0, 1, 0.0))
    assert mixture.sample is not None
    assert {2, 3} <= set(mixture.sample)  # both convolutions are drawn somewhere
    scores, _ = network(images("nasbench201"), mixture)
    loss = F.cross_entropy(scores, torch.arange(4))
    return loss, torch.autograd.grad(loss, logits)[0]


@pytest.mark.parametrize("stages", STAGES[1:-1])
def test_sharing_does_not_change_what_alpha_learns(stages: str) -> None:
    """On this space the convolutions share a ReLU and a batch norm without weights."""
    loss, gradient = gradients("none")
    of_shared, shared = gradients(stages)
    torch.testing.assert_close(of_shared, loss, rtol=1e-10, atol=1e-12)
    torch.testing.assert_close(shared, gradient, rtol=1e-9, atol=1e-12)
    assert (gradient.abs() > 1e-6).all()


def test_weights_within_a_group_would_not_learn() -> None:
    """Why the weight stands at the end: behind a group, a batch norm takes its gradient away."""
    torch.manual_seed(0)
    features, weight = torch.randn(2, 8, 4, 5, 5).double(), torch.tensor([1.0, 0.0]).double()
    weight.requires_grad_()
    behind = F.batch_norm(weight[0] * features[0] + weight[1], None, None, training=True, eps=1e-15)
    (within,) = torch.autograd.grad((behind * features[1]).sum(), weight)
    assert within.abs().max() < 1e-10
    normed = F.batch_norm(features[0], None, None, training=True, eps=1e-15)
    (at_the_end,) = torch.autograd.grad(
        ((weight[0] * normed + weight[1]) * features[1]).sum(), weight
    )
    assert at_the_end.abs().min() > 0.1


def test_a_group_is_one_conv_with_kernels_of_its_own() -> None:
    """So that the tests above are of shared groups at all."""
    (cell,) = [s.body for s in supernet("nasbench201", "all").steps if s.name == "cell0"]
    bodies = [edge.body for edge in cell.edges]  # pyright: ignore
    counted = [sum(isinstance(m.primitive, Conv) for m in modules(body)) for body in bodies]
    assert counted == [2] * 6


def test_presence_scales_a_sample() -> None:
    network = seeded(supernet("nasbench201", "all"))
    logits = torch.zeros(6, 5).double()
    architecture = read_architecture(FOUND["nasbench201"])
    plain = sample(network, architecture, logits)
    x = images("nasbench201")
    once, _ = network(x, plain)
    twice, _ = network(x, plain.times(torch.full((6,), 2.0).double()))
    halved = replace(plain, weights=plain.weights * 2)
    torch.testing.assert_close(twice, network(x, halved)[0])
    assert not torch.allclose(once, twice)
