"""Pages of runs: their kind, and the path to which they are written."""

from collections.abc import Sequence
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from archwright.engine.runs.folder import read_config
from archwright.errors import RunError
from archwright.io import files
from archwright.report.budgets import BudgetCheck
from archwright.report.comparison import comparison_view
from archwright.report.drawing.svg import clean
from archwright.report.reading.read_run import Row, Run, load_run
from archwright.report.run_page import page_runs, page_view


def write_report(
    runs: Sequence[Path],
    out: Path | None = None,
    *,
    budgets: Sequence[BudgetCheck] = (),
    counted_at: str = "",
) -> Path:
    """Write the page of one run, of a search and its later stages, or a comparison.

    A search and a training of the same architecture, and possibly its pruning, in whatever order,
    share one page; any other runs are compared.

    The page goes to `out`; without it, to `report.html` in the folder of the one run, or beside the
    first of several, to `report.html` for a search and its later stages, `comparison.html` for
    others. `budgets` are those of the network of the one page, `counted_at` its size in words.

    Raises:
        RunError: there is no run, one is damaged, or the page would stand in the place of another.
    """
    loaded = _load(runs)
    page = page_runs(loaded)
    if page is None:
        name, html = "comparison.html", _render("comparison.html", comparison_view(loaded))
    else:
        name, html = "report.html", _render("run.html", page_view(page, budgets, counted_at))
    path = out or _folder_for(runs) / name
    files.write_text(path, html)
    return path


def result_rows(runs: Sequence[Path]) -> tuple[Row, ...]:
    """Return the networks in the result table of the page of these runs; none if it has no such
    table.
    """
    page = page_runs(_load(runs))
    return page.rows if page else ()


def _folder_for(runs: Sequence[Path]) -> Path:
    """Return the run's own folder, or the parent of the first of several; never that of a build."""
    if len(runs) == 1:
        return Path(runs[0])
    folder = Path(runs[0]).resolve().parent
    if (folder / "config.json").is_file() and read_config(folder).get("kind") == "build":
        raise RunError(f"{folder} is a build and has a page of its own: give --out for this one")
    return folder


def _load(folders: Sequence[Path]) -> list[Run]:
    if not folders:
        raise RunError("a report needs at least one run folder; none was given")
    return [load_run(Path(folder)) for folder in folders]


def _render(template: str, view: dict[str, object]) -> str:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    return clean(environment.get_template(template).render(view))
