"""The network of a run is exported to a file with equal logits, a model card and a latency."""

import json
import shutil
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnx
import pytest

import archwright as aw
from archwright.backends import get_backend, open_exported
from archwright.deployment.config import EvaluateConfig, ExportConfig
from archwright.deployment.evaluate import evaluate
from archwright.deployment.export import ExportResult, export, export_network
from archwright.engine.runs.folder import RunFolder
from archwright.errors import ArchwrightError, ConfigError, DataError, RunError
from archwright.report import write_report

from .helpers import copy, images

QUICK: dict[str, Any] = {"repeats": 5}


def exported(run: Path, out: Path, **options: Any) -> ExportResult:
    return export(ExportConfig(run=run, out=out, **QUICK, **options))


def score(file: Path, **options: Any) -> tuple[float, float | None]:
    found = evaluate(EvaluateConfig(file=file, device="cpu", **options)).score
    return found.headline, found.loss


def test_an_onnx_file_is_scored_as_the_run_is(trained: Path, tmp_path: Path) -> None:
    file = tmp_path / "new" / "network.onnx"
    result = exported(trained, file)
    top1, loss = score(trained)
    assert score(file, test_limit=96) == (top1, pytest.approx(loss, abs=1e-5))
    config = json.loads((trained / "config.json").read_text())
    _, card = open_exported(file)
    assert card.classes == tuple(config["classes"])
    assert (list(card.mean), list(card.std)) == (config["mean"], config["std"])
    assert (card.image_channels, card.image_size, card.data) == (1, 8, "digits")
    assert (card.space, card.channels, card.cells, card.weights) == ("darts", 4, 3, "float32")
    assert card.version == aw.__version__
    assert card.architecture == result.architecture
    assert aw.read_architecture(card.architecture) == aw.read_architecture("darts-v2")


def test_the_result_says_what_was_measured(trained: Path, tmp_path: Path) -> None:
    file = tmp_path / "a.onnx"
    result = exported(trained, file, threads=2, batch_size=3)
    finished = RunFolder(trained).result()
    assert finished is not None
    assert (result.params, result.macs) == (finished["params"], finished["macs"])
    assert result.size_mb == pytest.approx(4e-6 * result.params)
    assert result.bytes == file.stat().st_size
    assert 0 <= result.deviation <= 1e-5
    assert result.latency_ms > 0
    assert result.latency_spread_ms >= 0
    assert (result.repeats, result.threads, result.batch_size) == (5, 2, 3)
    assert result.runtime == get_backend("onnx").runtime_version()
    content = result.to_json()
    assert not {"top1", "macs_unpruned", "latency_ms_float32", "noted"} & set(content)
    assert json.loads(json.dumps(content))["file"] == str(file)
    assert RunFolder(trained).log.last("export") == content
    assert f"<th>{file.name}</th>" in write_report([trained]).read_text()


def test_the_log_of_a_run_that_goes_on_is_left_alone(trained: Path, tmp_path: Path) -> None:
    folder = copy(trained, tmp_path / "run")
    (folder.path / "log.jsonl").write_text('{"event": "start"}\n')
    result = exported(folder.checkpoint("best"), tmp_path / "a.onnx")
    assert result.noted is None
    assert folder.log.records() == [{"event": "start"}]


@pytest.mark.parametrize("method", ["darts", "pc-darts"])
def test_the_network_of_a_search(
    searched: Callable[[str], Path], tmp_path: Path, method: str
) -> None:
    run, file = searched(method), tmp_path / "a.onnx"
    assert exported(run, file).deviation <= 1e-5
    top1, loss = score(run)
    assert score(file, test_limit=96) == (top1, pytest.approx(loss, abs=1e-5))


def test_a_pruned_network_is_timed_beside_the_whole_one(
    pruned: Path, trained: Path, tmp_path: Path
) -> None:
    result = export_network(pruned, tmp_path / "a.onnx")
    whole = RunFolder(trained).result()
    assert whole is not None
    assert result.macs_unpruned == whole["macs"]
    assert result.macs < 0.8 * whole["macs"]
    assert result.latency_ms_unpruned is not None
    assert result.latency_ms_unpruned > 0
    assert " without " in result.architecture
    assert score(tmp_path / "a.onnx", test_limit=96)[0] == score(pruned)[0]


