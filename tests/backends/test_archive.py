"""The file of a program from elsewhere is checked before torch loads it: no code of it runs."""

import io
import json
import os
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from archwright.backends import Program, to_program
from archwright.errors import RunError
from archwright.graph import Network
from archwright.spaces import get_space, reference_architecture

from ..strategies import seeded, tiny

Parts = dict[str, bytes]
WEIGHTS = "archive/data/weights/"
LIST = f"{WEIGHTS}model_weights_config.json"
CONSTANTS = "archive/data/constants/model_constants_config.json"
MODEL = "archive/models/model.json"
SAMPLES = "archive/data/sample_inputs/model.pt"


def network() -> Network:
    space, size = get_space("nasbench201"), tiny("nasbench201")
    return space.discrete(reference_architecture(space, size), size)


@pytest.fixture(scope="module")
def good() -> bytes:
    return to_program(seeded(network()).float().eval(), {"classes": "[1]"})


class Touch:
    """Unpickled, it leaves a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


def pickled(path: Path) -> bytes:
    content = io.BytesIO()
    torch.save(Touch(path), content)
    return content.getvalue()


def parts_of(content: bytes) -> Parts:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def packed(parts: Parts, *, compression: int = zipfile.ZIP_STORED) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", compression) as archive:
        for name, part in parts.items():
            archive.writestr(name, part)
    return content.getvalue()


def changed(parts: Parts, name: str, change: Callable[[Any], object]) -> None:
    content = json.loads(parts[name])
    change(content)
    parts[name] = json.dumps(content).encode()


def in_weights(parts: Parts, mark: Path) -> None:
    def change(listed: Any) -> None:
        first = next(iter(listed["config"].values()))
        first["use_pickle"] = True
        parts[WEIGHTS + first["path_name"]] = pickled(mark)

    changed(parts, LIST, change)


def in_constants(parts: Parts, mark: Path) -> None:
    """Objects of a class are unpickled whatever `use_pickle` says."""
    entry = {"path_name": "opaque_obj_0", "is_param": False, "use_pickle": False}
    changed(parts, CONSTANTS, lambda listed: listed["config"].update(x=entry))
    parts["archive/data/constants/opaque_obj_0"] = pickle.dumps(Touch(mark))


def in_legacy_weights(parts: Parts, mark: Path) -> None:
    parts[f"{WEIGHTS}model.pt"] = pickled(mark)


def in_machine_code(parts: Parts, mark: Path) -> None:
    parts["archive/data/aotinductor/model/model.so"] = b"\x7fELF"


def in_guards(parts: Parts, mark: Path) -> None:
    code = f"__import__('os').system('touch {mark}') == 0"
    changed(parts, MODEL, lambda model: model["guards_code"].append(code))


def in_a_size(parts: Parts, mark: Path) -> None:
    def change(model: Any) -> None:
        (value,) = model["graph_module"]["graph"]["sym_int_values"].values()
        value["as_expr"]["expr_str"] = f"__import__('os').system('touch {mark}')"

    changed(parts, MODEL, change)


def in_a_call(parts: Parts, mark: Path) -> None:
    def change(model: Any) -> None:
        node = model["graph_module"]["graph"]["nodes"][0]
        argument = {"name": "command", "arg": {"as_string": f"touch {mark}"}, "kind": 1}
        node |= {"target": "torch.os.system", "inputs": [argument]}

    changed(parts, MODEL, change)


def in_a_name(parts: Parts, mark: Path) -> None:
    """What goes in is named in the Python that torch makes of a graph."""
    text = json.dumps(json.loads(parts[MODEL]))
    name = f"images=__import__('os').system('touch {mark}')"
    parts[MODEL] = text.replace('"name": "images"', f'"name": "{name}"').encode()


def in_a_parameter(parts: Parts, mark: Path) -> None:
    def change(model: Any) -> None:
        first = model["graph_module"]["signature"]["input_specs"][0]["parameter"]
        first["parameter_name"] = f"""a"), __import__('os').system('touch {mark}'), ("b"""

    changed(parts, MODEL, change)


def in_a_treespec(parts: Parts, mark: Path) -> None:
    def change(model: Any) -> None:
        context = {"default_factory_module": "antigravity", "default_factory_name": "fly"}
        spec = {"type": "collections.defaultdict", "context": context, "children_spec": []}
        signature = model["graph_module"]["module_call_graph"][0]["signature"]
        signature["in_spec"] = json.dumps([1, spec])

    changed(parts, MODEL, change)


REFUSED: dict[Callable[[Parts, Path], None], str] = {
    in_weights: r"its tensor '.*' is pickled, and reading it could run code",
    in_constants: r"it contains 'data/constants/opaque_obj_0', which no file of archwright has",
    in_legacy_weights: r"it contains 'data/weights/model\.pt', which no file of archwright has",
    in_machine_code: r"it contains 'data/aotinductor/model/model\.so', which no file of",
    in_guards: r"its guards contain Python code",
    in_a_size: r"its expr_str \"__import__.* is not a plain name",
    in_a_call: r"it calls 'torch\.os\.system', which no network of archwright calls",
    in_a_name: r"its name \"images=__import__.* is not a plain name",
    in_a_parameter: r"its parameter_name .* is not a plain name",
    in_a_treespec: r"its in_spec .* is not a plain name",
}


@pytest.mark.parametrize("spoil", REFUSED, ids=lambda spoil: spoil.__name__)
def test_code_is_refused_before_it_runs(
    good: bytes, tmp_path: Path, spoil: Callable[[Parts, Path], None]
) -> None:
    parts, mark, file = parts_of(good), tmp_path / "PWNED", tmp_path / "evil.pt2"
    spoil(parts, mark)
    file.write_bytes(packed(parts))
    line = rf"evil\.pt2 is refused, and no code of it was run: {REFUSED[spoil]}.*; export it again"
    with pytest.raises(RunError, match=line):
        Program(file)(torch.zeros(1, *network().image))
    assert not mark.exists()


def test_sample_inputs_are_neither_written_nor_read(good: bytes, tmp_path: Path) -> None:
    parts, mark = parts_of(good), tmp_path / "PWNED"
    assert parts[SAMPLES] == b""
    parts[SAMPLES] = pickled(mark)
    assert Program(packed(parts))(torch.zeros(1, *network().image)).shape == (1, 10)
    assert not mark.exists()


def test_a_compressed_archive_is_refused(good: bytes) -> None:
    with pytest.raises(RunError, match="it is compressed, which no file of archwright is"):
        Program(packed(parts_of(good), compression=zipfile.ZIP_DEFLATED))


def test_torch_alone_reads_the_file_and_it_contains_no_path(good: bytes) -> None:
    loaded = torch.export.load(io.BytesIO(good)).module()
    images = torch.zeros(1, *network().image)
    assert torch.equal(loaded(images), Program(good)(images))
    assert b"\x80\x02" not in b"".join(parts_of(good)[name] for name in (MODEL, LIST, CONSTANTS))
    assert all(b"archwright/" not in part for part in parts_of(good).values())
    assert os.sep.encode() + b"naive.py" not in good


@pytest.mark.parametrize("part", [MODEL, LIST, "archive/archive_version"])
def test_a_file_without_a_part_is_not_a_program(good: bytes, part: str) -> None:
    parts = parts_of(good)
    del parts[part]
    with pytest.raises(RunError, match="torch cannot read the program: "):
        Program(packed(parts))
