"""Spaces that users declare in a file: found, used, and told in one line what is wrong."""

import json
import os
import py_compile
import re
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest

from archwright.errors import ConfigError, GenotypeError, GraphError
from archwright.graph import Origin
from archwright.spaces import (
    EdgeSpec,
    Size,
    Staged,
    dense_cell,
    get_space,
    named_space,
    read_architecture,
    reference_architecture,
    space_of,
    write_architecture,
)
from archwright.spaces.discretise import random_architecture

from ..strategies import user_space

SIZE = Size(channels=4, cells=1, image_size=8)
HEADER = """
from archwright.graph import Chain, Conv, ReLU, chain
from archwright.spaces import Size, Space, Staged, dense_cell
from archwright.spaces import operations as op
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
    assert space.origin == Origin("mine.py", sha256(file.read_bytes()).hexdigest())
    monkeypatch.chdir(file.parent)
    assert get_space("mine.py") is space
    assert len(space.supernet(SIZE).decisions()) == 3
    for seed in range(5):
        found = random_architecture(space, SIZE, np.random.default_rng(seed))
        assert found.origin == space.origin
        assert read_architecture(write_architecture(found), space) == found
    reference = reference_architecture(space, SIZE)
    assert reference.answers() == {"cell/0->1": "wide", "cell/0->2": "none", "cell/1->2": "point"}
    assert read_architecture(f"{file}:|wide~0|+|none~0|point~1|", space) == reference
    assert read_architecture("mine:|wide~0|+|none~0|point~1|", space) == reference
    assert read_architecture(write_architecture(reference), space) == reference


def mark_when_run(file: Path) -> Path:
    """A file that declares a space, and leaves another file whenever it runs."""
    mark = file.with_name("RAN")
    file.write_text(f"open({str(mark)!r}, 'w').close()\n{HEADER}{GOOD}")
    return mark


CELL = "|wide~0|+|none~0|point~1|"


def test_no_text_and_no_file_runs_python(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(file.parent)
    mark = mark_when_run(file)
    architecture = reference_architecture(get_space("mine.py"), SIZE)
    mark.unlink()
    digest = sha256(file.read_bytes()).hexdigest()
    written = write_architecture(architecture)
    assert written == f"mine.py@{digest[:12]}:cell={CELL}"
    held = {"file": "mine.py", "sha256": digest}
    assert architecture.to_json()["origin"] == held
    allowed = "a Python file runs only where the command names it: add --space mine.py$"
    for text in (written, f"mine.py:{CELL}", f"{file}:{CELL}", f"{written} without cell0:2"):
        with pytest.raises(GenotypeError, match=rf"of the space in mine\.py.*, and {allowed}"):
            read_architecture(text)
    stored = file.with_name("architecture.json")
    stored.write_text(json.dumps(architecture.to_json()))
    with pytest.raises(GenotypeError, match=rf"in mine\.py@{digest[:12]}, and {allowed}"):
        space_of(read_architecture(str(stored)))
    for name in ("mine.py", str(file), "mine"):
        stored.write_text(json.dumps({**architecture.to_json(), "origin": None, "space": name}))
        with pytest.raises(GenotypeError, match=r"unknown space '.*mine"):
            space_of(read_architecture(str(stored)))
    for origin in (str(file), {"file": "mine.py"}, [str(file)]):
        stored.write_text(json.dumps({**architecture.to_json(), "origin": origin}))
        with pytest.raises(
            GenotypeError, match=r"architecture file (is malformed|lacks the field)"
        ):
            read_architecture(str(stored))
    assert not mark.exists()


def test_a_command_names_a_file_by_itself_or_in_a_notation(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(file.parent)
    file.write_text(HEADER + GOOD)
    space = get_space("mine.py")
    for text in (f"mine.py:{CELL}", write_architecture(reference_architecture(space, SIZE))):
        assert named_space(None, text) is space
    assert named_space("mine.py", "a-run") is space
    assert named_space(None, "a-run") is None
    assert named_space(None, "mine.py") is None


def test_an_edited_file_is_refused(file: Path) -> None:
    file.write_text(HEADER + GOOD)
    before = reference_architecture(get_space(str(file)), SIZE)
    file.write_text(HEADER + GOOD.replace("op.conv(5)", "op.conv(3)"))
    edited = get_space(str(file))
    line = rf"^mine\.py was edited, or is another file: .* is of {before.origin}, and this is"
    with pytest.raises(GenotypeError, match=line):
        space_of(before, edited)
    with pytest.raises(GenotypeError, match=line):
        read_architecture(write_architecture(before), edited)
    renamed = file.rename(file.with_name("other.py"))
    renamed.write_text(HEADER + GOOD)
    assert space_of(before, get_space(str(renamed))).name == "mine"


def test_a_space_that_an_architecture_is_not_of(file: Path) -> None:
    file.write_text(HEADER + GOOD)
    mine, darts = get_space(str(file)), get_space("darts")
    with pytest.raises(GenotypeError, match=r"is of space darts, not mine: leave --space mine out"):
        space_of(read_architecture("darts-v2"), mine)
    with pytest.raises(
        GenotypeError, match=r"in mine\.py@.*, not of darts: give --space mine\.py$"
    ):
        space_of(reference_architecture(mine, SIZE), darts)
    with pytest.raises(
        GenotypeError, match=r"in other\.py, not of mine\.py@.*: give --space other"
    ):
        read_architecture(f"other.py:{CELL}", mine)


def test_what_was_compiled_before_does_not_run(file: Path) -> None:
    """Python itself takes what lies in __pycache__, if size and date of the source are the same."""
    mark = mark_when_run(file)
    py_compile.compile(str(file), doraise=True)
    stat = file.stat()
    file.write_text((HEADER + GOOD).ljust(stat.st_size))
    os.utime(file, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert get_space(str(file)).name == "mine"
    assert not mark.exists()


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
