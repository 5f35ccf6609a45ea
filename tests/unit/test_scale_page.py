"""The figures and tables of docs/explanation/scale.md match the measured constants."""

import re
from html import escape
from itertools import combinations

import pytest
from matplotlib import rc_context

from scripts.scaling.__main__ import PAGE, derived
from scripts.scaling.charts import STYLE, Chart, Line, Scale
from scripts.scaling.constants import FILE, load
from scripts.scaling.figures import FIGURES
from scripts.scaling.tables import TABLES, filled_in
from scripts.scaling.units import in_bytes, in_time, short


@pytest.mark.slow
def test_the_stored_figures_and_tables_match_the_constants() -> None:
    outdated = [file.name for file, text in derived(load()).items() if file.read_text("utf-8") != text]
    assert outdated == [], "run scripts/scale"


def test_the_page_shows_every_figure_and_every_table() -> None:
    page = PAGE.read_text("utf-8")
    assert set(re.findall(r"\(figures/([a-z]+)\.svg\)", page)) == set(FIGURES)
    assert set(re.findall(r"<!-- table: ([a-z ]+) -->", page)) == set(TABLES)


def test_an_unknown_table_is_rejected() -> None:
    with pytest.raises(KeyError, match="no such"):
        filled_in("<!-- table: no such -->\n<!-- end -->", load())


@pytest.mark.slow
@pytest.mark.parametrize("name", FIGURES)
def test_labels_in_a_figure_are_inside_it_and_do_not_overlap(name: str) -> None:
    with rc_context(STYLE):
        figure = FIGURES[name](load()).figure()
        figure.draw_without_rendering()
        (axes,) = figure.axes
        legend = axes.get_legend()
        boxes = [text.get_window_extent() for text in (*legend.get_texts(), *axes.texts)]
    assert len(legend.get_texts()) > 1
    for box in boxes:
        assert box.x0 >= 0
        assert box.x1 <= figure.bbox.x1
        assert box.y0 >= 0
        assert box.y1 <= figure.bbox.y1
    assert not any(first.overlaps(second) for first, second in combinations(boxes, 2))
    drawn = (FILE.parent / f"{name}.svg").read_text("utf-8")
    assert all(escape(text.get_text()) in drawn for text in legend.get_texts())


def test_a_line_goes_through_its_points() -> None:
    chart = Chart(
        "t", "x", "y", Scale(0, 10), Scale(1, 100, logarithmic=True), [Line("a", [(0, 1), (10, 100)])]
    )
    (line,) = chart.figure().axes[0].lines
    (left, bottom), (right, top) = line.get_transform().transform(line.get_xydata())
    assert left < right
    assert bottom < top


def test_a_figure_is_reproducible() -> None:
    draw = FIGURES["stalls"]
    assert draw(load()).svg() == draw(load()).svg()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (short(0.25), "0.25"),
        (short(1_500), "1.5 k"),
        (in_bytes(1.6e9), "1.6 GB"),
        (in_bytes(12), "12 B"),
        (in_time(0.0005), "0.5 ms"),
        (in_time(90), "1.5 min"),
        (in_time(3 * 86_400), "3 d"),
    ],
)
def test_numbers_are_written_with_their_units(text: str, expected: str) -> None:
    assert text == expected


def test_ticks_are_round_and_within_the_axis() -> None:
    def ticks(scale: Scale) -> list[float]:
        chart = Chart("t", "x", "y", scale, Scale(0, 1), [Line("a", [(1, 0)])])
        axes = chart.figure().axes[0]
        return [tick for tick in axes.get_xticks() if scale.low <= tick <= scale.high]

    assert ticks(Scale(0, 10)) == [0, 2, 4, 6, 8, 10]
    assert ticks(Scale(1, 1e3, logarithmic=True)) == [1, 10, 100, 1_000]
    assert ticks(Scale(0, 7.5)) == [0, 2, 4, 6]
