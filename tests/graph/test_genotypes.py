"""Genotypes as texts: what is written is read, and what is malformed is pointed at."""

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archwright.errors import GenotypeError
from archwright.graph import Architecture, CellGenotype, EdgeOp, Origin
from archwright.graph.genotype import (
    bar_candidates,
    from_json,
    loads,
    read_bars,
    read_darts,
    write_bars,
    write_darts,
)

NAMES = st.text("abcdefgh_0123456789é", min_size=1, max_size=6)


@st.composite
def genotypes(draw: st.DrawFn, inputs: int | None = None, edges: int | None = None) -> CellGenotype:
    """Cells with as many edges a node as asked for."""
    first = inputs or draw(st.integers(1, 3))
    nodes = draw(st.integers(1, 4))
    counts = (edges or draw(st.integers(1, 3)) for _ in range(nodes))
    picks = tuple(
        tuple(EdgeOp(draw(NAMES), draw(st.integers(0, node - 1))) for _ in range(number))
        for node, number in enumerate(counts, first)
    )
    last = first + nodes - 1
    output = draw(st.lists(st.integers(0, last), min_size=1, unique=True))
    return CellGenotype(first, picks, tuple(output))


@given(genotypes())
def test_bars_are_read_as_they_were_written(cell: CellGenotype) -> None:
    text = write_bars(cell.nodes)
    assert read_bars(text) == cell.nodes
    found = list(bar_candidates(text))
    assert [name for _, name in found] == [pick.candidate for _, pick in cell.picks()]
    assert all(text.startswith(f"{name}~", position) for position, name in found)


@given(genotypes(inputs=2, edges=2), genotypes(inputs=2, edges=2))
def test_darts_genotypes_are_read_as_they_were_written(
    normal: CellGenotype, reduce: CellGenotype
) -> None:
    cells = {"normal": normal, "reduce": reduce}
    assert read_darts(write_darts(cells)) == cells


@given(
    st.dictionaries(NAMES, genotypes(), min_size=1),
    NAMES,
    st.sampled_from((None, Origin("b.py", "0a"))),
)
def test_json_is_read_as_it_was_written(
    cells: dict[str, CellGenotype], space: str, origin: Origin | None
) -> None:
    architecture = Architecture(space, cells, origin)
    found = loads(json.dumps(architecture.to_json()))
    assert found == architecture
    assert hash(found) == hash(architecture)
    assert list(found.cells) == list(cells)
    assert ("origin" in architecture.to_json()) == (origin is not None)


def test_equal_architectures_hash_alike_whatever_the_order_of_their_cells() -> None:
    a, b = CellGenotype(1, ((EdgeOp("x", 0),),), (1,)), CellGenotype(1, ((EdgeOp("y", 0),),), (1,))
    one, other = Architecture("s", {"a": a, "b": b}), Architecture("s", {"b": b, "a": a})
    assert one == other
    assert hash(one) == hash(other)


def test_answers_name_the_decisions() -> None:
    cell = CellGenotype(2, ((EdgeOp("x", 0), EdgeOp("y", 1)), (EdgeOp("z", 2),)), (3,))
    answers = Architecture("s", {"normal": cell}).answers()
    assert answers == {"normal/0->2": "x", "normal/1->2": "y", "normal/2->3": "z"}


@pytest.mark.parametrize(
    ("text", "character", "rest"),
    [
        ("", 1, "'|' to open a node, found the end in ⟨here⟩"),
        ("conv~0|", 1, "'|' to open a node, found 'c' in ⟨here⟩conv~0|"),
        ("|", 2, "'candidate~source|', found the end in |⟨here⟩"),
        ("|conv|", 2, "'candidate~source|', found 'c' in |⟨here⟩conv|"),
        ("|conv~x|", 2, "'candidate~source|', found 'c' in |⟨here⟩conv~x|"),
        ("|conv~0", 2, "'candidate~source|', found 'c' in |⟨here⟩conv~0"),
        ("|conv~٣|", 2, "'candidate~source|', found 'c' in |⟨here⟩conv~٣|"),
        ("|a~0|b", 6, "'candidate~source|', '+' and a node, or the end, found 'b' in |a~0|⟨here⟩b"),
        ("|a~0|+", 7, "'|' to open a node, found the end in |a~0|+⟨here⟩"),
        ("|a~0|+x", 7, "'|' to open a node, found 'x' in |a~0|+⟨here⟩x"),
        ("|a~0|+|", 8, "'candidate~source|', found the end in |a~0|+|⟨here⟩"),
    ],
)
def test_malformed_bars(text: str, character: int, rest: str) -> None:
    message = f"architecture string is malformed at character {character}: expected {rest}"
    with pytest.raises(GenotypeError, match=f"^{re.escape(message)}$"):
        read_bars(text)


NORMAL = "normal=[('a', 0), ('b', 1)], normal_concat=[2]"
REDUCE = "reduce=[('a', 0), ('b', 1)], reduce_concat=range(2, 3)"


def test_darts_genotypes_may_be_laid_out_in_any_way() -> None:
    cell = CellGenotype(2, ((EdgeOp("a", 0), EdgeOp("b", 1)),), (2,))
    text = f" Genotype(\n  {REDUCE},\n  {NORMAL})\n"
    assert read_darts(text) == {"normal": cell, "reduce": cell}
    upto = text.replace("range(2, 3)", "range(3)")
    assert read_darts(upto)["reduce"].output == (0, 1, 2)


