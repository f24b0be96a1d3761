"""Check of a program's file, so that loading it runs nothing: names, numbers, raw tensors alone.

`torch.export.load` unpickles what a file tells it to, compiles names that stand in it to Python,
and loads machine code. So a file is read here first, and what torch gets is packed anew.
"""

import io
import json
import re
import zipfile
from collections.abc import Mapping
from typing import Any, cast

from archwright.errors import RunError
from archwright.graph import primitive_types

_MODEL = "models/model.json"
_PAYLOADS = {
    "data/weights/model_weights_config.json": ("data/weights/", re.compile(r"weight_\d+")),
    "data/constants/model_constants_config.json": ("data/constants/", re.compile(r"tensor_\d+")),
}
"""Lists of tensors, with the folder and the names of what they may refer to."""
_SAMPLES = "data/sample_inputs/model.pt"
_PLAIN = {"archive_format", "archive_version", "byteorder", ".data/version"}
_LEFT_OUT = {_SAMPLES, ".data/serialization_id"}
"""Parts that nothing is read from."""
_EXTRA = "extra/"

_COMMON = ("sym_size.int", "_assert_tensor_metadata.default", "add.Tensor", "cat.default")
"""Operators of ATen between primitives, each of which names its own."""

_SPECS = ("in_spec", "out_spec")
"""Fields that hold JSON as text: how arguments are nested."""
_SPEC = re.compile(r"null|builtins\.(tuple|list|dict)")
_EXPR = re.compile(r"Symbol\('\w+'(, \w+=True)*\)|[\w *+-]+")
_SLOT = re.compile(r"""[^"'\\\n\r]*""")  # stands in quotes in Python that torch makes
_VERSION = re.compile(r"[\w.+<=-]*")
_FREE = {
    "expr_str": _EXPR,  # evaluated by sympy
    **dict.fromkeys(_SPECS, _SPEC),
    "torch_version": _VERSION,
    **dict.fromkeys(("parameter_name", "buffer_name", "tensor_name", "fqn"), _SLOT),
}
"""Texts that are more than an identifier, by the field that they stand in."""


def checked(content: bytes) -> bytes:
    """Return the archive of a program, without sample inputs, packed anew of what was looked at.

    Raises:
        RunError: something in it would or could run code when it is loaded (it is named).
        zipfile.BadZipFile, KeyError, TypeError, ValueError: it is no such archive.
    """
    parts = _parts(content)
    for name in parts:
        known = name in {_MODEL, *_PAYLOADS, *_PLAIN} or name.startswith(_EXTRA)
        if not known and not any(
            name.startswith(folder) and file.fullmatch(name.removeprefix(folder))
            for folder, file in _PAYLOADS.values()
        ):
            raise RunError(f"it holds {name!r}, which no file of archwright has")
    for config, (_, file) in _PAYLOADS.items():
        _require_raw(json.loads(parts[config]), file)
    model = json.loads(parts[_MODEL])
    for node in model["graph_module"]["graph"]["nodes"]:
        node["metadata"] = {}  # of what was once traced: of no use to who runs it
    names = {*_COMMON, *(name for kind in primitive_types().values() for name in kind.aten)}
    _require_plain(model, frozenset(f"torch.ops.aten.{name}" for name in names))
    parts |= {_MODEL: json.dumps(model).encode(), _SAMPLES: b""}
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, part in parts.items():
            archive.writestr(f"archive/{name}", part)
    return packed.getvalue()


def _parts(content: bytes) -> dict[str, bytes]:
    """Return the parts of the archive by name within its folder, but for those never read."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        entries = archive.infolist()
        inner = [entry.filename.partition("/")[2] for entry in entries]
        if any(entry.compress_type != zipfile.ZIP_STORED for entry in entries):
            raise RunError("it is compressed, which no file of archwright is")
        return {
            name: archive.read(entry)
            for name, entry in zip(inner, entries, strict=True)
            if name not in _LEFT_OUT
        }


def _require_raw(listed: Mapping[str, Any], file: re.Pattern[str]) -> None:
    """Check that every tensor of a list is numbers, and none is pickled."""
    for name, entry in listed["config"].items():
        if entry["use_pickle"] is not False or not file.fullmatch(entry["path_name"]):
            raise RunError(f"its tensor {name!r} is pickled, and reading it could run code")


def _require_plain(value: object, operators: frozenset[str], field: str = "") -> None:
    """Check that no text in a program's description could be anything but what it should be.

    `operators` are those that it may call; `field` is the name that the value stands under.
    """
    if isinstance(value, dict):
        for name, inner in cast("dict[str, object]", value).items():
            _require_plain(name, operators)
            _require_plain(inner, operators, field if field in _SPECS else name)
    elif isinstance(value, list):
        if field == "guards_code" and value:
            raise RunError("it holds Python code in its guards")
        for inner in cast("list[object]", value):
            _require_plain(inner, operators, field)
    elif isinstance(value, str):
        if field == "target":
            if value not in operators:
                raise RunError(f"it calls {value!r}, which no network of archwright does")
        elif field in _SPECS and value.startswith("["):
            _require_plain(json.loads(value), operators, field)
        elif not (_FREE[field].fullmatch(value) if field in _FREE else value.isidentifier()):
            raise RunError(f"its {field or 'name'} {value!r} is no plain name")