@pytest.mark.parametrize(
    ("name", "options"),
    [("a.onnx", {"weights": "int8", "calibration": 64}), ("a.pt2", {"format": "torch"})],
)
def test_every_format_and_type(
    pruned: Path, trained: Path, tmp_path: Path, name: str, options: dict[str, Any]
) -> None:
    result = exported(pruned, tmp_path / name, **options)
    whole = RunFolder(trained).result()
    assert whole is not None
    assert result.macs_unpruned == whole["macs"]
    assert result.latency_ms_unpruned is not None
    assert result.latency_ms_unpruned > 0
    assert (result.latency_ms_float32 is None) == (result.weights == "float32")
    assert " without " in open_exported(tmp_path / name)[1].architecture


def test_a_program_of_torch(trained: Path, tmp_path: Path) -> None:
    file = tmp_path / "a.pt2"
    result = exported(trained, file, format="torch")
    assert result.runtime.startswith("torch ")
    assert result.deviation <= 1e-5
    top1, loss = score(trained)
    assert score(file, test_limit=96) == (top1, pytest.approx(loss, abs=1e-5))
    assert open_exported(file)[1].classes == tuple("0123456789")


def test_int8_stands_beside_float32(trained: Path, tmp_path: Path) -> None:
    file, plain = tmp_path / "a.onnx", tmp_path / "plain.onnx"
    result = exported(trained, file, weights="int8", calibration=64)
    assert (result.score_float32, result.bytes_float32) == (
        score(trained)[0],
        exported(trained, plain).bytes,
    )
    assert result.score == score(file, test_limit=96)[0]
    assert result.score is not None
    assert result.score_float32 is not None
    assert abs(result.score - result.score_float32) <= 5  # five images of 96
    assert result.latency_ms_float32 is not None
    assert result.size_mb == pytest.approx(1e-6 * result.params)
    kinds = Counter(node.op_type for node in onnx.load(file).graph.node)
    assert {"QuantizeLinear", "DequantizeLinear"} <= set(kinds)
    before = Counter(node.op_type for node in onnx.load(plain).graph.node)
    assert kinds["BatchNormalization"] < before["BatchNormalization"] / 4
    assert open_exported(file)[1].weights == "int8"
    assert RunFolder(trained).log.last("export") is not None


def test_int8_is_calibrated_on_images_of_the_kind(trained: Path, tmp_path: Path) -> None:
    odd = images(tmp_path / "odd", ["0", "1"])
    with pytest.raises(
        DataError, match="is for 10 classes, and odd has 2: give --data with images"
    ):
        exported(trained, tmp_path / "a.onnx", weights="int8", data=str(odd))
    assert not (tmp_path / "a.onnx").exists()


