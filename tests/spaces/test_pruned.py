"""Pruned architectures: written, read, and built like any other."""

import re
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archwright.cost import graph_cost
from archwright.errors import GenotypeError
from archwright.graph import Fusion, Pruning, named_fusion
from archwright.graph.genotype import from_json
from archwright.graph.passes.restriction import restrict
from archwright.graph.passes.rewire import deletable, rewire
from archwright.spaces import get_space, read_architecture, write_architecture

from ..strategies import ALL_SPACES, any_space, architectures, tiny

NAMED = tuple(name for name in ALL_SPACES if name != "user")


@settings(max_examples=20)
@given(st.data())
def test_a_pruned_architecture_is_read_as_it_was_written(data: st.DataObject) -> None:
    space = any_space(data.draw(st.sampled_from(NAMED)))
    whole = data.draw(architectures(space))
    nodes = deletable(space.discrete(whole, tiny(space.name)))
    pruning = Pruning(
        deleted=frozenset(data.draw(st.sets(st.sampled_from(nodes)))) if nodes else frozenset(),
        fusion=named_fusion(
            data.draw(st.sampled_from(("sum", "linear", "se", "linear+se"))),
            per=data.draw(st.sampled_from(("scalar", "channel"))),
            reduction=data.draw(st.integers(1, 32)),
            floor=data.draw(st.integers(1, 32)),
        ),
        gated=data.draw(st.booleans()),
    )
    pruned = replace(whole, pruning=pruning)
    assert from_json(pruned.to_json()) == pruned
    assert read_architecture(write_architecture(pruned)) == pruned
    size = tiny(space.name)
    assert space.discrete(pruned, size) == rewire(space.discrete(whole, size), pruning)
    found = restrict(space.supernet(size), pruned)
    assert found == rewire(restrict(space.supernet(size), whole), pruning)


def test_a_text_says_what_is_deleted_and_how() -> None:
    given = read_architecture("darts-v2 without cell10:5 cell2:4,3 normal:2 fusion=linear")
    assert given.pruning == Pruning(
        deleted=frozenset({("cell2", 3), ("cell2", 4), ("cell10", 5), ("normal", 2)}),
        fusion=named_fusion("linear"),
    )
    assert write_architecture(given).endswith(
        "range(2, 6)) without cell2:3,4 cell10:5 normal:2 fusion=linear"
    )
    usual = read_architecture("darts-v2 without normal:2")
    assert usual.pruning == Pruning(deleted=frozenset({("normal", 2)}), fusion=Fusion())


def test_a_pruned_network_takes_an_auxiliary_head() -> None:
    space, size = get_space("darts"), replace(tiny("darts"), image_size=16)
    whole = read_architecture("darts-v2")
    pruned = read_architecture("darts-v2 without normal:2,3,4,5 reduce:2,3,4,5")
    costs = [graph_cost(space.discrete(a, size, auxiliary=True)) for a in (whole, pruned)]
    assert costs[1].macs < costs[0].macs


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("darts-v2 without cell0", "cannot read 'cell0' in a pruning: expected nodes (cell0"),
        ("darts-v2 without cell0:x", "cannot read 'cell0:x' in a pruning"),
        ("darts-v2 without gated=maybe", "cannot read 'gated=maybe'"),
        ("darts-v2 without fusion=liner", "unknown fusion 'liner': did you mean 'linear'?"),
        ("darts-v2 without reduction=0", "reduction and floor must be at least 1, got 0 and 8"),
        ("darts-v2 without cell0:2 without cell0:3", "the architecture is pruned already"),
    ],
)
def test_texts_that_cannot_be_read(text: str, message: str) -> None:
    with pytest.raises(GenotypeError, match=re.escape(message)):
        read_architecture(text)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"deleted": 3}, "architecture file is malformed: each cell needs"),
        ({"deleted": {"cell0": ["x"]}}, "architecture file is malformed"),
        ({"fusion": "sums"}, "unknown fusion 'sums': did you mean 'sum'?"),
        ({"aggregation": "row"}, "unknown aggregation 'row'"),
    ],
)
def test_files_that_cannot_be_read(change: dict[str, Any], message: str) -> None:
    content = read_architecture("darts-v2 without cell0:2").to_json()
    content["pruning"] |= change
    with pytest.raises(GenotypeError, match=re.escape(message)):
        from_json(content)


def test_a_file_without_the_nodes() -> None:
    content = read_architecture("darts-v2 without cell0:2").to_json()
    del content["pruning"]["deleted"]
    with pytest.raises(GenotypeError, match="architecture file lacks the field 'deleted'"):
        from_json(content)


def test_an_architecture_pruned_at_another_depth() -> None:
    pruned = read_architecture("darts-v2 without cell7:2")
    with pytest.raises(GenotypeError, match="nodes of cell7 are pruned, and this network has no"):
        get_space("darts").discrete(pruned, tiny("darts"))
