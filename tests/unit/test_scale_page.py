"""The figures and tables of docs/explanation/scale.md are those that follow from the constants that were measured."""

import re
import xml.etree.ElementTree as ET
from itertools import pairwise

import pytest

from scripts.scaling.__main__ import PAGE, derived
from scripts.scaling.charts import Chart, Line, Scale, in_bytes, in_time, short
from scripts.scaling.constants import FILE, load
from scripts.scaling.figures import FIGURES
from scripts.scaling.tables import TABLES, filled_in


def test_what_is_kept_is_what_follows_from_the_constants() -> None:
    outdated = [file.name for file, text in derived(load()).items() if file.read_text("utf-8") != text]
    assert outdated == [], "run scripts/scale"


def test_the_page_shows_every_figure_and_every_table() -> None:
    page = PAGE.read_text("utf-8")
    assert set(re.findall(r"\(figures/([a-z]+)\.svg\)", page)) == set(FIGURES)
    assert set(re.findall(r"<!-- table: ([a-z ]+) -->", page)) == set(TABLES)


def test_a_table_that_there_is_not_is_refused() -> None:
    with pytest.raises(KeyError, match="no such"):
        filled_in("<!-- table: no such -->\n<!-- end -->", load())


@pytest.mark.parametrize("name", FIGURES)
def test_no_name_in_a_figure_stands_over_another_or_outside(name: str) -> None:
    root = ET.fromstring((FILE.parent / f"{name}.svg").read_text("utf-8"))
    names = [one for one in root if one.tag.endswith("text") and "of" in str(one.get("class")).split()]
    heights = sorted(float(str(one.get("y"))) for one in names)
    assert names
    assert all(b - a >= 16 for a, b in pairwise(heights))
    assert all(len(str(one.text)) * 7.2 < 190 for one in names)


def test_a_line_goes_through_its_points() -> None:
    chart = Chart(
        "t", "x", "y", Scale(0, 10), Scale(1, 100, logarithmic=True), [Line("a", [(0, 1), (10, 100)])]
    )
    (line,) = [one for one in ET.fromstring(chart.svg()) if one.tag.endswith("polyline")]
    (left, bottom), (right, top) = (map(float, point.split(",")) for point in str(line.get("points")).split())
    assert left < right
    assert bottom > top


@pytest.mark.parametrize(
    ("told", "expected"),
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
def test_numbers_are_told_with_their_units(told: str, expected: str) -> None:
    assert told == expected


def test_ticks_are_round_and_within_the_axis() -> None:
    assert Scale(0, 10).ticks() == [0, 2, 4, 6, 8, 10]
    assert Scale(1, 1e3, logarithmic=True).ticks() == [1, 10, 100, 1_000]
    assert Scale(0, 7.5).ticks() == [0, 2, 4, 6]
