"""The fused lowering computes what the naive one does: outputs, every gradient, statistics."""

from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional

from archwright.cost import saved_bytes
from archwright.errors import GraphError
from archwright.graph import (
    INPUT,
    AvgPool,
    Cell,
    Chain,
    Choice,
    Decision,
    Edge,
    Expr,
    GlobalAvgPool,
    Linear,
    Network,
    Option,
    Shape,
    Step,
    chain,
    name_slots,
)
from archwright.graph.passes.partial_channels import ChannelSampling
from archwright.graph.passes.simplification import simplification, simplify
from archwright.graph.passes.simplification.settings import Pointwise
from archwright.lowering import FusedNetwork, GraphModule, Mixture
from archwright.spaces import Size, get_space, read_architecture

from ..strategies import ALL_SPACES, any_space, images, mixture_of, networks, seeded, tiny

ALL_3X3 = (
    "|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+"
    "|nor_conv_3x3~0|nor_conv_3x3~1|nor_conv_3x3~2|"
)
HEAD = name_slots(chain(GlobalAvgPool(), Linear(3, 10)), "head")
STAGES = ("none", "pms", "pms+fms+merge", "all")


def simplified(name: str, stages: str, pointwise: Pointwise = "shared") -> Network:
    wanted = simplification(stages, pointwise=pointwise)
    return simplify(any_space(name).supernet(tiny(name)), wanted)


def outcome(
    module: GraphModule, network: Network, *, present: bool
) -> tuple[Tensor, dict[str, Tensor], dict[str, Tensor]]:
    """Logits, the gradients of logits' squares in alpha, images and weights, and the buffers.

    With `present`, edges are there in part.
    """
    x = images(network, batch=4).requires_grad_()
    drawn = mixture_of(module)
    alpha = None if drawn is None else drawn.log_weights.clone().requires_grad_()
    module.zero_grad()
    mixture = None if alpha is None else Mixture.from_logits(alpha)
    presence: Tensor | None = None
    if present and mixture is not None:
        presence = torch.linspace(0.3, 1.4, len(module.decisions)).double().requires_grad_()
        mixture = mixture.times(presence)
    scores, _ = module(x, mixture)
    weights = torch.linspace(0.5, 2, scores.numel(), dtype=scores.dtype).view_as(scores)
    (weights * scores).sum().backward()
    own = {name: p.grad for name, p in module.named_parameters() if p.grad is not None}
    outer = {"images": x.grad, "alpha": None if alpha is None else alpha.grad}
    outer["presence"] = None if presence is None else presence.grad
    gradients = {**own, **{name: grad for name, grad in outer.items() if grad is not None}}
    return scores.detach(), gradients, dict(module.named_buffers())


