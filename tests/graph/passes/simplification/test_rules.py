"""Each rule by hand: it fires, it does not where it must not, it stays, and it says why."""

import pytest

from archwright.errors import ConfigError
from archwright.graph import (
    BatchNorm,
    Chain,
    Choice,
    Conv,
    Expr,
    MaxPool,
    Primitive,
    ReLU,
    Shape,
    Zero,
    chain,
    concat,
)
from archwright.graph.expr import choices, modules
from archwright.graph.passes.diagnostics import Diagnostic
from archwright.graph.passes.simplification import (
    Simplification,
    check_pointwise,
    count_modules,
    explain_expr,
    simplification,
    simplify_expr,
)
from archwright.graph.passes.simplification.merging import merge, normalise
from archwright.graph.passes.simplification.rule import RewriteResult, Site
from archwright.graph.passes.simplification.rules import RULES
from archwright.graph.passes.simplification.settings import Pointwise
from archwright.graph.passes.simplification.sharing import distribute, share_floating, share_partial
from archwright.graph.traverse import map_edges
from archwright.spaces import Size, get_space

from .edges import NORM, POINT, SHAPE, C, assert_same, depthwise, edge, network

RELU = ReLU()
D3, D5, D32, D52 = depthwise(3), depthwise(5), depthwise(3, 2), depthwise(5, 2)
AT = Site(SHAPE, Simplification())
ATOMIC = Site(SHAPE, Simplification(pointwise="apart"))


def one_line(result: RewriteResult) -> Diagnostic:
    (line,) = result.diagnostics
    assert line.fired == (result.expr is not None)
    assert line.decision == "kind/0->1"
    return line


def refusal(result: RewriteResult) -> str:
    assert result.expr is None
    return one_line(result).text


def text(result: RewriteResult) -> str:
    return str(result.expr)


# partial sharing


def test_common_ends_are_shared_once() -> None:
    choice = edge(chain(RELU, D3, NORM), chain(RELU, D5, NORM), MaxPool(3))
    result = share_partial(choice, AT)
    assert text(result) == "Σ{a|b: relu · Σ{a: dw3; b: dw5} · bn; c: maxpool3}"
    assert one_line(result).text == "relu before and bn behind, once for a and b"
    (outer, inner) = choices(result.expr or choice)
    assert (outer.given, inner.given) == (frozenset({0, 1, 2}), frozenset({0, 1}))
    kept = {m.slot for m in modules(result.expr or choice)}
    assert "edge/a/2" in kept
    assert "edge/b/2" not in kept


def test_what_saves_most_is_shared_first() -> None:
    long = chain(RELU, D3, POINT, NORM)
    choice = edge(long, chain(RELU, D5, POINT, NORM), chain(D5, RELU), chain(D5, RELU))
    result = share_partial(choice, AT)
    assert text(result).startswith("Σ{a|b: relu · Σ{a: dw3; b: dw5} · pw · bn; ")


def test_all_candidates_alike_leave_no_outer_choice() -> None:
    choice = edge(chain(RELU, D3), chain(RELU, D5))
    assert text(share_partial(choice, AT)) == "relu · Σ{a: dw3; b: dw5}"


@pytest.mark.parametrize(
    ("bodies", "reason"),
    [
        ((chain(RELU, D3), chain(D5, NORM)), "no two candidates begin or end with the same module"),
        ((chain(RELU, D3), Chain()), "fewer than two candidates have modules"),
        # a candidate that is zero is computed nowhere
        ((chain(RELU, D3), chain(RELU, Zero(C))), "fewer than two candidates have modules"),
        # another primitive altogether, whatever its label
        (
            (chain(BatchNorm(C, True), D3), chain(NORM, D5)),
            "no two candidates begin or end with the same module",
        ),
        (
            (chain(D3), chain(depthwise(3, 1, 2))),
            "no two candidates begin or end with the same module",
        ),
    ],
)
def test_no_common_ends(bodies: tuple[Expr, ...], reason: str) -> None:
    assert refusal(share_partial(edge(*bodies), AT)) == reason


