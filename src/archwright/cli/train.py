"""`archwright train`."""

from typing import TYPE_CHECKING, Any

from archwright.cli.command import Command
from archwright.cli.page import show_page
from archwright.cli.show import Show
from archwright.train.config import TrainConfig

if TYPE_CHECKING:
    from archwright.train.run import TrainResult


def _run(config: TrainConfig) -> "TrainResult":
    from archwright.train.run import train

    return train(config)


def _show(result: "TrainResult", show: Show) -> dict[str, Any]:
    from archwright.runs.folder import RunFolder

    show.networks(result.rows)
    summary = RunFolder(result.out).data_summary()
    return {**result.to_json(), "data_summary": summary, "report": show_page(result.out, show)}


command = Command(name="train", config=TrainConfig, run=_run, show=_show)
