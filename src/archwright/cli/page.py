"""Report that a command writes into the run folder at the end."""

from pathlib import Path

from archwright.cli.console import Show


def show_page(run: Path, show: Show) -> str | None:
    """Write the report of a run and print its path; return None if the folder cannot be written.

    The work of the command is finished by then, so a failure is printed and is not an error.
    """
    from archwright.report import write_report

    try:
        page = write_report([run])
    except OSError as error:
        show.line(
            f"no report: cannot write to {run}: {error.strerror} (archwright report --out FILE)"
        )
        return None
    show.line(f"report: {page}")
    return str(page)