def test_a_separable_conv_is_one_unit_where_pointwise_convs_are_not_shared() -> None:
    choice = edge(chain(D3, POINT), chain(D5, POINT))
    assert share_partial(choice, AT).expr is not None
    assert share_partial(choice, ATOMIC).expr is None


def test_twice_shares_no_more() -> None:
    choice = edge(chain(RELU, D3, NORM), chain(RELU, D5, NORM), MaxPool(3))
    first = share_partial(choice, AT).expr
    assert first is not None
    assert all(share_partial(inner, AT).expr is None for inner in choices(first))


# floating sharing

SEPS = (chain(D3, POINT, NORM, RELU, D3), chain(D5, POINT, NORM, RELU, D5))


def test_a_common_middle_is_shared_between_two_choices() -> None:
    choice = edge(*SEPS, D32)
    result = share_floating(choice, AT)
    assert text(result) == (
        "Σ{a|b: Σ{a: dw3; b: dw5} · pw · bn · relu · Σ{a: dw3; b: dw5}; c: dw3d2}"
    )
    assert one_line(result).text == "pw · bn · relu between, once for a and b"
    assert all(share_floating(inner, AT).expr is None for inner in choices(result.expr or choice))


@pytest.mark.parametrize(
    ("bodies", "reason"),
    [
        ((SEPS[0], D5), "fewer than two candidates have a module between two others"),
        ((chain(RELU, D3, NORM), chain(NORM, D5, RELU)), "no module stands inside two candidates"),
        (
            # what strides before the middle on one side, and behind it on the other
            (
                chain(depthwise(3, 1, 2), RELU, NORM),
                chain(D5, RELU, depthwise(3, 1, 2)),
            ),
            "relu stands inside a and b, but what stands before it makes 4x4x3 and 4x7x6",
        ),
    ],
)
def test_no_common_middle(bodies: tuple[Expr, ...], reason: str) -> None:
    assert refusal(share_floating(edge(*bodies), AT)) == reason


# distribution


def halves(left: Expr | Primitive, right: Expr | Primitive) -> Expr:
    return chain(concat(left, right))


def test_concatenations_are_taken_apart() -> None:
    half = Conv(C, 2, 1)
    choice = edge(halves(half, Conv(C, 2, 3)), halves(Conv(C, 2, 3), half), D3)
    result = distribute(choice, AT)
    assert text(result) == "Σ{a|b: [Σ{a: pw; b: conv3} | Σ{a: conv3; b: pw}]; c: dw3}"
    assert one_line(result).text == "one concatenation for a and b, a choice in each branch"
    assert_same(network(choice), network(result.expr or choice))


def test_concatenations_of_other_branches_stay() -> None:
    choice = edge(halves(Conv(C, 1, 1), Conv(C, 3, 1)), halves(Conv(C, 2, 1), Conv(C, 2, 1)))
    reason = "the concatenations of a and b have branches of other sizes"
    assert refusal(distribute(choice, AT)) == reason
    assert distribute(edge(D3, D5), AT) == RewriteResult(None)


# linear merge


def merged(*bodies: Expr | Primitive, pointwise: Pointwise = "shared") -> RewriteResult:
    return merge(edge(*bodies), Site(SHAPE, Simplification(pointwise=pointwise)))


@pytest.mark.parametrize(
    ("bodies", "result"),
    [
        ((D3, D5), "conv Σ{a: dw3; b: dw5}"),
        ((D3, D5, MaxPool(3)), "Σ{a|b: conv Σ{a: dw3; b: dw5}; c: maxpool3}"),
        ((D3, D5, Chain()), "conv Σ{a: dw3; b: dw5; c: id}"),
        ((D32, D52), "conv Σ{a: dw3d2; b: dw5d2}"),
        # the plain 5x5 lattice holds the dilated 3x3, not the dilated 5x5
        ((D3, D5, D32), "conv Σ{a: dw3; b: dw5; c: dw3d2}"),
        ((D52, D5, D32), "Σ{a|c: conv Σ{a: dw5d2; c: dw3d2}; b: dw5}"),
        # one candidate alone is no sum, with or without an identity beside it
        ((Conv(C, C, 3), Chain()), "None"),
    ],
)
def test_what_is_merged(bodies: tuple[Expr | Primitive, ...], result: str) -> None:
    assert text(merged(*bodies)) == result


