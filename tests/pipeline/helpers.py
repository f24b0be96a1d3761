"""Tiny builds, and what they leave."""

from pathlib import Path
from typing import Any

from archwright.pipeline.config import BuildConfig

from ..engine.helpers import traces


def tiny_build(out: Path, **changes: Any) -> BuildConfig:
    """Two epochs of two steps for the search, one of four for the training, and so on."""
    settings: dict[str, Any] = {
        **{"preset": "tiny", "channels": 4, "search_channels": 4, "limit": 64, "test_limit": 40},
        **{"search_epochs": 2, "epochs": 1, "finetune_epochs": 1, "batch_size": 16, "macs": 0.8},
        "device": "cpu",
    }
    return BuildConfig(out=out, **{**settings, **changes})


def left_behind(out: Path, stages: tuple[str, ...] = ("search", "network", "pruned")) -> Any:
    """All that a build left but times: each stage's traces, the architecture and the file."""
    runs = {name: traces(out / name) for name in stages}
    for run in runs.values():
        run["log"] = [record for record in run["log"] if record["event"] != "export"]
    files = {name: (out / name).read_bytes() for name in ("architecture.json", "model.onnx")}
    return {**runs, **files}
