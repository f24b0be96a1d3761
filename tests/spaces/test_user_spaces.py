"""Spaces that users declare in a file: found, used, and told in one line what is wrong."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from archwright.derive import random_architecture
from archwright.errors import ConfigError, GraphError
from archwright.spaces import (
    EdgeSpec,
    Size,
    Staged,
    dense_cell,
    get_space,
    read_architecture,
    reference_architecture,
    write_architecture,
)

from ..strategies import user_space

SIZE = Size(channels=4, cells=1, image_size=8)
HEADER = """
from archwright.ir import Chain, Conv, ReLU, chain
from archwright.spaces import Size, Space, Staged, dense_cell, operations as op
"""
GOOD = """
space = Space(
    name="mine",
    candidates={"none": op.none, "wide": op.conv(5), "point": lambda site: chain(
        ReLU(), Conv(site.c_in, site.c_out, 1, site.stride))},
    skeleton=Staged(dense_cell(2), multipliers=(1, 2)),
    reference="cell=|wide~0|+|none~0|point~1|",
)
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "mine.py"


def declare(file: Path, candidate: str, name: str = "odd") -> str:
    """A file whose space has a candidate that is written as given, beside a sound one."""
    file.write_text(
        f"{HEADER}{candidate}\n"
        f"space = Space(name='mine', candidates={{'skip': op.skip, {name!r}: odd}}, "
        f"skeleton=Staged(dense_cell(2)))\n"
    )
    return str(file)


def test_a_declared_space_is_used_like_any_other(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file.write_text(HEADER + GOOD)
    space = get_space(str(file))
    assert space.origin == str(file)
    monkeypatch.chdir(file.parent)
    assert get_space("mine.py") is space
    assert len(space.supernet(SIZE).decisions()) == 3
    for seed in range(5):
        found = random_architecture(space, SIZE, np.random.default_rng(seed))
        assert found.origin == str(file)
        assert read_architecture(write_architecture(found)) == found
    reference = reference_architecture(space, SIZE)
    assert reference.answers() == {"cell/0->1": "wide", "cell/0->2": "none", "cell/1->2": "point"}
    assert read_architecture(f"{file}:|wide~0|+|none~0|point~1|") == reference
    assert read_architecture(write_architecture(reference)) == reference


@pytest.mark.parametrize(
    ("candidate", "message"),
    [
        (
            "odd = lambda site: Conv(site.c_in, site.c_out + 1, 1)",
            "cell0: edge 0->1: the candidates of cell/0->1 disagree: 4x8x8 by skip; 5x8x8 by odd",
        ),
        (
            "odd = lambda site: chain(ReLU(), Conv(9, site.c_out, 1))",
            "cell0: edge 0->1: cell/0->1, candidate odd: module 1 (pw): pw takes 9 channels, got 4",
        ),
        (
            "odd = lambda site: site.width",
            "cell0/0->1, candidate odd: AttributeError: 'Site' object has no attribute 'width'",
        ),
        ("odd = lambda site: 1 / 0", "cell0/0->1, candidate odd: ZeroDivisionError: division by"),
        (
            "odd = lambda: ReLU()",
            "cell0/0->1, candidate odd: TypeError: <lambda>() takes 0 positional arguments",
        ),
        (
            "odd = lambda site: Conv(site.c_in, site.c_out, 1, groups=3)",
            "cell0/0->1, candidate odd: 4 -> 4 channels do not divide into 3 groups",
        ),
        ("odd = lambda site: 7", "cell0/0->1, candidate odd: 7 (int) is no expression: build it"),
        ("odd = lambda site: None", "cell0/0->1, candidate odd: None (NoneType) is no expression"),
        (
            "odd = lambda site: chain(ReLU(), 'conv')",
            "cell0/0->1, candidate odd: 'conv' (str) is no expression: build it",
        ),
        ("odd = 3", "cell0/0->1, candidate odd: TypeError: 'int' object is not callable"),
    ],
)
def test_a_bad_candidate_is_named(file: Path, candidate: str, message: str) -> None:
    space = get_space(declare(file, candidate))
    with pytest.raises(GraphError, match=f"^{re.escape(message)}") as caught:
        space.supernet(SIZE)
    assert "\n" not in str(caught.value)


def test_a_cell_that_does_not_fit_its_skeleton() -> None:
    wrong = replace(user_space(), skeleton=Staged(dense_cell(1, inputs=2)))
    message = "^a cell cell of user is declared with 2 inputs, its skeleton gives it 1$"
    with pytest.raises(ConfigError, match=message):
        wrong.supernet(SIZE)


@pytest.mark.parametrize("name", ["conv 1", "a|b", "a~b", "a+b", "a;b", "a:b", "a.b", ""])
def test_a_candidate_name_that_cannot_be_written(file: Path, name: str) -> None:
    path = declare(file, "odd = op.skip", name)
    with pytest.raises(ConfigError, match=f"^candidate {re.escape(repr(name))} of space mine: "):
        get_space(path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("def (", "{file} cannot be run: SyntaxError: "),
        ("import nothing_of_that_name", "{file} cannot be run: ModuleNotFoundError: No module"),
        ("space = 1 / 0", "{file} cannot be run: ZeroDivisionError: division by zero"),
        ("raise SystemExit(3)", "{file} cannot be run: SystemExit: 3"),
        ("thing = 3", "{file} declares no space: assign an archwright.spaces.Space to `space`"),
        ("space = 'darts'", "{file} declares no space: assign an archwright.spaces.Space"),
        (GOOD.replace('"mine"', '"darts"'), "{file} declares a space 'darts', a name that is tak"),
        ("space = Space(name='mine', candidates={}, skeleton=None)", "space mine declares no cand"),
    ],
)
def test_files_that_declare_no_space(file: Path, text: str, message: str) -> None:
    file.write_text(HEADER + text)
    with pytest.raises(ConfigError, match=f"^{re.escape(message.format(file=file))}"):
        get_space(str(file))


def test_spaces_that_do_not_exist(tmp_path: Path) -> None:
    missing = tmp_path / "missing.py"
    with pytest.raises(ConfigError, match=f"^no file {re.escape(str(missing))} to read a space"):
        get_space(str(missing))
    with pytest.raises(ConfigError, match=r"^unknown space 'nasbench': did you mean 'nasbench201'"):
        get_space("nasbench")
    with pytest.raises(ConfigError, match=r"or give a Python file that declares one$"):
        get_space("zzz")


def test_an_edge_with_an_unknown_candidate() -> None:
    cell = replace(dense_cell(1), edges=(EdgeSpec(0, 1, ("points",)),))
    wrong = replace(user_space(), skeleton=Staged(cell))
    with pytest.raises(ConfigError, match=r"^cell0/0->1: unknown candidate 'points': did you mean"):
        wrong.supernet(SIZE)