@pytest.mark.parametrize(
    "bodies",
    [
        (D3, D5),
        (D5, D32, MaxPool(3)),
        (D52, D5, D32),
        (Conv(C, C, 1), Conv(C, C, 5)),
        (Conv(C, C, 1, 2, offset=1), Conv(C, C, 1, 2), Conv(C, C, 3, 2)),
        (depthwise(3, 2, 2), depthwise(5, 1, 2)),
        (D3, D5, Chain()),
        (Conv(C, C, 3), Conv(C, C, 1), Chain()),
    ],
)
def test_what_is_merged_computes_the_same(bodies: tuple[Expr | Primitive, ...]) -> None:
    result = merged(*bodies)
    assert result.expr is not None
    assert_same(network(edge(*bodies)), network(result.expr))


def test_an_identity_joins_one_group_only() -> None:
    result = merged(D3, D5, Conv(C, C, 3), Conv(C, C, 5), Chain())
    assert text(result) == (
        "Σ{a|b|e: conv Σ{a: dw3; b: dw5; e: id}; c|d: conv Σ{c: conv3; d: conv5}}"
    )


@pytest.mark.parametrize("bodies", [(Conv(C, C, 3, groups=2), Conv(C, C, 5, groups=2), Chain())])
def test_no_grouped_convolution_is_the_identity(bodies: tuple[Expr | Primitive, ...]) -> None:
    result = merged(*bodies)
    assert text(result) == "Σ{a|b: conv Σ{a: conv3; b: conv5}; c: id}"
    assert_same(network(edge(*bodies)), network(result.expr or edge(*bodies)))


def test_even_kernels_are_left_alone() -> None:
    assert merged(Conv(C, C, 2), Conv(C, C, 4)).expr is None


@pytest.mark.parametrize(
    ("pointwise", "result"),
    [
        ("apart", "conv ⊕{a: dw3 · pw; b: dw5 · pw}"),
        ("dense", "conv Σ{a: dw3 · pw; b: dw5 · pw}"),
        ("shared", "None"),
    ],
)
def test_separable_convolutions(pointwise: Pointwise, result: str) -> None:
    assert text(merged(chain(D3, POINT), chain(D5, POINT), pointwise=pointwise)) == result


@pytest.mark.parametrize(
    ("bodies", "reason"),
    [
        ((D3, MaxPool(3)), "only one candidate is a single convolution here"),
        ((RELU, MaxPool(3)), "no candidate is a single convolution here"),
        ((D3, Conv(C, C, 3)), "dw3 and conv3 differ in groups"),
        (
            (D3, chain(D3, POINT)),
            "dw3 and dw3 · pw differ in what follows (a pointwise conv or none)",
        ),
        ((D5, D52), "one frame for dw5 and dw5d2 has 81 taps, apart they have 50"),
        (
            (chain(D3, POINT), chain(D5, POINT)),
            "separable convolutions are merged with their pointwise convs apart or dense",
        ),
    ],
)
def test_what_is_not_merged_says_why(bodies: tuple[Expr | Primitive, ...], reason: str) -> None:
    assert refusal(merged(*bodies)) == reason


def test_what_was_merged_is_not_merged_again() -> None:
    first = merged(D3, D5, MaxPool(3)).expr
    assert first is not None
    rule = next(rule for rule in RULES if rule.stage == "merge")
    outer, inner = (rule(choice, AT) for choice in choices(first))
    assert refusal(outer) == "no candidate is a single convolution here"
    assert refusal(inner) == "the candidates are one convolution already"


# normalisation


def test_kernels_of_a_group_are_normalised() -> None:
    result = normalise(edge(D3, D5, MaxPool(3)), AT)
    assert text(result) == "Σ{a: dw3*; b: dw5*; c: maxpool3}"
    assert one_line(result).text == "dw3 and dw5 to unit norm of each filter"


