"""The contract of passes, over the registry: what each says of itself holds."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, is_dataclass, replace
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from typing_extensions import override

from archwright.errors import ConfigError, GraphError
from archwright.graph import (
    Architecture,
    BatchNorm,
    Chain,
    Choice,
    Conv,
    Expr,
    KeepChannels,
    Network,
    Op,
    Primitive,
    Pruning,
    ReLU,
    Shape,
    Zero,
    chain,
)
from archwright.graph.ops import KernelNorm
from archwright.graph.passes import contract
from archwright.graph.passes.contract import (
    FED_NODES,
    NO_NEW_SLOTS,
    PASSES,
    PLAIN_KERNELS,
    SAME_DECISIONS,
    SAME_SHAPES,
    UNIFORM_KERNELS,
    Kind,
    Pass,
    all_passes,
    register,
    run_passes,
)
from archwright.graph.passes.diagnostics import Diagnostic, Report
from archwright.graph.passes.edge_removal import EdgeRemoval
from archwright.graph.passes.narrowing import Narrowing
from archwright.graph.passes.partial_channels import ChannelSampling
from archwright.graph.passes.resizing import Resizing
from archwright.graph.passes.restriction import Restriction, restrict
from archwright.graph.passes.rewire import Rewiring, deletable
from archwright.graph.passes.shrinking import Shrinking
from archwright.graph.passes.simplification import Simplification, simplification_passes, simplify
from archwright.graph.passes.simplification.rewriting import (
    FloatingSharing,
    KernelNormalisation,
    LinearMerge,
    ModuleSharing,
    PartialSharing,
    RewritePass,
)
from archwright.graph.passes.simplification.rule import RewriteResult, Rule, Site, no_match
from archwright.graph.passes.simplification.rules import RULES
from archwright.graph.traverse import map_edges
from archwright.lowering import GraphModule, Mixture
from archwright.spaces.discretise import random_architecture

from ...strategies import ALL_SPACES, any_space, architectures, images, seeded, tiny
from .simplification.edges import SHAPE, assert_same, depthwise, edge, network

Case = Callable[[st.DataObject, str], tuple[Network, Pass]]

SIMPLIFICATIONS = st.builds(
    Simplification,
    pointwise=st.sampled_from(("shared", "apart", "dense")),
    granularity=st.sampled_from(("kernel", "filter")),
    scale=st.sampled_from(("deviation", "norm")),
)


def supernet(name: str) -> Network:
    return any_space(name).supernet(tiny(name))


def discrete(data: st.DataObject, name: str) -> Network:
    return any_space(name).discrete(data.draw(architectures(any_space(name))), tiny(name))


def rewriting(cls: type[RewritePass]) -> Case:
    return lambda data, name: (supernet(name), cls(data.draw(SIMPLIFICATIONS)))


def merging(data: st.DataObject, name: str) -> tuple[Network, Pass]:
    chosen = data.draw(SIMPLIFICATIONS)
    before = replace(chosen, pms=data.draw(st.booleans()), norm=data.draw(st.booleans()))
    return simplify(supernet(name), replace(before, merge=False)), LinearMerge(chosen)


def restricting(data: st.DataObject, name: str) -> tuple[Network, Pass]:
    found = simplify(supernet(name), data.draw(SIMPLIFICATIONS))
    return found, Restriction(data.draw(architectures(any_space(name))))


def shrinking(data: st.DataObject, name: str) -> tuple[Network, Pass]:
    found = supernet(name)
    left = {
        d.name: data.draw(st.sets(st.sampled_from(range(len(d.candidates)))))
        for d in found.decisions()
    }
    return found, Shrinking(left)


def rewiring(data: st.DataObject, name: str) -> tuple[Network, Pass]:
    found = discrete(data, name)
    nodes = deletable(found)
    deleted = data.draw(st.sets(st.sampled_from(nodes))) if nodes else set()
    return found, Rewiring(Pruning(deleted=frozenset(deleted), gated=data.draw(st.booleans())))


def edge_removal(data: st.DataObject, name: str) -> tuple[Network, Pass]:
    found = discrete(data, name)
    try:
        FED_NODES.check(found)
    except GraphError:
        assume(False)
    return found, EdgeRemoval()


def sampling(data: st.DataObject, name: str) -> tuple[Network, Pass]:
    return supernet(name), ChannelSampling(data.draw(st.sampled_from((1, 2))))


def resizing(data: st.DataObject, name: str) -> tuple[Network, Pass]:
    found = discrete(data, name)
    return found, Resizing(dict(GraphModule(found).slots.items()))


def narrowing(data: st.DataObject, name: str) -> tuple[Network, Pass]:
    found, keep = discrete(data, name), KeepChannels(3, data.draw(st.integers(1, 3)))
    first = found.steps[0]
    body = chain(keep, *first.body.items) if isinstance(first.body, Chain) else first.body
    return replace(found, steps=(replace(first, body=body), *found.steps[1:])), Narrowing()


CASES: Mapping[str, Case] = {
    **{cls.name: rewriting(cls) for cls in (ModuleSharing, PartialSharing, FloatingSharing)},
    KernelNormalisation.name: rewriting(KernelNormalisation),
    LinearMerge.name: merging,
    Restriction.name: restricting,
    Shrinking.name: shrinking,
    Rewiring.name: rewiring,
    EdgeRemoval.name: edge_removal,
    ChannelSampling.name: sampling,
    Resizing.name: resizing,
    Narrowing.name: narrowing,
}
"""By the name of a pass: a network of a space, and the pass with settings that suit it."""


def one_hot_agrees(before: Network, after: Network, data: st.DataObject, name: str) -> None:
    """With one-hot weights `after` computes the candidates of `before`, in its own slots."""
    architecture = data.draw(architectures(any_space(name)))
    ours, theirs = restrict(after, architecture), restrict(before, architecture)
    assert [m.primitive for m in ours.modules()] == [m.primitive for m in theirs.modules()]
    whole = seeded(after)
    heir = GraphModule(ours).double()
    heir.inherit(whole)
    like = torch.zeros(1).double()
    mixture = Mixture.one_hot(whole.decisions, architecture.answers(), like=like)
    x = images(after)
    torch.testing.assert_close(whole(x, mixture)[0], heir(x)[0], rtol=1e-12, atol=1e-12)


def test_every_pass_has_a_case() -> None:
    assert set(all_passes()) == set(CASES)


@pytest.mark.parametrize("name", CASES)
def test_a_pass_is_a_frozen_value_that_says_what_it_is(name: str) -> None:
    cls = all_passes()[name]
    assert cls.kind in get_args(Kind)
    assert cls.requires
    assert cls.ensures
    assert cls.__doc__
    assert is_dataclass(cls)


def test_the_documentation_lists_every_pass_with_its_kind() -> None:
    page = (Path(__file__).parents[3] / "docs" / "architecture.md").read_text(encoding="utf-8")
    lines = [line.split("|")[1:3] for line in page.splitlines() if line.startswith("| ")]
    listed = {name.strip(): kind.strip() for name, kind in lines if kind.strip() in get_args(Kind)}
    assert listed == {name: cls.kind for name, cls in all_passes().items()}


@pytest.mark.parametrize("space", [name for name in ALL_SPACES if name != "toponas-4"])
@pytest.mark.parametrize("name", CASES)
@settings(max_examples=2)
@given(data=st.data())
def test_what_a_pass_says_of_itself_holds(name: str, space: str, data: st.DataObject) -> None:
    before, one = CASES[name](data, space)
    result = run_passes(before, [one], verify=True)
    after = result.network
    assert result.changed == (after != before)
    assert result.changed or after is before
    assert result.changed or not any(d.fired for d in result.diagnostics)
    if one.idempotent:
        assert not one(after).changed
    if one.kind == "exact":
        assert_same(before, after)
    elif one.kind == "sharing":
        one_hot_agrees(before, after, data, space)


# the toys


@dataclass(frozen=True)
class Toy(Pass):
    """A ReLU behind every edge, or `times` of them."""

    times: int = 1

    name = "toy"
    kind = "structural"
    keeps = (SAME_SHAPES, SAME_DECISIONS)
    idempotent = False

    @override
    def apply(self, network: Network, report: Report) -> Network:
        report(Diagnostic(self.name, True, "everywhere", f"{self.times} more"))
        return map_edges(network, lambda body, _: chain(body, *[ReLU()] * self.times))


def test_a_new_pass_is_its_class_and_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contract, "PASSES", dict(PASSES))
    assert register(Toy) is Toy
    assert contract.all_passes()["toy"] is Toy
    before = supernet("nasbench201")
    result = run_passes(before, [Toy(2), LinearMerge(), ModuleSharing()], verify=True)
    assert result.changed
    assert result.diagnostics[0] == Diagnostic("toy", True, "everywhere", "2 more")
    with pytest.raises(ValueError, match="two passes are named 'toy': choose another name"):
        register(type("Other", (Toy,), {}))


def fuse_relus(choice: Choice, site: Site) -> RewriteResult:
    """Replace two ReLUs in series by one: relu(relu(x)) = relu(x)."""
    options = tuple(
        replace(option, body=chain(ReLU())) if option.body == chain(ReLU(), ReLU()) else option
        for option in choice.options
    )
    if options == choice.options:
        return no_match("pms", choice, "no two ReLUs in series")
    return RewriteResult(replace(choice, options=options))


def test_a_new_rule_is_a_function_and_a_line_of_the_table() -> None:
    rules = (*RULES, Rule("pms", "exact", ("sum",), fuse_relus))
    before = network(edge(chain(ReLU(), ReLU()), depthwise(3)))
    one = ModuleSharing(rules=rules)
    result = one.verify(before)
    assert result.changed
    assert "no two ReLUs in series" in [d.text for d in result.diagnostics]
    assert_same(before, result.network)
    assert not one(result.network).changed
    assert not ModuleSharing()(before).changed


# errors


@dataclass(frozen=True)
class Odd(Pass):
    """Whatever a function does, with the promises of a pass that keeps everything."""

    function: Callable[[Network], Network]

    name = "odd"
    kind = "exact"
    keeps = (SAME_SHAPES, SAME_DECISIONS, NO_NEW_SLOTS)

    @override
    def apply(self, network: Network, report: Report) -> Network:
        return self.function(network)


def behind(*items: Expr | Primitive) -> Callable[[Network], Network]:
    """Put something behind every edge."""
    return lambda network: map_edges(network, lambda body, _: chain(body, *items))


def decided(network: Network) -> Network:
    space, size = any_space("nasbench201"), tiny("nasbench201")
    return restrict(network, random_architecture(space, size, np.random.default_rng(0)))


def smaller(network: Network) -> Network:
    return replace(network, image=Shape(3, 4, 4))


def renamed(network: Network) -> Network:
    """The classifier in a slot of another name."""
    *others, head = network.steps
    assert isinstance(head.body, Chain)
    (*before, last) = head.body.items
    assert isinstance(last, Op)
    body = chain(*before, Op(last.primitive, "other"))
    return replace(network, steps=(*others, replace(head, body=body)))


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (behind(BatchNorm(3, affine=False)), "odd does not give a valid network: cell0: edge 0->1"),
        (
            smaller,
            "odd does not keep the shape of every step: input made 3x8x8 and now makes 3x4x4",
        ),
        (decided, "odd does not keep all decisions: decisions appeared or are lost: cell/0->1, "),
        (renamed, "odd does not keep the slots: slots appeared: other"),
    ],
)
def test_a_pass_that_does_not_do_what_it_says_is_found(
    function: Callable[[Network], Network], message: str
) -> None:
    with pytest.raises(GraphError, match=f"^{re.escape(message)}"):
        Odd(function).verify(supernet("nasbench201"))
    assert not Odd(lambda network: network).verify(supernet("nasbench201")).changed


def test_an_error_names_the_pass_and_those_before_it() -> None:
    before = supernet("nasbench201")
    message = (
        r"^rewiring failed \(after toy, linear merge\): rewiring requires a discrete network: "
        "cell/0->1 is undecided: derive the network first$"
    )
    with pytest.raises(GraphError, match=message):
        run_passes(before, [Toy(), LinearMerge(), Rewiring(Pruning())], verify=True)
    with pytest.raises(ConfigError, match=r"^channel sampling failed: --partial 3 must divide"):
        run_passes(before, [ChannelSampling(3)])


def test_conditions_name_what_breaks_them() -> None:
    norms = (KernelNorm("filter", "norm"), KernelNorm("kernel", "norm"))
    convs = [Op(replace(depthwise(3), norm=norm), f"slot{i}") for i, norm in enumerate(norms)]
    uneven = network(chain(*convs))
    with pytest.raises(GraphError, match=r"^kernels are normalised in 2 ways: "):
        UNIFORM_KERNELS.check(uneven)
    with pytest.raises(GraphError, match=r"^the kernel of dw3\* in slot slot0 is normalised$"):
        PLAIN_KERNELS.check(uneven)
    with pytest.raises(GraphError, match=r"^nothing leads into node 1 of cell: its width is open$"):
        FED_NODES.check(network(Op(Zero(SHAPE.channels))))
    for condition in (UNIFORM_KERNELS, PLAIN_KERNELS, FED_NODES):
        condition.check(network(chain(depthwise(3))))


# diagnostics


def test_passes_say_why_they_left_something() -> None:
    wide = edge(Conv(4, 8, 1), Conv(4, 8, 3))
    result = ChannelSampling(2).verify(network(wide))
    assert result.diagnostics == (
        Diagnostic(
            "channel sampling",
            False,
            "all candidates",
            "no channels can pass by: the edge makes 8x7x6 of 4x7x6",
            "kind/0->1",
        ),
    )
    narrow = network(edge(depthwise(3), depthwise(5)))
    kept, dropped, gone = (
        Shrinking({"kind/0->1": left}).verify(narrow).diagnostics[0] for left in ((0, 1), (1,), ())
    )
    assert (kept.fired, kept.text) == (False, "all candidates here are left")
    assert (dropped.fired, dropped.text) == (True, "without a")
    assert (gone.fired, gone.text) == (True, "no connection is left")
    result = Restriction(Architecture("s", {})).run(narrow)
    assert [d.text for d in result.diagnostics] == ["left out: its decision has no answer"]


def test_diagnostics_of_a_pipeline_name_the_decision_and_come_once() -> None:
    chosen = Simplification()
    result = run_passes(supernet("darts"), simplification_passes(chosen), verify=True)
    assert len(set(result.diagnostics)) == len(result.diagnostics)
    rules = {d.rule for d in result.diagnostics}
    assert rules == {"pms", "fms", "norm", "merge"}
    decisions = {decision.name for decision in supernet("darts").decisions()}
    assert {d.decision for d in result.diagnostics} == decisions
    again = run_passes(result.network, simplification_passes(chosen), verify=True)
    assert not again.changed
    assert not any(d.fired for d in again.diagnostics)
    assert "the candidates are one convolution already" in {d.text for d in again.diagnostics}
