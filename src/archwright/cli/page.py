"""The page that a command leaves in the run folder when its work is done."""

from pathlib import Path

from archwright.cli.console import Show


def show_page(run: Path, show: Show) -> str | None:
    """Write the page of a run, and say where it is; None where its folder cannot be written.

    What was asked for is done by then, so that is said, and is no error.
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
