"""Log of a run: one JSON object per line, appended during the run."""

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from archwright.errors import RunError
from archwright.io.files import decoded


@dataclass(frozen=True)
class RunLog:
    """Log file `log.jsonl`; each record has an `event`."""

    path: Path

    def write(self, event: str, **fields: Any) -> None:
        """Append one record.

        A number that is not finite is refused, because JSON has none.

        Raises:
            RunError: the file cannot be written.
        """
        line = json.dumps({"event": event, **fields}, allow_nan=False)
        try:
            with self.path.open("a") as file:
                file.write(line + "\n")
                file.flush()
                os.fsync(file.fileno())  # a checkpoint counts on it
        except OSError as error:
            raise RunError(
                f"cannot write {self.path}: {error.strerror}; make room, then go on with --resume"
            ) from None

    def size(self) -> int:
        """Bytes written so far; a checkpoint stores this number, and `cut` returns to it."""
        return self.path.stat().st_size if self.path.exists() else 0

    def cut(self, size: int) -> None:
        """Remove the records after the first `size` bytes (their work is done again).

        Raises:
            RunError: there are not so many: lines have been lost.
        """
        if self.size() < size:
            raise RunError(
                f"{self.path} has lost lines that the last checkpoint counts on: restore it, or "
                f"start a new run"
            )
        if self.size() > size:
            os.truncate(self.path, size)

    def records(self) -> list[dict[str, Any]]:
        """Return every record, without a last line that was cut off when the process was killed.

        Raises:
            RunError: a line in the middle is no record (its number is given).
        """
        if not self.path.exists():
            return []
        *lines, _ = self.path.read_bytes().split(b"\n")  # what follows the last one is partial
        return [self._record(number, line) for number, line in enumerate(lines, 1)]

    def last(self, event: str) -> dict[str, Any] | None:
        """Return the fields of the last record of that event."""
        for record in reversed(self.records()):
            if record.pop("event") == event:
                return record
        return None

    def _record(self, number: int, line: bytes) -> dict[str, Any]:
        try:
            record = decoded(line)
            if isinstance(record, dict) and "event" in record:
                return cast("dict[str, Any]", record)
        except ValueError:
            pass
        raise RunError(f"{self.path} is damaged: line {number} is no record; start a new run")