def assert_agree(
    naive: GraphModule, fused: FusedNetwork, *, statistics: bool = True, present: bool = False
) -> None:
    fused.load_state_dict(naive.state_dict())
    # slots that see the same features hold the same statistics, if they begin with the same
    naive.load_state_dict(fused.state_dict())
    network = naive.network
    scores, gradients, buffers = outcome(naive, network, present=present)
    found, found_gradients, found_buffers = outcome(fused, network, present=present)
    torch.testing.assert_close(found, scores, rtol=1e-9, atol=1e-10)
    zero = {name for name, grad in gradients.items() if not grad.any()}
    assert set(gradients) - zero <= set(found_gradients)
    scale = max(float(grad.abs().max()) for grad in gradients.values())
    for name, grad in found_gradients.items():
        # gradients that cancel exactly in one order of summation leave rounding in another
        atol = 1e-10 * max(scale, 1.0)
        expected = gradients.get(name, torch.zeros_like(grad))  # none: it reaches no output
        torch.testing.assert_close(grad, expected, rtol=1e-8, atol=atol, msg=name)
    if statistics:
        for name, buffer in found_buffers.items():
            torch.testing.assert_close(buffer, buffers[name], rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize("recompute", [False, True])
@pytest.mark.parametrize("stages", STAGES)
@pytest.mark.parametrize("name", ALL_SPACES)
def test_it_agrees_with_the_naive_lowering(name: str, stages: str, recompute: bool) -> None:
    network = simplified(name, stages)
    assert_agree(seeded(network), FusedNetwork(network, recompute=recompute).double())


@pytest.mark.parametrize("stages", ["none", "all"])
@pytest.mark.parametrize("name", ALL_SPACES)
def test_it_agrees_where_edges_are_there_in_part(name: str, stages: str) -> None:
    network = simplified(name, stages)
    assert_agree(seeded(network), FusedNetwork(network).double(), present=True)


def test_edges_whose_candidates_pass_some_channels_by_are_weighed_whole() -> None:
    space = any_space("nasbench201")
    partial = ChannelSampling(4)(space.supernet(replace(tiny("nasbench201"), channels=8))).network
    for wanted in ("none", "all"):
        network = simplify(partial, simplification(wanted))
        assert_agree(seeded(network), FusedNetwork(network).double(), present=True)


def summed(*bodies: Expr) -> Network:
    """A cell of one edge, whose candidates are these, between the image and a mean."""
    decision = Decision("edge", tuple(f"o{number}" for number in range(len(bodies))))
    options = (Option(frozenset({at}), body) for at, body in enumerate(bodies))
    choice = Choice(decision, tuple(options), frozenset(range(len(bodies))))
    cell = Cell("cell", (Chain(), Chain()), 1, (Edge(0, 2, choice), Edge(1, 2, Chain())), (2,))
    steps = (Step("cell0", cell, (INPUT, INPUT)), Step("head", HEAD, ("cell0",)))
    return Network(Shape(3, 6, 6), steps)


@pytest.mark.parametrize("twice", [Chain(), chain(AvgPool(3, 1))])
def test_what_enters_a_sum_twice_counts_twice(twice: Expr) -> None:
    """Two candidates that are the same features, and a cell that is given one step twice."""
    network = summed(Chain(), twice, twice, chain(AvgPool(3, 1)))
    assert_agree(seeded(network), FusedNetwork(network).double())


@pytest.mark.parametrize("pointwise", ["apart", "dense"])
def test_it_agrees_under_every_policy(pointwise: Pointwise) -> None:
    network = simplified("darts", "all", pointwise=pointwise)
    assert_agree(seeded(network), FusedNetwork(network).double())


@pytest.mark.parametrize("name", ["nasbench201", "darts"])
def test_it_agrees_in_evaluation_mode(name: str) -> None:
    network = simplified(name, "all")
    assert_agree(seeded(network).eval(), FusedNetwork(network).double().eval())


@pytest.mark.parametrize("name", ["nasbench201", "darts"])
def test_it_agrees_when_it_keeps_all(name: str) -> None:
    network = simplified(name, "all")
    fused = FusedNetwork(network).double()
    fused.keeps_all = True
    assert_agree(seeded(network), fused)


@settings(max_examples=25)
@given(networks(), st.booleans(), st.booleans())
def test_it_agrees_on_random_networks(network: Network, recompute: bool, present: bool) -> None:
    # a slot that two modules share may see the same batch once here, and twice there
    fused = FusedNetwork(network, recompute=recompute).double()
    assert_agree(seeded(network), fused, statistics=False, present=present)


def test_gradients_may_be_differentiated_again_when_it_keeps_all() -> None:
    network = simplified("nasbench201", "all")
    naive, fused = seeded(network), FusedNetwork(network).double()
    fused.load_state_dict(naive.state_dict())
    fused.keeps_all = True
    found: list[Tensor] = []
    for module in (naive, fused):
        drawn = mixture_of(module)
        assert drawn is not None
        alpha = drawn.log_weights.clone().requires_grad_()
        loss = module(images(network), Mixture.from_logits(alpha))[0].square().sum()
        (first,) = torch.autograd.grad(loss, alpha, create_graph=True)
        found.append(torch.autograd.grad(first.square().sum(), alpha)[0])
    torch.testing.assert_close(found[1], found[0], rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("recompute", [False, True])
def test_it_is_about_as_precise_as_the_naive_one_under_autocast(recompute: bool) -> None:
    torch.manual_seed(0)
    network = simplified("darts", "all")
    naive, fused = GraphModule(network), FusedNetwork(network, recompute=recompute)
    fused.load_state_dict(naive.state_dict())
    x = images(network).float()

    def computed(module: GraphModule, *, half: bool) -> tuple[Tensor, Tensor]:
        """Logits, and the gradients of all weights."""
        module.zero_grad()
        drawn = mixture_of(module)
        assert drawn is not None
        mixture = Mixture(drawn.weights.float(), drawn.log_weights.float())
        with torch.autocast("cpu", torch.bfloat16, enabled=half):
            scores, _ = module(x, mixture)
        functional.cross_entropy(scores.float(), torch.arange(len(x))).backward()
        grads = [p.grad for p in module.parameters() if p.grad is not None]
        assert len(grads) == len(list(module.parameters()))
        return scores.detach().float(), torch.cat([grad.flatten() for grad in grads])

    exact = computed(naive, half=False)
    rounded = computed(naive, half=True)
    for found, usual, wanted in zip(computed(fused, half=True), rounded, exact, strict=True):
        assert (found - wanted).norm() < 2 * (usual - wanted).norm()


@pytest.mark.slow
def test_it_can_be_compiled() -> None:
    space = get_space("nasbench201")
    network = simplify(
        space.supernet(Size(channels=2, cells=1, image_size=8)), simplification("all")
    )
    torch.compiler.reset()
    module = FusedNetwork(network).double()
    x, mixture = images(network), mixture_of(module)
    compiled = torch.compile(module, backend="eager")
    torch.testing.assert_close(compiled(x, mixture)[0], module(x, mixture)[0])


def test_it_drops_no_paths() -> None:
    module = FusedNetwork(simplified("nasbench201", "all"))
    module.drop_path = 0.1
    with pytest.raises(GraphError, match="the fused lowering has no drop path: use GraphModule"):
        module(images(module.network).float(), mixture_of(module))


def kept(module: GraphModule, x: Tensor) -> int:
    alpha = nn.Parameter(torch.zeros(len(module.decisions), 8))
    width = max(len(decision.candidates) for decision in module.decisions)
    resident = [*module.parameters(), *module.buffers(), alpha]
    return saved_bytes(lambda: module(x, Mixture.from_logits(alpha[:, :width])), resident)


@pytest.mark.parametrize("name", ["nasbench201", "darts", "spos", "user"])
def test_it_never_keeps_more_than_the_naive_lowering(name: str) -> None:
    for stages in STAGES:
        network = simplified(name, stages)
        x = images(network, batch=64).float()
        assert kept(FusedNetwork(network), x) <= kept(GraphModule(network), x)


@pytest.mark.parametrize(
    ("name", "reference", "batch", "most", "recomputed"),
    [
        ("nasbench201", ALL_3X3, 64, 0.80, 0.80),
        ("darts", "darts-v2", 16, 1.76, 1.12),
    ],
)
def test_it_keeps_little_more_than_the_discrete_network(
    name: str, reference: str, batch: int, most: float, recomputed: float
) -> None:
    space = get_space(name)
    size = Size(channels=16, cells=space.search_size[1])
    with torch.device("meta"):
        discrete = GraphModule(space.discrete(read_architecture(reference), size))
        x = torch.empty(batch, 3, 32, 32)
        least = saved_bytes(lambda: discrete(x), [*discrete.parameters(), *discrete.buffers()])
        network = simplify(space.supernet(size), simplification("all"))
        assert kept(FusedNetwork(network), x) < most * least
        assert kept(FusedNetwork(network, recompute=True), x) < recomputed * least
