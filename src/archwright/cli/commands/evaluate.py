"""`archwright evaluate`."""

from typing import TYPE_CHECKING, Any

from archwright.cli.command import Command
from archwright.cli.console import Show, count, decimals, shorten
from archwright.deployment.config import EvaluateConfig

if TYPE_CHECKING:
    from archwright.deployment.evaluate import EvaluateResult


def _run(config: EvaluateConfig) -> "EvaluateResult":
    from archwright.deployment.evaluate import evaluate

    return evaluate(config)


def _show(result: "EvaluateResult", show: Show) -> dict[str, Any]:
    from archwright.tasks import get_task

    score, metrics = result.score, get_task(result.task).metrics
    text = shorten(result.architecture, 100)
    show.line(f"{result.kind}, {result.weights}, on {result.data}: {text}")
    show.table(
        ("file", *(f"{m.label} {m.unit}" for m in metrics), "loss", "images", "seconds"),
        [
            (
                str(result.file),
                *(decimals(score.metrics[metric.key]) for metric in metrics),
                decimals(score.loss, 4),
                count(score.images),
                decimals(result.seconds, 2),
            )
        ],
    )
    return result.to_json()


command = Command(name="evaluate", config=EvaluateConfig, run=_run, show=_show, positional="file")
