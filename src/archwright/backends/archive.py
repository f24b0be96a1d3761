"""Security check of program files: only names, numbers and raw tensors, so loading runs no code.

`torch.export.load` unpickles objects that a file names, compiles names in the file to Python, and
loads machine code. So the file is read here first, and torch gets an archive that is packed again
from the checked parts.
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
"""Lists of tensors, each with the folder and the file names that it may refer to."""
_SAMPLES = "data/sample_inputs/model.pt"
_PLAIN = {"archive_format", "archive_version", "byteorder", ".data/version"}
_LEFT_OUT = {_SAMPLES, ".data/serialization_id"}
"""Parts that are never read."""
_EXTRA = "extra/"

_COMMON = ("sym_size.int", "_assert_tensor_metadata.default", "add.Tensor", "cat.default")
"""ATen operators that stand between primitives; each primitive names its own operators."""

_SPECS = ("in_spec", "out_spec")
"""Fields that hold JSON as text: the nesting of the arguments."""
_SPEC = re.compile(r"null|builtins\.(tuple|list|dict)")
_EXPR = re.compile(r"Symbol\('\w+'(, \w+=True)*\)|[\w *+-]+")
_SLOT = re.compile(r"""[^"'\\\n\r]*""")  # torch puts it in quotes in generated Python code
_VERSION = re.compile(r"[\w.+<=-]*")
_FREE = {
    "expr_str": _EXPR,  # evaluated by sympy
    **dict.fromkeys(_SPECS, _SPEC),
    "torch_version": _VERSION,
    **dict.fromkeys(("parameter_name", "buffer_name", "tensor_name", "fqn"), _SLOT),
}
"""Patterns of the texts that are not plain identifiers, by the name of their field."""


def sanitise(content: bytes) -> bytes:
    """Check the archive of a program, and pack the checked parts again, without sample inputs.

    Raises:
        RunError: a part would or could run code when it is loaded (the part is named).
        zipfile.BadZipFile, KeyError, TypeError, ValueError: it is not an archive of a program.
    """
    parts = _parts(content)
    for name in parts:
        known = name in {_MODEL, *_PAYLOADS, *_PLAIN} or name.startswith(_EXTRA)
        if not known and not any(
            name.startswith(folder) and file.fullmatch(name.removeprefix(folder))
            for folder, file in _PAYLOADS.values()
        ):
            raise RunError(f"it contains {name!r}, which no file of archwright has")
    for config, (_, file) in _PAYLOADS.items():
        _require_raw(json.loads(parts[config]), file)
    model = json.loads(parts[_MODEL])
    for node in model["graph_module"]["graph"]["nodes"]:
        node["metadata"] = {}  # describes the traced code; running the program does not need it
    names = {*_COMMON, *(name for kind in primitive_types().values() for name in kind.aten)}
    _require_plain(model, frozenset(f"torch.ops.aten.{name}" for name in names))
    parts |= {_MODEL: json.dumps(model).encode(), _SAMPLES: b""}
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, part in parts.items():
            archive.writestr(f"archive/{name}", part)
    return packed.getvalue()


def _parts(content: bytes) -> dict[str, bytes]:
    """Return the parts of the archive, except those never read, by name within its folder."""
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


def _require_raw(tensors: Mapping[str, Any], file: re.Pattern[str]) -> None:
    """Check that every tensor of a list is stored as raw numbers, and none is pickled."""
    for name, entry in tensors["config"].items():
        if entry["use_pickle"] is not False or not file.fullmatch(entry["path_name"]):
            raise RunError(f"its tensor {name!r} is pickled, and reading it could run code")


def _require_plain(value: object, operators: frozenset[str], field: str = "") -> None:
    """Check every text in the description of a program against the pattern of its field.

    `operators` are the operators that the program may call; `field` is the name of the field that
    holds the value.
    """
    if isinstance(value, dict):
        for name, inner in cast("dict[str, object]", value).items():
            _require_plain(name, operators)
            _require_plain(inner, operators, field if field in _SPECS else name)
    elif isinstance(value, list):
        if field == "guards_code" and value:
            raise RunError("its guards contain Python code")
        for inner in cast("list[object]", value):
            _require_plain(inner, operators, field)
    elif isinstance(value, str):
        if field == "target":
            if value not in operators:
                raise RunError(f"it calls {value!r}, which no network of archwright calls")
        elif field in _SPECS and value.startswith("["):
            _require_plain(json.loads(value), operators, field)
        elif not (_FREE[field].fullmatch(value) if field in _FREE else value.isidentifier()):
            raise RunError(f"its {field or 'name'} {value!r} is not a plain name")
