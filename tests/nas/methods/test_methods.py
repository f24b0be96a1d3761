"""The relaxation of each method against its definition, written out in float64.

Legend: E 3 edges, O 3 candidates (none, skip, conv), C 4 channels; see `oracle`.
"""

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from archwright.lowering import GraphModule, Mixture
from archwright.nas.method import Method, Progress
from archwright.nas.methods import get_method
from archwright.nas.methods.beta_darts import BetaDarts
from archwright.nas.methods.drnas import DrNas
from archwright.nas.methods.gdas import Gdas
from archwright.nas.methods.pc_darts import PcDarts
from archwright.nas.methods.snas import Snas
from archwright.spaces import Size, get_space

from ..oracle import EDGES, Join, Oracle

SEED = 27
"""At which samples are conv, skip, skip: a search that draws only none learns nothing."""
MIDDLE = Progress(2, 5, 0.5)
"""The third of five epochs."""


def alpha() -> Tensor:
    """Logits [E, O], far from uniform."""
    generator = torch.Generator().manual_seed(1)
    return torch.randn(3, 3, generator=generator).double().requires_grad_()


def batch() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(2)
    images = torch.randn(6, 1, 8, 8, generator=generator).double()
    return images, torch.randint(10, (6,), generator=generator)


def lowered(method: Method, plain: str) -> GraphModule:
    torch.manual_seed(3)
    size = Size(channels=4, cells=1, image_size=8, image_channels=1)
    return GraphModule(method.supernet(get_space(plain).supernet(size))).double()


def weights_of(network: GraphModule) -> dict[str, Tensor]:
    state = network.state_dict()
    return {name.removeprefix("slots."): value for name, value in state.items()}


def found(method: Method, plain: str, logits: Tensor) -> tuple[Tensor, Tensor]:
    """Loss and its gradient in `logits`, as the package computes them."""
    network = lowered(method, plain)
    torch.manual_seed(SEED)
    images, labels = batch()
    scores, _ = network(images, method.mixture(logits, MIDDLE))
    loss = F.cross_entropy(scores, labels)
    return loss, torch.autograd.grad(loss, logits)[0]


def written_out(
    method: Method, plain: str, logits: Tensor, weigh: Callable[[Tensor], Join]
) -> tuple[Tensor, Tensor]:
    """Loss and gradient of the oracle, whose noise is drawn from the same seed."""
    oracle = Oracle(weights_of(lowered(method, plain)), logits)
    torch.manual_seed(SEED)
    loss = oracle.joined(*batch(), weigh(logits))
    return loss, torch.autograd.grad(loss, logits)[0]


def weighed(p: Tensor) -> Join:
    return lambda row, made: sum((p[row, i] * one for i, one in enumerate(made)), torch.zeros(()))


def noise(logits: Tensor) -> Tensor:
    """Standard Gumbel noise: less the log of exponential noise."""
    return -torch.empty_like(logits, requires_grad=False).exponential_().log()


def softmax(logits: Tensor) -> Tensor:
    """Written out, so that nothing of torch's own is taken for granted."""
    return logits.exp() / logits.exp().sum(dim=1, keepdim=True)


def darts(logits: Tensor) -> Join:
    return weighed(softmax(logits))


def snas(logits: Tensor) -> Join:
    tau = 1.0 * 0.03**0.5  # half of the way from 1 to 0.03, on a log scale
    return weighed(softmax((softmax(logits).log() + noise(logits)) / tau))


def drnas(logits: Tensor) -> Join:
    concentration = torch.where(logits > 0, logits + 1, logits.exp())
    drawn = torch.distributions.Gamma(concentration, torch.ones_like(concentration)).rsample()
    return weighed(drawn / drawn.sum(dim=1, keepdim=True))


def gdas(logits: Tensor) -> Join:
    tau = 10.0 + (0.1 - 10.0) * 2 / 4  # a line over epochs 0 to 4
    p = softmax((softmax(logits).log() + noise(logits)) / tau)
    taken = p.argmax(dim=1)
    h = F.one_hot(taken, 3) - p.detach() + p

    def join(row: int, made: list[Tensor]) -> Tensor:
        (i,) = [taken[row].item()]
        others = [h[row, j] for j in range(3) if j != i]
        return h[row, int(i)] * made[int(i)] + others[0] + others[1]

    return join


