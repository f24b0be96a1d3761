"""Tasks, such as classification: one file each, with the contract `Task`."""

from functools import cache

from archwright.errors import ConfigError, unknown
from archwright.io.plugins import load_plugin, with_plugins
from archwright.tasks.classification import CLASSIFICATION, Classification
from archwright.tasks.contract import (
    Accumulator,
    Batch,
    Features,
    Metric,
    Outputs,
    SumAccumulator,
    Targets,
    Task,
    join_outputs,
    move,
)

__all__ = [
    "CLASSIFICATION",
    "TASKS",
    "Accumulator",
    "Batch",
    "Classification",
    "Features",
    "Metric",
    "Outputs",
    "SumAccumulator",
    "Targets",
    "Task",
    "find_metric",
    "get_task",
    "join_outputs",
    "known_tasks",
    "move",
]

TASKS: dict[str, str] = {"classification": "archwright.tasks.classification:Classification"}
"""Module and class of each task of archwright."""
GROUP = "archwright.tasks"
"""Group of the entry points with which other packages add tasks."""


def known_tasks() -> dict[str, str]:
    """Return module and class of each task by name: archwright's, then those of other packages.

    Raises:
        ConfigError: two have the same name.
    """
    return with_plugins(GROUP, TASKS)


def find_metric(key: str) -> Metric:
    """Return the metric of that key, of any task; if no task has it, a metric without a unit."""
    metrics = (metric for name in known_tasks() for metric in get_task(name).metrics)
    return next((one for one in metrics if one.key == key), Metric(key=key, label=key, unit=""))


@cache
def get_task(name: str) -> Task:
    """Return the task of that name, with default settings.

    Raises:
        ConfigError: there is none (the nearest name is given), its package cannot be imported, or
            its class is no task.
    """
    known = known_tasks()
    if name not in known:
        raise ConfigError(unknown("task", name, known))
    made: object = load_plugin(known[name])()
    if not isinstance(made, Task):
        raise ConfigError(f"the task {name!r} ({known[name]}) is not an archwright.tasks.Task")
    return made
