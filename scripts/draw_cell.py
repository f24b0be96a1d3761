"""Draw the first cell of a run as a picture of its own: draw_cell.py RUN OUT.svg.

The README's picture is that of the demo:
    make demo && .venv/bin/python scripts/draw_cell.py runs/demo/search docs/images/demo-cell.svg
"""

import sys
from pathlib import Path

from archwright import report
from archwright.io.files import write_text
from archwright.report.drawing.architecture import draw_architecture
from archwright.report.drawing.palette import Palette
from archwright.report.reading.read_run import load_run


def main() -> None:
    run, out = (Path(argument) for argument in sys.argv[1:3])
    loaded = load_run(run)
    if loaded.architecture is None:
        sys.exit(f"{run} has found no architecture yet: let the search end first")
    style = (Path(report.__file__).parent / "templates" / "style.css").read_text()
    svg = str(draw_architecture(loaded.architecture, Palette.of_runs([loaded]))[0].svg)
    svg = svg.replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ', 1)
    opened = svg.index(">") + 1
    write_text(out, f"{svg[:opened]}<style>{style}</style>{svg[opened:]}\n")


if __name__ == "__main__":
    main()