@pytest.mark.parametrize(
    ("name", "weigh"),
    [
        ("darts", darts),
        ("darts-2nd", darts),
        ("beta-darts", darts),
        ("random", darts),
        ("snas", snas),
        ("drnas", drnas),
        ("gdas", gdas),
    ],
)
def test_loss_and_gradient_are_those_of_the_definition(
    plain: str, name: str, weigh: Callable[[Tensor], Join]
) -> None:
    method, logits = get_method(name), alpha()
    loss, gradient = found(method, plain, logits)
    wanted, of_wanted = written_out(method, plain, logits, weigh)
    torch.testing.assert_close(loss, wanted, rtol=1e-10, atol=1e-12)
    torch.testing.assert_close(gradient, of_wanted, rtol=1e-9, atol=1e-12)
    assert gradient.abs().amax(dim=1).min() > 1e-5  # something is to be learned of every edge


def test_an_unsampled_candidate_is_weighed_by_a_scalar_that_adds_nothing(plain: str) -> None:
    """The value of a sample is that of its candidates alone, at any temperature."""
    logits = alpha()
    loss, _ = found(Gdas(), plain, logits)

    def alone(logits: Tensor) -> Join:
        taken = (softmax(logits).log() + noise(logits)).argmax(dim=1)
        return lambda row, made: made[int(taken[row])] + 0 * logits.sum()

    wanted, _ = written_out(Gdas(), plain, logits, alone)
    torch.testing.assert_close(loss, wanted, rtol=1e-12, atol=1e-12)


def test_random_paths_do_not_ask_alpha_and_take_each_candidate_alike(plain: str) -> None:
    method, logits = get_method("random-ws"), (9 * alpha()).detach().requires_grad_()
    torch.manual_seed(0)
    counts = torch.zeros(3, 3)
    for _ in range(1500):
        mixture = method.mixture(logits, MIDDLE)
        assert not mixture.weights.requires_grad
        assert mixture.sample is not None
        counts[range(3), mixture.sample] += 1
    assert (counts / 1500 - 1 / 3).abs().max() < 0.06  # 4.9 standard deviations


def pc_darts(logits: Tensor, edges: Tensor) -> Join:
    """Half of the channels searched, then shuffled; whole edges into a node share its mass."""
    p = softmax(logits)
    share = torch.stack([torch.ones(()), *softmax(edges[None, 1:])[0]])  # node 1 has one edge

    def join(row: int, made: list[Tensor]) -> Tensor:
        (skip, conv) = made[1], made[2]
        searched = p[row, 1] * skip[:, :2] + p[row, 2] * conv
        whole = torch.cat([searched, skip[:, 2:]], dim=1)
        return share[row] * whole[:, [0, 2, 1, 3]]

    return join


