"""The exact passes: output and every gradient stay, in float64, on whatever they are given."""

import pytest
import torch
from hypothesis import given, settings

from archwright.graph import Cell, Expr, Network, Shape, verify
from archwright.graph.passes.diagnostics import ignore
from archwright.graph.passes.simplification import Simplification, simplify, simplify_expr
from archwright.graph.passes.simplification.rewriting import PartialSharing
from archwright.graph.passes.simplification.rule import Rule
from archwright.graph.passes.simplification.settings import Pointwise
from archwright.graph.passes.simplification.sharing import distribute
from archwright.graph.traverse import map_edges
from archwright.lowering import FusedNetwork, Mixture

from ....strategies import ALL_SPACES, any_space, expressions, networks, seeded, tiny
from .edges import SHAPE, alike, assert_same, logits_of, network

NOTHING = Simplification(pms=False, fms=False, merge=False, norm=False)
POLICIES: tuple[Pointwise, ...] = ("shared", "apart", "dense")


def merged(expr: Expr, pointwise: Pointwise, shape: Shape = SHAPE) -> Expr:
    only = Simplification(pms=False, fms=False, norm=False, pointwise=pointwise)
    return simplify_expr(expr, shape, only)


def distributed(expr: Expr, shape: Shape = SHAPE) -> Expr:
    alone = PartialSharing(rules=(Rule("pms", "exact", ("sum",), distribute),))
    return alone.rewrite(expr, shape, ignore)


@pytest.mark.parametrize("pointwise", POLICIES)
@settings(max_examples=20)
@given(edge=alike())
def test_merging_changes_no_value_and_no_gradient(pointwise: Pointwise, edge: Expr) -> None:
    after = merged(edge, pointwise)
    verify(network(after))
    assert_same(network(edge), network(after))
    assert merged(after, pointwise) == after


@settings(max_examples=20)
@given(edge=alike(depth=0))
def test_distributing_changes_no_value_and_no_gradient(edge: Expr) -> None:
    after = distributed(edge)
    assert_same(network(edge), network(after))
    assert distributed(after) == after


@pytest.mark.parametrize("pointwise", POLICIES)
@settings(max_examples=12)
@given(net=networks())
def test_merging_networks(pointwise: Pointwise, net: Network) -> None:
    after = simplify(net, Simplification(pms=False, fms=False, norm=False, pointwise=pointwise))
    verify(after)
    assert_same(net, after)


@settings(max_examples=12)
@given(expr=expressions(4, 4, 1))
def test_merging_any_expression(expr: Expr) -> None:
    assert_same(network(expr), network(merged(expr, "dense")))


@pytest.mark.parametrize("pointwise", POLICIES)
@settings(max_examples=12)
@given(edge=alike())
def test_merging_after_sharing_is_exact_too(pointwise: Pointwise, edge: Expr) -> None:
    shared = simplify_expr(edge, SHAPE, Simplification(merge=False, norm=True, pointwise=pointwise))
    assert_same(network(shared), network(merged(shared, pointwise)))


@pytest.mark.parametrize("name", [n for n in ALL_SPACES if n != "toponas-4"])
def test_merging_the_spaces(name: str) -> None:
    shared = simplify(any_space(name).supernet(tiny(name)), Simplification(merge=False))
    after = simplify(shared, Simplification(pms=False, fms=False, norm=False))
    verify(after)
    assert_same(shared, after)


@settings(max_examples=20)
@given(edge=alike())
def test_a_group_without_mass_is_no_trouble(edge: Expr) -> None:
    net = network(simplify_expr(edge, SHAPE, Simplification()))
    verify(net)
    module = seeded(net)
    logits = logits_of(module)
    logits[:, ::2] -= 1e6  # every group among these has a mass of exactly zero
    leaf = logits.requires_grad_()
    x = torch.ones(3, *net.image, dtype=torch.float64, requires_grad=True)
    out, _ = module(x * torch.arange(net.image.width), Mixture.from_logits(leaf))
    out.square().sum().backward()
    assert out.isfinite().all()
    assert leaf.grad is not None
    finite = leaf.grad[logits > -torch.inf].isfinite()
    assert finite.all()
    assert all(p.grad is None or p.grad.isfinite().all() for p in module.parameters())


@settings(max_examples=10)
@given(edge=alike())
def test_both_lowerings_agree(edge: Expr) -> None:
    net = network(simplify_expr(edge, SHAPE, Simplification()))
    naive = seeded(net)
    fused = FusedNetwork(net).double()
    fused.load_state_dict(naive.state_dict())
    logits = logits_of(naive)
    x = torch.randn(3, *net.image, dtype=torch.float64)
    mixture = Mixture.from_logits(logits)
    torch.testing.assert_close(fused(x, mixture)[0], naive(x, mixture)[0], rtol=1e-10, atol=1e-10)


def test_nothing_on_changes_nothing() -> None:
    for name in ALL_SPACES:
        net = any_space(name).supernet(tiny(name))
        assert simplify(net, NOTHING) == net


@settings(max_examples=12)
@given(net=networks())
def test_edges_are_mapped_with_the_shape_that_they_read(net: Network) -> None:
    seen: list[tuple[Expr, Shape]] = []

    def keep(body: Expr, shape: Shape) -> Expr:
        seen.append((body, shape))
        return body

    assert map_edges(net, keep) == net
    cells = [step.body for step in net.steps if isinstance(step.body, Cell)]
    assert [body for body, _ in seen] == [e.body for cell in cells for e in cell.edges]
