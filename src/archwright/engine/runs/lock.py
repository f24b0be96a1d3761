"""Locks of run folders and results files: one process writes at a time, and the lock names it."""

import errno
import fcntl
import json
import os
import socket
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from archwright.errors import RunError

_LOCKLESS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)
"""Errors of file systems without locks."""
_LOOK_S = 0.05
_handles: set[int] = set()


@dataclass(frozen=True)
class _Holder:
    """Process named by a lock file."""

    pid: int
    host: str

    @property
    def ended(self) -> bool:
        """Whether the process is known to have ended; on another machine this is not known."""
        if self.host != socket.gethostname():
            return False
        try:
            os.kill(self.pid, 0)
        except (ProcessLookupError, OverflowError):
            return True
        except PermissionError:  # another user's
            return False
        return False


@contextmanager
def locked(file: Path, what: Path, *, wait_s: float = 0.0) -> Generator[None]:
    """Hold the lock `file`, which stands for `what`.

    The operating system releases a lock when its process ends, for whatever reason. On a file
    system without locks, the process that the file names is looked up instead.

    Raises:
        RunError: another process holds it (it is named) for longer than `wait_s` seconds.
        OSError: the file cannot be written.
    """
    until = time.monotonic() + wait_s
    while (handle := _take(file)) is None:
        if time.monotonic() >= until:
            raise RunError(f"{what} is in use by {_named(_holder(file))}: {_remedy(file)}")
        time.sleep(_LOOK_S)
    owner = os.getpid()
    _handles.add(handle)
    try:
        yield
    finally:
        if os.getpid() == owner:  # and not a child that was forked inside
            file.unlink(missing_ok=True)
            _handles.discard(handle)
            os.close(handle)


def _take(file: Path) -> int | None:
    """Return a handle of the lock, held from now on; None if another process has it."""
    while True:
        handle = os.open(file, os.O_RDWR | os.O_CREAT, 0o666)
        if not _flock(handle, file):
            os.close(handle)
            return None
        if _is_at(handle, file):
            break
        os.close(handle)  # its last holder has removed it meanwhile
    os.ftruncate(handle, 0)
    os.write(handle, json.dumps(asdict(_Holder(os.getpid(), socket.gethostname()))).encode())
    return handle


def _flock(handle: int, file: Path) -> bool:
    """Lock an open file; on a file system without locks, return whether its holder has ended."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno not in _LOCKLESS:
            os.close(handle)
            raise
        holder = _holder(file)
        return holder is None or holder.ended
    return True


def _is_at(handle: int, file: Path) -> bool:
    """Return whether the open file is the one at its path."""
    try:
        return os.path.samestat(os.fstat(handle), file.stat())
    except FileNotFoundError:
        return False


def _holder(file: Path) -> _Holder | None:
    """Return the process that the lock names; None if it names none."""
    with suppress(OSError, ValueError, KeyError, TypeError):
        content: Any = json.loads(file.read_bytes())
        return _Holder(int(content["pid"]), str(content["host"]))
    return None


def _named(holder: _Holder | None) -> str:
    if holder is None:
        return "another process"
    return f"process {holder.pid} on {holder.host}"


def _remedy(file: Path) -> str:
    return f"wait until it ends, or stop it (if there is none any more, delete {file})"


def _forget() -> None:
    """Close the locks in a forked child, which may outlive the process that holds them."""
    for handle in _handles:
        os.close(handle)
    _handles.clear()


os.register_at_fork(after_in_child=_forget)