def test_channel_sampling_and_edge_normalisation_written_out(plain: str) -> None:
    method = PcDarts(partial=2)
    network = lowered(method, plain)
    logits = alpha()
    edges = torch.tensor([0.3, -0.4, 0.9], dtype=torch.float64, requires_grad=True)
    learned = method.alpha(network.network, 0.0).double()
    with torch.no_grad():
        learned.candidates.copy_(logits)
        assert learned.edges is not None
        learned.edges.copy_(edges)
    images, labels = batch()
    said = learned()
    assert said.edge_weights is not None
    mixture = method.mixture(said.candidates, MIDDLE).times(said.edge_weights)
    loss = F.cross_entropy(network(images, mixture)[0], labels)
    gradients = torch.autograd.grad(loss, [learned.candidates, learned.edges])

    w = weights_of(network)
    join = pc_darts(logits, edges)
    nodes = [F.conv2d(images, w["stem/0.weight"], padding=1)]
    for target in (1, 2):
        total = torch.zeros_like(nodes[0])
        for row, (source, end) in enumerate(EDGES):
            if end == target:
                x = nodes[source]
                kernel = w[f"cell0/{source}->{target}/conv/1.weight"]
                assert kernel.shape == (2, 2, 3, 3)
                conv = F.conv2d(x[:, :2].relu(), kernel, padding=1)
                total = total + join(row, [torch.zeros_like(x), x, conv])
        nodes.append(total)
    pooled = nodes[2].relu().mean(dim=(2, 3))
    scores = pooled @ w["head/2.weight"].T + w["head/2.bias"]
    wanted = F.cross_entropy(scores, labels)
    torch.testing.assert_close(loss, wanted, rtol=1e-10, atol=1e-12)
    for gradient, of_wanted in zip(
        gradients, torch.autograd.grad(wanted, [logits, edges]), strict=True
    ):
        torch.testing.assert_close(gradient, of_wanted, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(("epoch", "factor"), [(0, 0.0), (1, 0.5), (50, 25.0), (99, 49.5)])
def test_beta_decay_in_closed_form(epoch: int, factor: float) -> None:
    """factor * mean over edges of log sum exp, whose gradient is the softmax (eq. 12 and 13)."""
    logits = alpha()
    penalty = BetaDarts().penalty(logits, Progress(epoch, 100, epoch / 100))
    expected = factor * sum(math.log(sum(map(math.exp, row))) for row in logits.tolist()) / 3
    assert penalty.item() == pytest.approx(expected, rel=1e-12)
    (gradient,) = torch.autograd.grad(penalty, logits)
    torch.testing.assert_close(gradient, factor * softmax(logits) / 3, rtol=1e-12, atol=1e-15)


def test_beta_decay_leaves_padding_out() -> None:
    padding = torch.tensor([[0.0, 0.0, -torch.inf]]).double()
    logits = torch.tensor([[0.2, -0.3, 0.0]]).double().requires_grad_()
    penalty = BetaDarts(beta_decay=2.0).penalty(logits + padding, Progress(1, 2, 0.5))
    assert penalty.item() == pytest.approx(math.log(math.exp(0.2) + math.exp(-0.3)))
    (gradient,) = torch.autograd.grad(penalty, logits)
    assert gradient[0, 2] == 0


def test_dirichlet_weights_have_the_mean_that_candidates_are_ranked_by() -> None:
    logits = torch.tensor([[0.5, -0.5, 1.0, -torch.inf]]).double()
    concentration = torch.tensor([1.5, math.exp(-0.5), 2.0, 0.0]).double()
    strengths = DrNas().candidate_weights(logits)
    torch.testing.assert_close(strengths[0], concentration / concentration.sum())
    torch.manual_seed(0)
    drawn = DrNas().mixture(logits.expand(20_000, -1), MIDDLE).weights
    assert (drawn[:, 3] == 0).all()
    torch.testing.assert_close(drawn.sum(dim=1), torch.ones(20_000).double())
    assert (drawn.mean(dim=0) - strengths[0]).abs().max() < 0.01


def test_dirichlet_gradients_are_those_of_the_mean() -> None:
    """Of any linear function of the weights, in expectation."""
    value = torch.tensor([1.0, -2.0, 0.5]).double()
    logits = torch.tensor([[0.5, -0.5, 1.0]]).double().requires_grad_()
    expected = DrNas().candidate_weights(logits)[0] @ value
    (wanted,) = torch.autograd.grad(expected, logits)
    torch.manual_seed(0)
    drawn = DrNas().mixture(logits.expand(40_000, -1), MIDDLE).weights
    (gradient,) = torch.autograd.grad((drawn @ value).mean(), logits)
    torch.testing.assert_close(gradient, wanted, rtol=0.05, atol=0.01)


@pytest.mark.parametrize(
    ("method", "epoch", "tau"),
    [
        (Snas(), 0, 1.0),
        (Snas(), 4, 0.03),
        (Snas(tau=2.0, tau_min=0.5), 2, 1.0),
        (Gdas(), 0, 10.0),
        (Gdas(), 1, 7.525),
        (Gdas(), 4, 0.1),
    ],
)
def test_temperatures_fall_from_the_first_epoch_to_the_last(
    method: Method, epoch: int, tau: float
) -> None:
    logits = alpha().detach()
    torch.manual_seed(SEED)
    mixture = method.mixture(logits, Progress(epoch, 5, epoch / 5))
    torch.manual_seed(SEED)
    expected = F.log_softmax((F.log_softmax(logits, dim=1) + noise(logits)) / tau, dim=1)
    torch.testing.assert_close(mixture.log_weights, expected)


def test_a_search_of_one_epoch_has_the_first_temperature() -> None:
    assert Progress(0, 1, 0.0).linear(10.0, 0.1) == 10.0


@pytest.mark.parametrize("name", ["gdas", "snas", "drnas", "random-ws"])
def test_padding_is_never_weighed(name: str) -> None:
    logits = torch.tensor([[0.0, 1.0, -torch.inf], [0.0, 1.0, 2.0]])
    torch.manual_seed(0)
    for _ in range(50):
        mixture: Mixture = get_method(name).mixture(logits, MIDDLE)
        assert mixture.weights[0, 2] == 0
        assert mixture.weights.isfinite().all()
        assert mixture.log_weights.isfinite().all()
