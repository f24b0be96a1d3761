"""Keep a run resumable: count its time, and decide when to check losses and when to save."""

import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archwright.engine.runs.checkpoint import LAST, PREVIOUS, load_checkpoint, save_checkpoint
from archwright.engine.runs.folder import RunFolder

if TYPE_CHECKING:
    from lightning_fabric import Fabric

_LOOK = 50
"""Steps between two checks of the loss on a GPU, which waits for each."""


class Checkpointer:
    """Last checkpoint of a run, and the seconds that the run has taken, interruptions left out.

    Only the first process writes. Within an epoch only runs of a single process save, because
    several would need a message per step for a common decision.
    """

    def __init__(self, folder: RunFolder, fabric: "Fabric", every_seconds: float) -> None:
        self.folder = folder
        self.writes = fabric.is_global_zero
        self.device = fabric.device
        self.seconds = 0.0
        self._alone = fabric.world_size == 1
        self._every = every_seconds
        self._clock = self._saved = time.monotonic()

    def tick(self) -> float:
        """Count the time since the last call, and return the seconds of the run so far, rounded."""
        now = time.monotonic()
        self.seconds += now - self._clock
        self._clock = now
        return round(self.seconds, 3)

    def count(self, seconds: float) -> None:
        """Set the time so far to the sum that parts of the run counted themselves."""
        self.seconds, self._clock = seconds, time.monotonic()

    def after_step(
        self, step: int, steps: int, check: Callable[[], None], state: Callable[[], dict[str, Any]]
    ) -> None:
        """Call `check` at regular steps, and save `state` if a checkpoint is due.

        The state is checked before it is saved; the caller handles the last step of an epoch.
        """
        self.tick()
        last = step + 1 == steps
        due = self._alone and not last and self._clock - self._saved > self._every
        if due or last or self.device.type == "cpu" or step % _LOOK == 0:
            check()
        if due:
            self.save(state())

    def save(self, state: dict[str, Any]) -> None:
        """Write the checkpoint, with the present size of the log."""
        self.tick()
        self._saved = self._clock
        if self.writes:
            kept = {"seconds": self.seconds, "log_size": self.folder.log.size()}
            path = self.folder.checkpoint(LAST)
            if path.exists():
                _keep(path, self.folder.checkpoint(PREVIOUS))
            save_checkpoint(path, {**state, **kept}, self.device)

    def finish(self, result: dict[str, Any]) -> None:
        """Log the result of the run, and delete the checkpoint before the last one."""
        self.folder.log.write("result", **result)
        self.folder.checkpoint(PREVIOUS).unlink(missing_ok=True)

    def restore(self) -> dict[str, Any] | None:
        """Return the state of the last checkpoint, and cut the log back to it.

        None: there is no checkpoint, so the run starts from the beginning.

        Raises:
            RunError: the checkpoint is damaged, or the log has lost lines since.
        """
        paths = (self.folder.checkpoint(name) for name in (LAST, PREVIOUS))
        path = next((path for path in paths if path.exists()), None)
        state = None if path is None else load_checkpoint(path)
        if self.writes:
            self.folder.log.cut(state["log_size"] if state else 0)
        self.seconds = state["seconds"] if state else 0.0
        self._clock = self._saved = time.monotonic()
        return state


def _keep(path: Path, kept: Path) -> None:
    """Make `kept` a copy of the file `path` as it is now; a file of this name always exists."""
    part = kept.with_suffix(".part")
    part.unlink(missing_ok=True)
    try:
        part.hardlink_to(path)  # the next one replaces the name, not the content
    except OSError:  # a file system without links
        shutil.copyfile(path, part)
    part.replace(kept)
