"""`archwright train`."""

from typing import TYPE_CHECKING, Any

from archwright.cli.command import Command
from archwright.cli.console import Show
from archwright.cli.page import show_page
from archwright.training.config import TrainConfig

if TYPE_CHECKING:
    from archwright.training.run import TrainResult


def _run(config: TrainConfig) -> "TrainResult":
    from archwright.training.run import train

    return train(config)


def _show(result: "TrainResult", show: Show) -> dict[str, Any]:
    from archwright.engine.runs.folder import RunFolder

    show.networks(result.rows)
    summary = RunFolder(result.out).data_summary()
    return {**result.to_json(), "data_summary": summary, "report": show_page(result.out, show)}


command = Command(name="train", config=TrainConfig, run=_run, show=_show)
