"""Ticks that can be told apart, within the drawing."""

import re

import pytest

from archwright.report.drawing.chart import Series, line_chart, panel, tick_text, ticks


@pytest.mark.parametrize(
    ("low", "high"), [(0, 1), (2.2513, 2.4), (1.6094371, 1.6094379), (-3e-7, 4e-7), (5, 5), (0, 0)]
)
def test_ticks_differ_as_text_and_span_the_values(low: float, high: float) -> None:
    marks = ticks(low, high)
    assert marks[0] <= low <= high <= marks[-1]
    words = [tick_text(mark) for mark in marks]
    assert len(set(words)) == len(words) >= 2


@pytest.mark.parametrize("top", [0.1, 0.3, 0.5, 1.0])
def test_ticks_of_a_panel_are_not_cut_off(top: float) -> None:
    svg = panel([Series(label="a", x=[1, 2], y=[0, top], colour="red")], title="t", top=top)
    assert svg is not None
    found = re.findall(r'x="([\d.]+)"[^>]*class="tick end">([^<]*)<', svg)
    assert len(found) == 3
    assert all(float(x) >= 6 * len(words) for x, words in found)


def test_a_chart_of_nothing_is_none() -> None:
    assert (
        line_chart([Series(label="a", x=[1], y=[float("nan")], colour="red")], title="t", unit="u")
        is None
    )
