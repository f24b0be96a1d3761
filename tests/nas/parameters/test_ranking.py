"""Candidates that share modules are ranked as a group first, and then inside it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from archwright.graph import Network
from archwright.graph.passes.simplification import simplify
from archwright.graph.passes.simplification.settings import simplification
from archwright.nas.parameters.ranking import CandidateTree, candidate_trees, hierarchical_scores
from archwright.spaces import Size, get_space

SIZES = {
    "nasbench201": Size(channels=4, cells=1),
    "darts": Size(channels=4, cells=3),
    "spos": Size(channels=8, cells=4),
    "toponas-16": Size(channels=4, cells=3),
}


def supernet(space: str, stages: str) -> Network:
    return simplify(get_space(space).supernet(SIZES[space]), simplification(stages))


@pytest.mark.parametrize("space", SIZES)
def test_nothing_shared_is_ranked_as_it_weighs(space: str) -> None:
    network = supernet(space, "none")
    weights = {
        d.name: [1.0 / (number + 1) for number in range(len(d.candidates))]
        for d in network.decisions()
    }
    assert hierarchical_scores(candidate_trees(network), weights) == weights


def test_a_shared_module_wins_by_what_its_candidates_weigh_together() -> None:
    network = supernet("nasbench201", "all")
    decisions = network.decisions()
    candidates = ["none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3"]
    assert list(decisions[0].candidates) == candidates
    weights = {d.name: [0.1, 0.3, 0.2, 0.25, 0.15] for d in decisions}
    expected = [0.1, 0.3, 0.45 * (0.2 / 0.25) ** 0.5, 0.45, 0.15]
    for strengths in hierarchical_scores(candidate_trees(network), weights).values():
        assert strengths == pytest.approx(expected, rel=1e-12)


def test_groups_nest_as_the_modules_do() -> None:
    network = supernet("darts", "all")
    first = network.decisions()[0]
    number = {name: place for place, name in enumerate(first.candidates)}

    def members(*names: str) -> frozenset[int]:
        return frozenset(number[name] for name in names)

    tree = candidate_trees(network)[first.name]
    separable, dilated = (
        CandidateTree(
            members(f"{kind}_3x3", f"{kind}_5x5"),
            (CandidateTree(members(f"{kind}_3x3")), CandidateTree(members(f"{kind}_5x5"))),
        )
        for kind in ("sep_conv", "dil_conv")
    )
    convolutions = next(part for part in tree.parts if len(part.members) == 4)
    assert convolutions == CandidateTree(separable.members | dilated.members, (separable, dilated))
    single = {part for part in tree.parts if len(part.members) == 1}
    assert single == {
        CandidateTree(members(name))
        for name in ("none", "max_pool_3x3", "avg_pool_3x3", "skip_connect")
    }
    weights = dict.fromkeys(first.candidates, 0.0) | {
        **{"skip_connect": 0.2, "sep_conv_3x3": 0.1, "sep_conv_5x5": 0.11},
        **{"dil_conv_3x3": 0.16, "dil_conv_5x5": 0.02},
    }
    given_weights = {d.name: list(weights.values()) for d in network.decisions()}
    strengths = dict(
        zip(
            first.candidates,
            hierarchical_scores(candidate_trees(network), given_weights)[first.name],
            strict=True,
        )
    )
    # separable convs weigh 0.21 of 0.39 together, dilated ones 0.18, of which one has most
    assert max(strengths, key=strengths.__getitem__) == "sep_conv_5x5"
    assert strengths["sep_conv_5x5"] == pytest.approx(0.39)
    assert strengths["sep_conv_3x3"] == pytest.approx(0.39 * (0.1 / 0.11) ** 0.5)
    assert strengths["dil_conv_3x3"] == pytest.approx(0.39 * (0.18 / 0.21) ** 0.5)
    assert strengths["skip_connect"] == 0.2


@pytest.mark.parametrize("space", SIZES)
@given(seed=st.integers(0, 2**31))
def test_the_best_of_a_group_has_its_whole_weight(space: str, seed: int) -> None:
    network = supernet(space, "all")
    generator = np.random.default_rng(seed)
    weights = {
        d.name: generator.dirichlet([1.0] * len(d.candidates)).tolist() for d in network.decisions()
    }
    found = hierarchical_scores(candidate_trees(network), weights)
    for name, tree in candidate_trees(network).items():
        for part in tree.parts:
            mass = sum(weights[name][number] for number in part.members)
            assert max(found[name][number] for number in part.members) == pytest.approx(mass)


def test_a_weight_of_zero_is_no_error() -> None:
    network = supernet("nasbench201", "all")
    weights = {d.name: [0.0, 1.0, 0.0, 0.0, 0.0] for d in network.decisions()}
    assert hierarchical_scores(candidate_trees(network), weights) == weights
