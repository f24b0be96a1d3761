"""A package adds a primitive and a format without a change of archwright."""

import json
import os
import subprocess
import sys
from pathlib import Path

PRIMITIVE = """
from dataclasses import dataclass
from torch import nn
from archwright.graph import Primitive, register_primitive


class Half(nn.Module):
    def forward(self, x):
        return x / 2


@register_primitive("halve")
@dataclass(frozen=True)
class Halve(Primitive):
    aten = ("div.Tensor",)

    def out_shape(self, shape):
        return shape

    @property
    def linear(self):
        return True

    def build(self):
        return Half()

    def to_onnx(self, graph, x, shape, state):
        return graph.node("Mul", [x, graph.constant(0.5)])

    def label(self):
        return "half"
"""

BACKEND = """
from archwright.backends import Backend, Session, to_onnx

MAGIC = b"toyware"


class Toy(Backend):
    name = "toy"
    suffix = ".toy"
    runtime = "onnxruntime"

    def write(self, request):
        return MAGIC + to_onnx(request.module, request.metadata)

    def open(self, content, *, threads, device):
        content = content if isinstance(content, bytes) else content.read_bytes()
        return Session(content.removeprefix(MAGIC), threads=threads)
"""

SPACE = """
import archwright as aw
from archwright.graph import BatchNorm, Conv, ReLU, chain
from toyware.ops import Halve


def half_conv(site):
    conv = Conv(site.c_in, site.c_out, 3, site.stride)
    return chain(ReLU(), Halve(), conv, BatchNorm(site.c_out, site.affine))


space = aw.Space(
    name="toys",
    candidates={"skip": aw.ops.skip, "half_conv": half_conv},
    skeleton=aw.Staged(aw.dense_cell(2, keep=1), multipliers=(1,)),
    search_size=(4, 1),
    train_size=(4, 1),
)
"""

SCRIPT = """
import contextlib, io, json, sys
from archwright.cli import main

assert "toyware.files" not in sys.modules and "torch" not in sys.modules
shown = io.StringIO()
with contextlib.redirect_stdout(shown):
    assert main(["export", "--help"]) == 0
assert "toy" in shown.getvalue() and "torch" not in sys.modules

from archwright.graph import primitive_types
from toyware.ops import Halve

assert primitive_types()["halve"] is Halve


def run(*words):
    told = io.StringIO()
    with contextlib.redirect_stdout(told):
        code = main([*words, "--json"])
    assert code == 0, words
    return json.loads(told.getvalue())


sizes = "--data digits --limit 64 --test-limit 32 --batch-size 32 --epochs 1 --device cpu".split()
run("search", "--space", "toys.py", *sizes, "--out", "found")
small = "--channels 4 --cells 1 --auxiliary 0".split()
network = "toys.py:cell=|half_conv~0|+|half_conv~1|"
trained = run("train", "--architecture", network, *sizes, *small, "--out", "run")
asked = ["--space", "toys.py"]
files = [
    run("export", "run", *asked, "--format", form, "--out", out, "--repeats", "1")
    for form, out in (("toy", "a.toy"), ("onnx", "a.onnx"), ("torch", "a.pt2"))
]
scores = [run("evaluate", name["file"], "--test-limit", "32") for name in files]
print(json.dumps({"trained": trained, "files": files, "scores": scores}))
"""


def test_a_primitive_and_a_format_of_another_package(tmp_path: Path) -> None:
    package, info = tmp_path / "toyware", tmp_path / "toyware-1.dist-info"
    package.mkdir()
    info.mkdir()
    (package / "__init__.py").touch()
    (package / "ops.py").write_text(PRIMITIVE)
    (package / "files.py").write_text(BACKEND)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: toyware\nVersion: 1\n")
    (info / "entry_points.txt").write_text(
        "[archwright.primitives]\nhalve = toyware.ops:Halve\n"
        "[archwright.backends]\ntoy = toyware.files:Toy\n"
    )
    (tmp_path / "toys.py").write_text(SPACE)
    path = os.pathsep.join([str(tmp_path), *sys.path])
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert [file["format"] for file in found["files"]] == ["toy", "onnx", "torch"]
    assert max(file["deviation"] for file in found["files"]) <= 1e-5
    assert found["files"][0]["bytes"] == found["files"][1]["bytes"] + len(b"toyware")
    assert found["files"][0]["runtime"].startswith("onnxruntime ")
    assert [score["kind"] for score in found["scores"]] == ["toy", "onnx", "torch"]
    assert {score["top1"] for score in found["scores"]} == {found["trained"]["top1"]}
