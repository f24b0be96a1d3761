"""`archwright bench`: a command for each study of the registry."""

from typing import Any

from archwright.bench.engine.study import Study
from archwright.bench.registry import STUDIES, load_study
from archwright.cli.command import Command, Group
from archwright.cli.console import Show


def _command(name: str, study: Study) -> Command:
    def run(config: Any) -> tuple[Any, Any]:
        return config, study.run(config)

    def show(done: tuple[Any, Any], console: Show) -> Any:
        return study.show(*done, console)

    return Command(
        name=f"bench {name}",
        config=study.config,
        run=run,
        show=show,
        positional=study.positional,
    )


def commands() -> dict[str, Command]:
    """Return the command of each study, by name."""
    return {name: _command(name, load_study(name)) for name in STUDIES}


command = Group(
    name="bench",
    text="Measure what networks take, and what searches find, beside each other.",
    parts=commands(),
)
