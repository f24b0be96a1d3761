"""An alpha that has learned nothing derives as a uniform draw would."""

from collections import Counter
from collections.abc import Iterable

import pytest
from scipy.stats import chisquare

from archwright.graph import Architecture, Network
from archwright.graph.passes.simplification import simplify
from archwright.graph.passes.simplification.settings import simplification
from archwright.nas.derive.untrained import untrained_architectures
from archwright.nas.methods import METHODS, get_method
from archwright.nas.recipe import Derivation
from archwright.spaces import Size, get_space

DRAWS = 2000
LEAST_P = 1e-4
SIZES = {
    "nasbench201": Size(channels=4, cells=1),
    "darts": Size(channels=4, cells=3),
    "spos": Size(channels=8, cells=4),
}
LEARNED = [name for name in METHODS if get_method(name).learns]


def supernet(space: str) -> Network:
    return simplify(get_space(space).supernet(SIZES[space]), simplification("all"))


def counts(found: Iterable[Architecture]) -> Counter[tuple[str, int, int, str]]:
    """How often each candidate was taken on each edge (cell, source, node)."""
    taken: Counter[tuple[str, int, int, str]] = Counter()
    for architecture in found:
        for kind, cell in architecture.cells.items():
            for node, picks in enumerate(cell.nodes):
                taken.update((kind, pick.source, node, pick.candidate) for pick in picks)
    return taken


def least_p(
    method: str, space: str, derivation: Derivation, *, ranks_none: bool | None = None
) -> float:
    """The smallest p of an edge's candidates, and of a node's edges, being drawn uniformly."""
    own, chosen = get_space(space), get_method(method)
    size = SIZES[space]
    found = untrained_architectures(
        *(chosen, own, size, supernet(space), range(DRAWS)),
        derivation=derivation,
        ranks_none=ranks_none,
    )
    taken = counts(found)
    keeps_null = chosen.ranks_none if ranks_none is None else ranks_none
    ps: list[float] = []
    for kind, spec in own.skeleton.cells(size).items():
        for node, place in enumerate(spec.inner()):
            kept: list[int] = []
            for edge in spec.into(place):
                names = own.outcomes(spec, edge)
                names = [name for name in names if keeps_null or name != own.null]
                observed = [taken[kind, edge.source, node, name] for name in names]
                kept.append(sum(observed))
                if len(names) > 1 and sum(observed):
                    ps.append(float(chisquare(observed).pvalue))
            if len(kept) > 1:
                ps.append(float(chisquare(kept).pvalue))
    return min(ps)


@pytest.mark.parametrize("space", SIZES)
@pytest.mark.parametrize("method", LEARNED)
def test_an_untrained_alpha_derives_as_a_uniform_draw(method: str, space: str) -> None:
    assert least_p(method, space, "flat") > LEAST_P


@pytest.mark.parametrize("space", ["nasbench201", "darts"])
def test_the_nested_ranking_is_a_prior(space: str) -> None:
    assert least_p("darts", space, "nested") < LEAST_P


def test_without_the_null_candidate_the_draw_is_uniform_too() -> None:
    assert least_p("diffgraph", "nasbench201", "flat", ranks_none=False) > LEAST_P