@pytest.mark.parametrize(
    ("out", "options", "message"),
    [
        ("a.pt", {}, r"--out a\.pt must end in \.onnx, as files of --format onnx do"),
        ("a.onnx", {"format": "torch"}, r"--out a\.onnx must end in \.pt2"),
        ("a.onnx", {"format": "executorch"}, r"--out a\.onnx must end in \.pte"),
        ("a.onnx", {"format": "onx"}, "unknown format 'onx': did you mean 'onnx'"),
        ("a.onnx", {"weights": "int4"}, "unknown weights 'int4': did you mean 'int8'"),
        (
            "a.pt2",
            {"format": "torch", "weights": "int8"},
            "--weights int8 is not for --format torch",
        ),
        ("a.onnx", {"threads": 0}, "--threads must be above 0, got 0"),
        (
            "a.onnx",
            {"threads": 10**5},
            r"--threads 100000 is more than is of use here: give at most \d+$",
        ),
        (
            "a.pte",
            {"format": "executorch", "threads": 2},
            "--threads 2 is not for --format executorch, which runs in one thread here: leave it",
        ),
        ("a.onnx", {"calibration": -1}, "--calibration must be above 0, got -1"),
        ("a.onnx", {"data": "digits"}, "--data is of no use with --weights float32: leave one of"),
        ("a.onnx", {"test_limit": 9}, "--test-limit is of no use with --weights float32: leave"),
    ],
)
def test_options_are_checked(out: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        ExportConfig(run=Path("run"), out=Path(out), **options)


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    (tmp_path / "a.onnx").mkdir()
    with pytest.raises(ConfigError, match=r"a\.onnx is a folder: name a file in it"):
        ExportConfig(run=Path("run"), out=tmp_path / "a.onnx")


def test_a_failed_export_leaves_no_file(
    trained: Path, searched: Callable[[str], Path], tmp_path: Path, monkeypatch
) -> None:
    file = tmp_path / "a.onnx"
    file.write_text("as it was")
    for run in (tmp_path / "gone", RunFolder(searched("darts")).checkpoint("last"), tmp_path):
        with pytest.raises(RunError):
            exported(run, file)
    module = "archwright.backends.agreement"
    monkeypatch.setattr(f"{module}.TOLERANCE", 0.0)
    with pytest.raises(
        RunError, match=r"differ from those of torch by .*: the file was not written"
    ):
        exported(trained, file)
    assert [path.name for path in tmp_path.iterdir()] == ["a.onnx"]
    assert file.read_text() == "as it was"


def test_a_run_whose_log_is_damaged_leaves_no_file(trained: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(trained, run)
    with (run / "log.jsonl").open("a") as log:
        log.write("{bad\n")
    with pytest.raises(RunError, match=r"log\.jsonl is damaged: line \d+ is no record"):
        exported(run, tmp_path / "a.onnx")
    assert not (tmp_path / "a.onnx").exists()


def test_a_place_that_cannot_be_written_is_one_line(trained: Path, tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file")
    with pytest.raises(RunError, match=r"cannot write .*a\.onnx: .*; give another --out"):
        exported(trained, tmp_path / "taken" / "a.onnx")


def test_executorch_is_an_extra(trained: Path, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "executorch", None)
    monkeypatch.setitem(sys.modules, "executorch.exir", None)
    line = "executorch is not installed: pip install executorch to export with it"
    with pytest.raises(ConfigError, match=line):
        exported(trained, tmp_path / "a.pte", format="executorch")
    assert not list(tmp_path.iterdir())


def test_files_that_are_not_ours_or_damaged(tmp_path: Path) -> None:
    from onnx import TensorProto, helper

    x, y = (helper.make_tensor_value_info(n, TensorProto.FLOAT, [1]) for n in ("x", "y"))
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "g", [x], [y])
    imports = [helper.make_opsetid("", 17)]
    onnx.save(helper.make_model(graph, opset_imports=imports, ir_version=8), tmp_path / "b.onnx")
    with pytest.raises(RunError, match=r"b\.onnx lacks its architecture: it was not writt"):
        score(tmp_path / "b.onnx")
    for name, library in (("a.onnx", "onnxruntime"), ("a.pt2", "torch")):
        (tmp_path / name).write_bytes(b"nothing")
        with pytest.raises(RunError, match=f"{library} cannot read .*{name}: "):
            score(tmp_path / name)
    with pytest.raises(
        RunError, match=r"a\.zip is not an exported file: their names end in \.onnx"
    ):
        open_exported(tmp_path / "a.zip")
    with pytest.raises(
        ConfigError, match="files of --format torch do not run on cuda here: give --device cpu"
    ):
        open_exported(tmp_path / "a.pt2", device="cuda")


def test_a_verb_exports(trained: Path, tmp_path: Path) -> None:
    result = aw.export(aw.ExportConfig(run=trained, out=tmp_path / "a.onnx", **QUICK))
    assert isinstance(result, aw.ExportResult)
    assert issubclass(RunError, ArchwrightError)
