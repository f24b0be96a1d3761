"""Progress on standard error: a bar on a terminal, one line per epoch elsewhere."""

import os
import sys
from functools import cache
from types import TracebackType
from typing import Self


@cache
def say(text: str) -> None:
    """Print a message on standard error once: all stages of a build read the same images."""
    if os.environ.get("LOCAL_RANK", "0") == "0":
        print(text, file=sys.stderr, flush=True)


class ProgressBar:
    """Progress bar of a run, as a context manager.

    `total` is in batches; `done` is the number of batches at which a resumed run starts.
    """

    def __init__(self, title: str, total: int, done: int = 0, *, visible: bool = True) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
        from rich.progress import Progress as Bar

        self._console = Console(stderr=True)
        self._live = visible and self._console.is_terminal
        self._lines = visible and not self._live
        self._bar = Bar(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.percentage:>3.0f}%"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[note]}"),
            console=self._console,
            disable=not self._live,
        )
        self._task = self._bar.add_task(title, total=total, completed=done, note="")

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bar.stop()

    def advance(self) -> None:
        """Count one batch."""
        self._bar.advance(self._task)

    def note(self, text: str) -> None:
        """Print the values of an epoch."""
        self._bar.update(self._task, note=text)
        if self._lines:
            print(text, file=sys.stderr, flush=True)