@pytest.mark.parametrize(
    ("bodies", "reason"),
    [
        ((D3, MaxPool(3)), "no two candidates are convolutions of one kind"),
        (
            (depthwise(1), depthwise(1)),
            "dw and dw have a single tap, or are normalised already",
        ),
    ],
)
def test_other_kernels_are_not_normalised(
    bodies: tuple[Expr | Primitive, ...], reason: str
) -> None:
    assert refusal(normalise(edge(*bodies), AT)) == reason


def test_one_tap_beside_several_stays_as_it_is() -> None:
    assert text(normalise(edge(depthwise(1), D3), AT)) == "Σ{a: dw; b: dw3*}"
    whole = Site(SHAPE, Simplification(granularity="kernel"))
    assert text(normalise(edge(depthwise(1), D3), whole)) == "Σ{a: dw*; b: dw3*}"
    again = normalise(edge(D3, D5), AT).expr
    assert isinstance(again, Choice)
    assert normalise(again, AT).expr is None


# all together


@pytest.mark.parametrize("pointwise", ["shared", "apart", "dense"])
def test_table_ii(pointwise: Pointwise) -> None:
    supernet = get_space("darts").supernet(Size(channels=4, cells=3))
    seen: set[tuple[str, tuple[tuple[int, int, int], ...]]] = set()

    def keep(body: Expr, shape: Shape) -> Expr:
        reports = explain_expr(body, shape, Simplification(pointwise=pointwise))
        kept = [r.count for r in reports if r.stage != "norm"]
        seen.add((str(body), tuple((c.conv, c.non_conv, c.total) for c in kept)))
        assert reports[-1].expr == simplify_expr(body, shape, Simplification(pointwise=pointwise))
        return body

    map_edges(supernet, keep)
    assert {counts for _, counts in seen} == {
        ((6, 14, 20), (6, 8, 14), (6, 6, 12), (3, 6, 9)),
        # an edge of stride 2, whose skip has modules of its own
        ((8, 16, 24), (8, 8, 16), (8, 6, 14), (5, 6, 11)),
    }
    assert len(seen) == 2


def test_a_stage_tells_only_what_is_new() -> None:
    choice = edge(*SEPS)
    original, pms, fms = explain_expr(choice, SHAPE, simplification("pms+fms"))
    assert (original.stage, original.diagnostics) == ("original", ())
    assert [(d.rule, d.fired) for d in pms.diagnostics] == [("pms", False)]
    assert ("fms", True) in [(d.rule, d.fired) for d in fms.diagnostics]
    assert count_modules(fms.expr) == fms.count


def test_a_policy_must_apply_to_the_space() -> None:
    dense = Simplification(pointwise="dense")
    for name in ("nasbench201", "spos"):
        space = get_space(name)
        supernet = space.supernet(Size(channels=16, cells=4))
        check_pointwise(supernet, Simplification(), name)
        with pytest.raises(
            ConfigError, match=rf"^space {name} has no separable convolution .* use"
        ):
            check_pointwise(supernet, dense, name)
    darts = get_space("darts").supernet(Size(channels=4, cells=3))
    check_pointwise(darts, dense, "darts")


def test_settings_are_read_as_they_are_written() -> None:
    assert str(Simplification()) == "all"
    assert str(simplification("none")) == "none"
    for words in ("all", "none", "pms", "pms+fms", "pms+fms+merge"):
        assert str(simplification(words)) == words
    with pytest.raises(ConfigError, match=r"^--simplify pms\+norm\+pms names pms twice$"):
        simplification("pms+norm+pms")
    with pytest.raises(ConfigError, match="unknown simplification 'fsm': did you mean 'fms'"):
        simplification("pms+fsm")


def test_a_choice_for_a_stage_that_is_off_is_refused() -> None:
    with pytest.raises(
        ConfigError,
        match="--scale deviation changes nothing with --simplify pms: leave it out, or add norm",
    ):
        simplification("pms", scale="deviation")
    with pytest.raises(ConfigError, match="--granularity kernel changes nothing with --simplify n"):
        simplification("none", granularity="kernel")
    with pytest.raises(ConfigError, match=r"--pointwise apart .* or add pms or fms or merge$"):
        simplification("norm", pointwise="apart")
    assert simplification("merge", pointwise="dense").pointwise == "dense"
