"""Long lines of saved pages take time in proportion to their length.

No test measures time: with work that grows with the square of the length, the long ones would take minutes.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import ParamSpec, TypeVar

import pytest

from ledgerpress.features.page_import.parser import details_line, recent_posts
from ledgerpress.features.page_import.parser.ages import read_age
from ledgerpress.features.page_import.parser.author_names import author_names
from ledgerpress.features.page_import.parser.dates import PageDate, Retrieval, read_date
from ledgerpress.features.page_import.parser.details_line import read_details

RETRIEVAL = Retrieval(datetime(2024, 12, 22, 15, 30, tzinfo=UTC))


@pytest.mark.parametrize(
    "text",
    [
        "a@a." * 50_000,
        "a@" * 100_000,
        "(" * 200_000 + "@",
        "A" + " " * 200_000 + "x",
        "A" + "\t" * 200_000 + "for",
        "A" + " , " * 70_000,
        "A" + "and " * 50_000 + "&" * 50_000,
        "A for " * 40_000 + "\nx",
        "editor " * 30_000,
    ],
    ids=lambda text: repr(text[:8]),
)
def test_a_long_text_is_read_for_names(text: str) -> None:
    assert author_names(text) is None
    assert author_names(text, allow_handle=True) is None


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("Ada Example ada@example.org", ("Ada Example",)),
        ("Ada Example <ada@news.example.org>", ("Ada Example",)),
        ("Ada Example (@ada)", ("Ada Example",)),
        ("Ada Example @ada", ("Ada Example",)),
        ("Ada Example and  Bob Sample ,  and Eve Instance & Dan Case", ("Ada Example", "Bob Sample", "Eve Instance", "Dan Case")),
        ("Ada Example,and Bob Sample;Eve Instance", ("Ada Example", "Bob Sample", "Eve Instance")),
        ("Ada Example , , Bob Sample", None),
        ("Ada Example for The Harbour\nof Brack", ("Ada Example",)),
    ],
)  # fmt: skip
def test_separators_and_addresses_with_any_spaces(text: str, names: tuple[str, ...] | None) -> None:
    assert author_names(text) == names


@pytest.mark.parametrize(
    "text",
    ["1d" * 100_000, "1" * 200_000 + "d", "1d, " * 50_000 + "1", "0" * 200_000, "1 " * 100_000, "1d" + " " * 200_000 + "x"],
    ids=lambda text: repr(text[:8]),
)  # fmt: skip
def test_a_long_text_is_read_for_an_age(text: str) -> None:
    read_age(text)
    read_age(f"{text} ago")


@pytest.mark.parametrize(
    ("text", "hours"), [("1d2h", 26), ("1d2h ago", 26), ("1 day2 hours ago", 26), ("2w1d3h", 363)]
)
def test_an_age_of_several_parts_without_spaces_is_their_sum(text: str, hours: int) -> None:
    age = read_age(text)
    assert age is not None
    assert age.length == timedelta(hours=hours)


P = ParamSpec("P")
T = TypeVar("T")


def counting(function: Callable[P, T], calls: list[int]) -> Callable[P, T]:
    def counted(*args: P.args, **kwargs: P.kwargs) -> T:
        calls.append(1)
        return function(*args, **kwargs)

    return counted


@pytest.mark.parametrize("unit", ["w ", ", ", "a day ", "by ", "( ", "& ", "2024 ", "1,"])
def test_few_parts_of_a_line_are_read_as_dates(unit: str, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[int] = []
    monkeypatch.setattr(details_line, "read_date", counting(read_date, calls))
    for start in ("By A", "1d by A", "December 5, 2024 "):
        calls.clear()
        read_details((start + unit * 100)[:200], RETRIEVAL)
        assert len(calls) <= 120


@pytest.mark.parametrize("unit", ["w ", "( ", "| ", "2024 ", "a day ago ", "& "])
@pytest.mark.parametrize("start", ["By A", "1d ", "December 5, 2024 | "])
def test_few_parts_of_an_entry_are_read_as_its_date(
    start: str, unit: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[int] = []
    monkeypatch.setattr(recent_posts, "read_details", counting(read_details, calls))
    recent_posts.parse_recent(["A headline (3d ago)", (start + unit * 300)[:600]], RETRIEVAL)
    assert len(calls) <= 140


def test_a_date_of_many_words_is_found_next_to_a_byline_and_a_headline() -> None:
    text = "Thursday, the 5th of December, 2024, at 9:00 AM EST"
    details = read_details(f"By Ada Example, Bob Sample, Eve Instance and Dan Case on {text}", RETRIEVAL)
    assert details is not None
    assert (details.published, details.authors[-1]) == (
        PageDate(datetime(2024, 12, 5, 14, tzinfo=UTC)),
        "Dan Case",
    )
    posts, _ = recent_posts.parse_recent([f"Old news from the mill {text}", f"Other news {text}"], RETRIEVAL)
    assert [(post.title, post.published_at.day) for post in posts] == [
        ("Old news from the mill", 5),
        ("Other news", 5),
    ]
