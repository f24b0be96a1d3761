"""A run of a user's space in every command: its file runs only where the command names it."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from archwright.backends import open_exported
from archwright.cost import DecisionTable
from archwright.cost.latency import read_latency
from archwright.deployment.config import EvaluateConfig, ExportConfig
from archwright.deployment.evaluate import evaluate
from archwright.deployment.export import export
from archwright.errors import ArchwrightError, ConfigError, GenotypeError, RunError
from archwright.pruning.config import PruneConfig
from archwright.pruning.run import prune
from archwright.report import write_report
from archwright.spaces import Size, get_space
from archwright.training.config import TrainConfig
from archwright.training.run import train

EXAMPLE = Path(__file__).parents[2] / "examples" / "my_space.py"
CELLS = "|pool_conv~0|+|pool_conv~0|pool_conv~1|+|wide_conv~0|skip~1|"
ALLOWED = r"in own\.py@[0-9a-f]{12}, and a Python file runs only where the command names it: add"
EDITED = r"^own\.py was edited, or is another file: "
QUICK: dict[str, Any] = {"limit": 96, "test_limit": 32, "batch_size": 32, "device": "cpu"}

Reader = Callable[[Path, str | None], object]


def training(folder: Path, space: str | None, architecture: str, **options: Any) -> TrainConfig:
    size: dict[str, Any] = {"channels": 4, "cells": 1, "epochs": 1, "auxiliary": 0.0}
    return TrainConfig(
        **{**QUICK, **size, **options}, space=space, architecture=architecture, out=folder
    )


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """The file of a space, which leaves another file whenever it runs."""
    file = tmp_path / "own.py"
    mark = f"open({str(tmp_path / 'RAN')!r}, 'w').close()\n"
    file.write_text(mark + EXAMPLE.read_text().split('"""', 2)[2])
    return file


@pytest.fixture
def run(own: Path) -> Path:
    folder = own.with_name("run")
    train(training(folder, None, f"{own}:cell={CELLS}"))
    own.with_name("RAN").unlink()
    return folder


def pruning(run: Path, space: str | None) -> object:
    out = run.with_name(f"pruned-{space is not None}")
    return prune(
        PruneConfig(run=run, space=space, macs=0.9, epochs=0, batch_size=32, device="cpu", out=out)
    )


READERS: dict[str, Reader] = {
    "evaluate": lambda run, space: evaluate(EvaluateConfig(file=run, space=space, device="cpu")),
    "checkpoint": lambda run, space: evaluate(
        EvaluateConfig(file=run / "checkpoints" / "best.pt", space=space, device="cpu")
    ),
    "export": lambda run, space: export(
        ExportConfig(run=run, space=space, out=run.with_name("a.onnx"), repeats=1)
    ),
    "prune": pruning,
    "train": lambda run, space: train(
        training(run.with_name(f"again-{space is not None}"), space, str(run))
    ),
}


def test_a_run_is_read_where_its_file_is_named(own: Path, run: Path) -> None:
    for name, read in READERS.items():
        with pytest.raises(GenotypeError, match=ALLOWED):
            read(run, None)
        assert not own.with_name("RAN").exists(), name
        read(run, str(own))
    own.write_text(own.read_text().replace("MaxPool(3, site.stride)", "MaxPool(5, site.stride)"))
    for read in READERS.values():
        with pytest.raises(ArchwrightError, match=EDITED):
            read(run, str(own))
    # the same command that named it
    with pytest.raises(RunError, match=r"^own\.py was edited since .*run was begun: resume with"):
        train(training(run, None, f"{own}:cell={CELLS}", resume=True))


def test_exported_files_contain_no_path_of_this_machine(own: Path, run: Path) -> None:
    config = json.loads((run / "config.json").read_text())
    assert config["space"] == "own.py"
    assert config["space_sha256"] == get_space(str(own)).settings["space_sha256"]
    (run / "config.json").write_text(
        json.dumps({**config, "command": f"archwright train --data={own.parent}/birds --out {run}"})
    )
    for name in ("a.onnx", "a.pt2"):
        out = own.with_name(name)
        form: Any = {"format": "onnx" if name == "a.onnx" else "torch"}
        export(ExportConfig(run=run, space=str(own), out=out, repeats=1, **form))
        assert str(own.parent).encode() not in out.read_bytes()
        card = open_exported(out)[1]
        assert card.space in card.architecture
        assert card.space.startswith("own.py@")
    page = write_report([run]).read_text()
    assert str(own.parent) not in page
    assert "archwright train --data=birds --out run" in page
    assert "a.onnx" in page


def test_a_row_of_a_table_runs_nothing(own: Path) -> None:
    table = own.with_name("table.csv")
    rows = (f'"{own}:cell={CELLS}",1', '"|none~0|+|none~0|none~1|+|none~0|none~1|none~2|",2')
    table.write_text("\n".join(["architecture,latency_ms", *rows]))
    layout = DecisionTable(get_space("nasbench201"), Size(channels=4, cells=1))
    with pytest.raises(
        ConfigError, match=r"row 1: the architecture is of the space in own\.py, not"
    ):
        read_latency(layout, table)
    assert not own.with_name("RAN").exists()
    other = CELLS.replace("wide", "pool")
    table.write_text(
        "\n".join(["architecture,latency_ms", f"{own}:{CELLS},1", f"own.py:{other},2", ""])
    )
    read_latency(DecisionTable(get_space(str(own)), Size(channels=4, cells=1)), table)


def test_images_of_a_folder_are_asked_for(own: Path, run: Path, tmp_path: Path) -> None:
    config = json.loads((run / "config.json").read_text())
    (run / "config.json").write_text(json.dumps({**config, "data": str(tmp_path / "birds")}))
    out = tmp_path / "a.onnx"
    export(ExportConfig(run=run, space=str(own), out=out, repeats=1))
    assert open_exported(out)[1].data == ""
    with pytest.raises(ConfigError, match=r"a\.onnx does not name a data set: give --data$"):
        evaluate(EvaluateConfig(file=out, device="cpu"))
    with pytest.raises(ConfigError, match="--space is of no use with an exported file"):
        evaluate(EvaluateConfig(file=out, space=str(own), device="cpu"))
