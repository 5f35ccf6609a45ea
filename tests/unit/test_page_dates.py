"""Dates, times and ages on saved pages: every supported form, and texts that are neither."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledgerpress.features.page_import.parser.ages import read_age
from ledgerpress.features.page_import.parser.dates import (
    DateSource,
    PageDate,
    Retrieval,
    order_of_digits,
    read_date,
)
from ledgerpress.views.relative_time_text import relative_time

A_DAY = Retrieval(datetime(2025, 3, 4, tzinfo=UTC))
A_TIME = Retrieval(datetime(2025, 3, 4, 15, 30, tzinfo=UTC))
"""A Tuesday."""
DECEMBER_5 = datetime(2024, 12, 5, tzinfo=UTC)


def read(line: str, retrieval: Retrieval = A_TIME) -> PageDate:
    page_date = read_date(line, retrieval)
    assert page_date is not None
    return page_date


@pytest.mark.parametrize(
    "line",
    [
        *(
            "December 5, 2024",
            "Dec. 5th 2024",
            "DEC 5, 2024",
            "december 5 2024",
            "Dec 5, ’24",
            "December the 5th, 2024",
        ),
        *(
            "5 December 2024",
            "5th of December 2024",
            "the 5th of December, 2024",
            "5. Dec. 2024",
            "05-Dec-2024",
        ),
        *(
            "Thursday, 5 December 2024",
            "Thu Dec 5 2024",
            "December 5, 2024 (Thursday)",
            "5 December 2024, Thursday",
        ),
        *(
            "2024-12-05",
            "2024/12/05",
            "2024.12.5",
            "2024年12月5日",
            "5.12.2024",
            "05.12.24",
            "2024 December 5",
        ),
    ],
)
def test_a_date_of_any_form_is_midnight(line: str) -> None:
    assert read(line) == PageDate(DECEMBER_5)


@pytest.mark.parametrize(
    ("line", "hours"),
    [
        ("December 5, 2024 at 9:00 AM", 9),
        ("December 5, 2024, 9:00am", 9),
        ("December 5, 2024 9 a.m.", 9),
        ("Dec 5, 2024 @ 9:00 PM", 21),
        ("December 5, 2024 - 12:00 p.m.", 12),
        ("December 5, 2024 at 12 AM", 0),
        ("December 5, 2024 at noon", 12),
        ("5 December 2024, 17.30", 17.5),
        ("9:00 AM, December 5, 2024", 9),
        ("9:00 AM EST, Thu December 5, 2024", 14),
        ("9.30am on 5 December 2024", 9.5),
        ("December 5, 2024 at 9:00 AM ET", 14),
        ("July 5, 2024 at 9:00 AM ET", 13),
        ("December 5, 2024 9:00 AM (PST)", 17),
        ("2024-12-05T09:00:00Z", 9),
        ("2024-12-05T09:00", 9),
        ("2024-12-05 09:00:00.123456+01:00", 8),
        ("2024-12-05 09:00 UTC+2", 7),
        ("2024-12-05 09:00 -0530", 14.5),
        ("Thu, 05 Dec 2024 09:00:00 GMT", 9),
        ("5.12.2024 09:00 CET", 8),
        # AndyTheFactory/newspaper4k#153: "27/11/2017 a les 10:19h"
        ("27/11/2024 10:19h", 10 + 19 / 60 - 8 * 24),
        ("December 5, 2024 - 09:00h", 9),
        ("5 December 2024, 09:00 hrs", 9),
        ("09.00 hours, 5 December 2024", 9),
        ("December 5, 2024 09:00h CET", 8),
        ("December 5, 2024 (9:00 AM)", 9),
        ("December 5, 2024 (9:00 AM EST)", 14),
    ],
)
def test_a_date_with_a_time_and_a_zone(line: str, hours: float) -> None:
    day = datetime(2024, 7, 5, tzinfo=UTC) if "July" in line else DECEMBER_5
    assert read(line) == PageDate(day + timedelta(hours=hours))


def test_a_time_without_a_zone_is_in_the_zone_of_the_site() -> None:
    in_auckland = Retrieval(A_TIME.at, zone=ZoneInfo("Pacific/Auckland"))
    assert read("December 5, 2024 at 9:00 AM", in_auckland).at == DECEMBER_5 - timedelta(hours=4)
    assert read("December 5, 2024", in_auckland).at == DECEMBER_5 - timedelta(hours=13)
    assert read("Yesterday at 5:00 PM", in_auckland).at == datetime(2025, 3, 4, 4, tzinfo=UTC)


def test_an_unknown_zone_is_reported() -> None:
    page_date = read("December 5, 2024 at 9:00 AM XYZ")
    assert page_date.at == DECEMBER_5 + timedelta(hours=9)
    assert page_date.guess is not None
    assert "unknown time zone XYZ" in page_date.guess


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("Yesterday at 5:00 PM", datetime(2025, 3, 3, 17, tzinfo=UTC)),
        ("Today, 09:00", datetime(2025, 3, 4, 9, tzinfo=UTC)),
        ("2 days ago at 17:00", datetime(2025, 3, 2, 17, tzinfo=UTC)),
        # ageitgey/node-unfluff#93
        ("8 hours ago at 10:09 am", datetime(2025, 3, 4, 10, 9, tzinfo=UTC)),
        ("8 hours ago (7:32 AM)", datetime(2025, 3, 4, 7, 32, tzinfo=UTC)),
        ("45 minutes ago · 2:45 PM", datetime(2025, 3, 4, 14, 45, tzinfo=UTC)),
        ("17 hours ago, 22:30", datetime(2025, 3, 3, 22, 30, tzinfo=UTC)),
        ("15 hours ago at 11:58 PM", datetime(2025, 3, 3, 23, 58, tzinfo=UTC)),
        ("16h ago at 00:05", datetime(2025, 3, 4, 0, 5, tzinfo=UTC)),
        ("Monday at 5 PM", datetime(2025, 3, 3, 17, tzinfo=UTC)),
        ("Monday", datetime(2025, 3, 3, tzinfo=UTC)),
        ("last Tuesday", datetime(2025, 2, 25, tzinfo=UTC)),
        ("on Wednesday", datetime(2025, 2, 26, tzinfo=UTC)),
    ],
)
def test_days_that_are_named_relative_to_the_retrieval(line: str, expected: datetime) -> None:
    page_date = read(line)
    assert (page_date.at, page_date.source) == (expected, DateSource.AGE)
    assert page_date.guess


def test_an_age_in_hours_with_a_time_is_on_the_day_of_a_retrieval_without_a_time() -> None:
    assert read("8 hours ago at 10:09 am", A_DAY).at == datetime(2025, 3, 4, 10, 9, tzinfo=UTC)


def test_an_age_in_hours_with_a_time_is_in_the_zone_of_the_time() -> None:
    assert read("8 hours ago at 3:30 am EDT").at == datetime(2025, 3, 4, 7, 30, tzinfo=UTC)
    assert read("15 hours ago at 8:30 pm EDT").at == datetime(2025, 3, 4, 0, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("Dec 12", "2024-12-12"),
        ("3 March", "2025-03-03"),
        ("Tuesday, March 4", "2025-03-04"),
        ("Feb. 29", "2024-02-29"),
        ("the 5th of December", "2024-12-05"),
    ],
)
def test_a_date_without_a_year_is_the_last_one_before_the_retrieval(line: str, expected: str) -> None:
    page_date = read(line)
    assert page_date.at.date().isoformat() == expected
    assert (
        page_date.guess
        == f'the date "{line}" has no year: {expected} is the last such day before the retrieval'
    )


def test_a_month_is_uncertain() -> None:
    assert (read("December 2024").at, read("December 2024").source) == (
        datetime(2024, 12, 1, tzinfo=UTC),
        DateSource.UNCERTAIN,
    )


# --- 12/5/2024 ---


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("13/5/2024", "2024-05-13"),
        ("5/13/2024", "2024-05-13"),
        ("5-5-2024", "2024-05-05"),
        ("4/3/2025", "2025-03-04"),
        ("13/5/99", "1999-05-13"),
    ],
)
def test_digits_with_one_possible_order_are_not_guessed(line: str, expected: str) -> None:
    page_date = read(line, A_DAY)
    assert (page_date.at.date().isoformat(), page_date.source) == (expected, DateSource.CALENDAR)


def test_digits_with_two_possible_orders_are_guessed_and_reported() -> None:
    page_date = read("12/5/2024")
    assert page_date == PageDate(
        DECEMBER_5,
        'the date "12/5/2024" can be 2024-12-05 or 2024-05-12: 2024-12-05 was taken;'
        " --day-first or --month-first decides",
        DateSource.UNCERTAIN,
    )


def test_the_order_of_digits_can_be_known() -> None:
    assert read("12/5/2024", Retrieval(A_TIME.at, day_first=False)) == PageDate(DECEMBER_5)
    assert read("5/12/2024", Retrieval(A_TIME.at, day_first=True)) == PageDate(DECEMBER_5)
    assert order_of_digits(["On 5/12/2024 and 13/5/2024."]) is True
    assert order_of_digits(["5/12/2024", "5/13/2024"]) is False
    assert order_of_digits(["5/12/2024", "5/13/2024", "13/5/2024"]) is None
    assert order_of_digits(["1/2/3/13/2024"]) is None


# --- impossible dates and other texts ---


@pytest.mark.parametrize("line", ["February 30, 2024", "2024-13-01", "31.4.2024", "13/13/2024", "Feb 30"])
def test_an_impossible_date_does_not_become_a_headline(line: str) -> None:
    guess = f'the date "{line}" is not in the calendar: published at the retrieval date'
    assert read(line) == PageDate(A_TIME.at, guess, DateSource.MISSING)


@pytest.mark.parametrize(
    "line",
    [
        *(
            "12 Foo 2024",
            "In 2024",
            "2024",
            "May",
            "10",
            "Sun",
            "Sunday Roast",
            "March On",
            "3M",
            "3D",
            "9/11",
            "7-11",
        ),
        *(
            "A Week",
            "100 Years",
            "One Day",
            "Five Days in May",
            "Now and Then",
            "5:00 PM",
            "At noon",
            "Decade 5, 2024",
        ),
        *("December 5, 2024 – What happened", "A day ago we met", "The Fifth of December"),
        *("December 5, 2024 at 25:00", "December 5, 2024 at 13:00 PM", "", "Marathon 5, 2024"),
    ],
)
def test_other_texts_are_not_dates(line: str) -> None:
    assert read_date(line, A_TIME) is None


def test_a_date_after_the_retrieval_is_replaced_by_the_retrieval_date() -> None:
    guess = 'the date "March 5, 2025" is after the retrieval: published at the retrieval date'
    assert read("March 5, 2025", A_DAY) == PageDate(A_DAY.at, guess, DateSource.MISSING)


def test_a_time_on_the_day_of_a_retrieval_without_a_time_is_possible() -> None:
    assert read("March 4, 2025 at 9:00 AM", A_DAY) == PageDate(datetime(2025, 3, 4, 9, tzinfo=UTC))
    assert read("March 4, 2025 at 5:00 PM", A_TIME).source is DateSource.MISSING


# --- ages ---


@pytest.mark.parametrize(
    ("text", "age"),
    [
        ("5 days ago", timedelta(days=5)),
        ("1 week ago", timedelta(days=7)),
        ("a week ago", timedelta(days=7)),
        ("an hour ago", timedelta(hours=1)),
        ("half an hour ago", timedelta(minutes=30)),
        ("five days ago", timedelta(days=5)),
        ("a few days ago", timedelta(days=3)),
        ("a couple of weeks ago", timedelta(days=14)),
        ("a fortnight ago", timedelta(days=14)),
        ("about 2 months ago", timedelta(days=60)),
        ("yesterday", timedelta(days=1)),
        ("last week", timedelta(days=7)),
        ("Last Month", timedelta(days=30)),
        ("last year", timedelta(days=365)),
        ("just now", timedelta(0)),
        ("today", timedelta(0)),
        ("moments ago", timedelta(0)),
        ("3 months ago", timedelta(days=90)),
        ("1 mo ago", timedelta(days=30)),
        ("2 wks ago", timedelta(days=14)),
        ("1 hr. ago", timedelta(hours=1)),
        ("5 MINS AGO", timedelta(minutes=5)),
        ("30 seconds ago", timedelta(seconds=30)),
        ("3d", timedelta(days=3)),
        ("5h", timedelta(hours=5)),
        ("10m", timedelta(minutes=10)),
        ("2w", timedelta(days=14)),
        ("3mo", timedelta(days=90)),
        ("1y", timedelta(days=365)),
        ("1y ago", timedelta(days=365)),
        ("5 days", timedelta(days=5)),
        ("3 d. ago", timedelta(days=3)),
        ("30+ days ago", timedelta(days=30)),
        (">1y ago", timedelta(days=365)),
        ("1.5 hours ago", timedelta(hours=1.5)),
        ("previous week", timedelta(days=7)),
        ("past month", timedelta(days=30)),
        ("2h 30m", timedelta(hours=2.5)),
        ("2h 30m ago", timedelta(hours=2.5)),
        ("1 year, 2 months ago", timedelta(days=425)),
        ("1 hour and 30 minutes ago", timedelta(hours=1.5)),
        ("  5\u00a0Days   AGO\n", timedelta(days=5)),
        ("999999 years ago", timedelta(days=999_999 * 365)),
    ],
)
def test_ages_as_pages_print_them(text: str, age: timedelta) -> None:
    age_on_page = read_age(text)
    assert age_on_page is not None
    assert age_on_page.length == age


@pytest.mark.parametrize("text", ["in 3 days", "99999999999999999999 weeks ago", "in an hour", "1000000d"])
def test_an_impossible_age_does_not_become_a_headline(text: str) -> None:
    age_on_page = read_age(text)
    assert age_on_page is not None
    assert age_on_page.length is None
    assert read(text).source is DateSource.MISSING


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            "ago",
            "day ago",
            "-5 days ago",
            "5 dayss ago",
            "5 days ago today",
            "It was 5 days ago",
        ),
        *(
            "٥ days ago",
            "5 D",
            "A Week",
            "a week",
            "five days",
            "Last Weekend",
            "Yesterday’s news",
            "5 x ago",
        ),
    ],
)
def test_text_that_is_not_an_age(text: str) -> None:
    assert read_age(text) is None


@given(st.integers(min_value=0, max_value=200 * 365 * 86_400_000_000))
def test_an_age_that_a_page_of_this_program_shows_is_read_back(age: int) -> None:
    text = relative_time(A_TIME.at - timedelta(microseconds=age), A_TIME.at)
    age_on_page = read_age(text)
    assert age_on_page is not None
    assert age_on_page.length is not None
    assert relative_time(A_TIME.at - age_on_page.length, A_TIME.at) == text
    assert age_on_page.length <= timedelta(microseconds=age)


def test_hours_are_not_subtracted_from_a_date_without_a_time() -> None:
    for age, days in {"3 hours ago": 0, "23 hours ago": 0, "yesterday": 1, "2 weeks ago": 14}.items():
        assert read(age, A_DAY).at == A_DAY.at - timedelta(days=days)


@given(
    st.text(
        alphabet=st.sampled_from("0123456789:-/.,+ TZapmdecDECEMBERagoyesterdayin()’年月日\u00a0"),
        max_size=40,
    )
)
def test_any_text_is_a_date_before_the_end_of_the_retrieval_or_none(text: str) -> None:
    page_date = read_date(text, A_TIME)
    assert page_date is None or page_date.at <= A_TIME.at
