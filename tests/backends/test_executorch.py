"""ExecuTorch programs, with a stand-in, as the library is not installed in the gate."""

import sys
from types import ModuleType
from typing import Any

import pytest

from archwright.backends.executorch import MobileProgram


class Library:
    """What of ExecuTorch a loaded program needs; notes what it is asked for."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, Any]] = []

    def module(self, name: str, **content: object) -> ModuleType:
        made = ModuleType(name)
        vars(made).update(content)
        return made

    def get(self) -> "Library":
        return self

    def load_program(self, content: bytes) -> "Library":
        self.asked.append(("load", content))
        return self

    def load_method(self, name: str) -> "Library":
        return self

    def execute(self, inputs: list[Any]) -> list[str]:
        return ['{"version": "1"}']

    def threads(self) -> int:
        return next((count for what, count in self.asked if what == "threads"), 2)

    def reset(self, threads: int) -> None:
        self.asked.append(("threads", threads))


def test_a_program_is_held_to_one_thread_before_it_is_loaded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    library = Library()
    pool = "executorch.extension.pybindings.portable_lib"
    held = {
        "_unsafe_reset_threadpool": library.reset,
        "_threadpool_get_thread_count": library.threads,
    }
    for name, content in (
        ("executorch", {}),
        ("executorch.runtime", {"Runtime": library}),
        ("executorch.extension", {}),
        ("executorch.extension.pybindings", {}),
        (pool, held),
    ):
        monkeypatch.setitem(sys.modules, name, library.module(name, **content))
    assert MobileProgram(b"program").metadata == {"version": "1"}
    MobileProgram(b"another")  # what is loaded holds on to the pool
    assert library.asked == [("threads", 1), ("load", b"program"), ("load", b"another")]