@pytest.mark.parametrize(
    ("before", "wrong", "after", "expected"),
    [
        ("normal=", "3", ", normal_concat=[2]", "normal as an even list"),
        ("normal=", "[('a', 0)]", ", normal_concat=[2]", "normal as an even list"),
        ("normal=", "[]", ", normal_concat=[2]", "normal as an even list"),
        ("normal=", "[('a', 0), ('b', '1')]", ", normal_concat=[2]", "normal as an even list"),
        ("normal=", "[(1, 0), ('b', 1)]", ", normal_concat=[2]", "normal as an even list"),
        ("normal=", "[('a', 0, 0), ('b', 1)]", ", normal_concat=[2]", "normal as an even list"),
        ("normal=", "[('a', len('')), ('b', 1)]", ", normal_concat=[2]", "normal as an even"),
        ("normal=[('é', 0), ('b', 1)], normal_concat=", "2", "", "normal_concat as range"),
        ("normal=[('a', 0), ('b', 1)],\n normal_concat=", "len(2)", "", "normal_concat as range"),
        ("normal=[('é', 0),\n('é', 1)], normal_concat=", "range(1, 2, 3)", "", "normal_concat as"),
        ("normal=[('a', 0), ('b', 1)], normal_concat=", "['x']", "", "normal_concat as range"),
    ],
)
def test_malformed_darts_genotypes_are_pointed_at(
    before: str, wrong: str, after: str, expected: str
) -> None:
    start = f"Genotype({before}"
    text = f"{start}{wrong}{after}, {REDUCE})"
    message = f"malformed at character {len(start) + 1}: expected {expected}"
    with pytest.raises(GenotypeError, match=re.escape(message)) as caught:
        read_darts(f"  {text} ")
    assert str(caught.value).endswith(f" in {start}⟨here⟩{wrong}{after}, {REDUCE})")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("Genotype(normal=[", "malformed at character 17: expected '[' was never closed"),
        ("Genotype(\nnormal=[)", "malformed at character 19: expected closing parenthesis"),
        ("Genotype", "a DARTS genotype reads Genotype(normal=[...]"),
        ("Genotype([('a', 0)])", "a DARTS genotype reads Genotype(normal=[...]"),
        ("a.Genotype(x=1)", "a DARTS genotype reads Genotype(normal=[...]"),
        ("Genotype(\0)", "null"),
        (
            f"Genotype({NORMAL})",
            "a DARTS genotype has the fields normal, normal_concat, reduce, reduce_concat",
        ),
        (f"Genotype({NORMAL}, {REDUCE}, **{{}})", "a DARTS genotype has the fields"),
    ],
)
def test_other_malformed_darts_genotypes(text: str, message: str) -> None:
    with pytest.raises(GenotypeError, match=re.escape(message)):
        read_darts(text)


def test_edges_lead_forward_and_outputs_exist() -> None:
    with pytest.raises(
        GenotypeError, match=r"^a leads from node 2 to node 2: the source must be one of 0 to 1$"
    ):
        CellGenotype(2, ((EdgeOp("a", 2),),), (2,))
    with pytest.raises(GenotypeError, match=r"^output nodes \(3,\) must be among 0 to 2$"):
        CellGenotype(2, ((EdgeOp("a", 0),),), (3,))
    with pytest.raises(GenotypeError, match=r"^output nodes \(\) must be among 0 to 2$"):
        CellGenotype(2, ((EdgeOp("a", 0),),), ())


CELL = {"inputs": 1, "nodes": [[["a", 0]]], "output": [1]}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([], "an architecture file holds one JSON object"),
        ({}, "architecture of schema None: this version reads schema 1"),
        ({"schema": 2, "space": "s"}, "architecture of schema 2: this version reads schema 1"),
        ({"schema": 1, "cells": {}}, "architecture file lacks the field 'space'"),
        ({"schema": 1, "space": "s"}, "architecture file lacks the field 'cells'"),
        *(
            (
                {"schema": 1, "space": "s", "cells": {"c": {k: CELL[k] for k in CELL if k != f}}},
                f"architecture file lacks the field '{f}'",
            )
            for f in CELL
        ),
        *(
            (
                {"schema": 1, "space": "s", "cells": {"c": {**CELL, field: value}}},
                'architecture file is malformed: each cell needs "inputs", "nodes"',
            )
            for field, value in (
                ("inputs", "one"),
                ("inputs", float("inf")),
                ("nodes", 3),
                ("nodes", [[["a"]]]),
                ("nodes", [[["a", None]]]),
                ("output", 3),
            )
        ),
        ({"schema": 1, "space": "s", "cells": [CELL]}, "architecture file is malformed"),
        ({"schema": 1, "space": "s", "cells": {"c": {**CELL, "output": [7]}}}, "output nodes"),
    ],
)
def test_malformed_files(content: object, message: str) -> None:
    with pytest.raises(GenotypeError, match=re.escape(message)):
        from_json(content)


def test_further_keys_are_ignored() -> None:
    content = {"schema": 1, "space": "s", "cells": {"c": {**CELL, "color": 1}}, "text": "|a~0|"}
    cell = CellGenotype(1, ((EdgeOp("a", 0),),), (1,))
    assert from_json(content) == Architecture("s", {"c": cell})


def test_what_is_no_json_is_pointed_at() -> None:
    with pytest.raises(GenotypeError, match=r"^not a JSON text: .* at line 2, column 3$"):
        loads("{\n  x: 1}")
