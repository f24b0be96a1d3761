"""Architectures as text: everything that is written is read, and errors name what is wrong."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archwright.errors import ConfigError, GenotypeError
from archwright.graph import Architecture, CellGenotype, EdgeOp
from archwright.spaces import (
    PUBLISHED,
    SPACES,
    CellSpec,
    EdgeSpec,
    Size,
    Staged,
    get_space,
    read_architecture,
    reference_architecture,
    write_architecture,
)
from archwright.spaces.discretise import is_connected

from ..strategies import ALL_SPACES, any_space, architectures, tiny

NB201 = "|nor_conv_3x3~0|+|none~0|skip_connect~1|+|none~0|none~1|avg_pool_3x3~2|"


@pytest.mark.parametrize("name", SPACES)
@settings(max_examples=30)
@given(data=st.data())
def test_every_architecture_is_read_as_it_was_written(name: str, data: st.DataObject) -> None:
    space = get_space(name)
    architecture = data.draw(architectures(space))
    assert read_architecture(write_architecture(architecture)) == architecture


def test_spos_is_read_at_any_depth() -> None:
    space = get_space("spos")
    for blocks in (5, 25):
        size = Size(channels=8, cells=blocks)
        reference = reference_architecture(space, size)
        assert read_architecture(write_architecture(reference)) == reference
        space.check(reference, size)


@pytest.mark.parametrize("name", ALL_SPACES)
def test_references_belong_to_their_space(name: str) -> None:
    space, size = any_space(name), tiny(name)
    reference = reference_architecture(space, size)
    space.check(reference, size)
    assert is_connected(space, reference, size)
    plain = reference_architecture(replace(space, reference=""), size)
    space.check(plain, size)
    assert space.null not in plain.answers().values()


def test_published_names() -> None:
    for name, text in PUBLISHED.items():
        found = read_architecture(name)
        assert write_architecture(found) == text
        get_space("darts").check(found, Size(channels=4, cells=3))


def test_files_and_run_folders_are_read(tmp_path: Path) -> None:
    architecture = read_architecture(NB201)
    path = tmp_path / "architecture.json"
    path.write_text(json.dumps(architecture.to_json()))
    assert read_architecture(str(path)) == read_architecture(str(tmp_path)) == architecture
    assert read_architecture(f" {path}\n") == architecture


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    binary = tmp_path / "weights"
    binary.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(GenotypeError, match="weights is not an architecture file: it is not text"):
        read_architecture(str(binary))
    broken = tmp_path / "a.json"
    broken.write_text("{")
    with pytest.raises(GenotypeError, match=re.escape(f"{broken}: not a JSON text")):
        read_architecture(str(broken))
    for missing in (f"{tmp_path}/none", "missing.json", f"{tmp_path}"):
        with pytest.raises(GenotypeError, match=r"no architecture at .*: give a file, a run fold"):
            read_architecture(missing)
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(GenotypeError, match=r"has no architecture yet: finish its run with --resu"):
        read_architecture(str(tmp_path))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("darts-v3", "unknown architecture 'darts-v3': did you mean 'darts-v2'?"),
        ("|none~0|", "a NAS-Bench-201 string has three nodes with edges from 0; 0, 1; and 0, 1, 2"),
        (NB201.replace("~2", "~1"), "got sources [[0], [0, 1], [0, 1, 1]]"),
        (
            NB201.replace("skip_connect", "conv"),
            "character 26: unknown operation 'conv': ",
        ),
        ("spos:stage=|shuffle_3x3~0|", "unknown cell kind of space spos 'stage'"),
        ("spos:block0=|x~0|;block0=|x~0|", "cell kind block0 is given twice"),
        ("spos:block0=|x~|", "malformed at character 2"),
    ],
)
def test_texts_that_cannot_be_read(text: str, message: str) -> None:
    with pytest.raises(GenotypeError, match=re.escape(message)):
        read_architecture(text)


def test_a_text_too_long_to_be_a_name_of_a_file() -> None:
    with pytest.raises(GenotypeError, match=r"^unknown architecture 'xxx"):
        read_architecture("x" * 5000)


def test_a_text_of_an_unknown_space() -> None:
    with pytest.raises(ConfigError, match="unknown space 'dart': did you mean 'darts'"):
        read_architecture("dart:cell=|x~0|")


SMALL = Size(channels=4, cells=3)


def darts(**changes: CellGenotype) -> Architecture:
    return Architecture("darts", {**read_architecture("darts-v2").cells, **changes})


NORMAL = read_architecture("darts-v2").cells["normal"]


def first_node(*picks: EdgeOp) -> CellGenotype:
    return replace(NORMAL, nodes=(picks, *NORMAL.nodes[1:]))


@pytest.mark.parametrize(
    ("architecture", "message"),
    [
        (read_architecture(NB201), "the architecture is of space nasbench201, not darts"),
        (
            Architecture("darts", {"normal": NORMAL}),
            "space darts decides 2 kind(s) of cells at cells=3 (normal, reduce), "
            "the architecture 1 (normal)",
        ),
        (
            darts(normal=CellGenotype(2, NORMAL.nodes[:2], (3,))),
            "a normal cell of darts has 2 inputs and 4 nodes, the architecture 2 and 2",
        ),
        (
            darts(normal=first_node(EdgeOp("skip_connect", 0), EdgeOp("none", 0))),
            "the edge 0->2 of normal is given twice",
        ),
        (
            darts(normal=first_node(EdgeOp("sep_conv_3x3", 0), EdgeOp("sep_conv_3x4", 1))),
            "normal, edge 1->2: unknown operation 'sep_conv_3x4': did you mean 'sep_conv_3x3'?",
        ),
        (
            darts(normal=first_node(EdgeOp("skip_connect", 0))),
            "node 2 of a normal cell of darts takes 2 edges, the architecture gives it 1",
        ),
    ],
)
def test_architectures_that_do_not_belong(architecture: Architecture, message: str) -> None:
    space = get_space("darts")
    with pytest.raises(GenotypeError, match=f"^{re.escape(message)}"):
        space.check(architecture, SMALL)
    with pytest.raises(GenotypeError, match=f"^{re.escape(message)}"):
        space.discrete(architecture, SMALL)


def test_an_edge_that_the_space_does_not_have() -> None:
    spec = CellSpec(1, 2, (EdgeSpec(0, 1), EdgeSpec(0, 2)), (1, 2))
    space = replace(any_space("user"), skeleton=Staged(spec, kind="knot"))
    cell = CellGenotype(1, ((EdgeOp("square", 0),), (EdgeOp("pool", 1),)), (1, 2))
    with pytest.raises(GenotypeError, match=r"^knot cells of user have no edge 1->2$"):
        space.check(Architecture("user", {"knot": cell}), tiny("user"))


def test_many_kinds_are_listed_shortly() -> None:
    space = get_space("spos")
    short = reference_architecture(space, Size(channels=8, cells=4))
    message = (
        "space spos decides 20 kind(s) of cells at cells=20 (block0 to block19), "
        "the architecture 4 (block0, block1, block2, block3)"
    )
    with pytest.raises(GenotypeError, match=re.escape(message)):
        space.check(short, Size(channels=8, cells=20))
