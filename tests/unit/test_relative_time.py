"""Relative times: their text, when it changes, and parsing."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledgerpress.views.relative_time_text import relative_time, relative_time_changes_at

NOW = datetime(2026, 5, 4, 12, 30, tzinfo=UTC)
LONGEST = 200 * 365 * 86_400_000_000

instants = st.integers(min_value=-(2**53), max_value=2**53 - 1)
microsecond_ages = st.one_of(
    st.integers(min_value=-LONGEST, max_value=LONGEST),
    st.builds(
        lambda minutes, jitter: minutes * 60_000_000 + jitter,
        st.integers(min_value=0, max_value=800 * 1440),
        st.integers(min_value=-1, max_value=1),
    ),
)


@pytest.mark.parametrize(
    ("age", "text"),
    [
        (timedelta(seconds=-1), "just now"),
        (timedelta(days=-400), "just now"),
        (timedelta(0), "just now"),
        (timedelta(seconds=59, microseconds=999_999), "just now"),
        (timedelta(minutes=1), "1 minute ago"),
        (timedelta(minutes=59, seconds=59), "59 minutes ago"),
        (timedelta(hours=1), "1 hour ago"),
        (timedelta(hours=23, minutes=59), "23 hours ago"),
        (timedelta(days=1), "1 day ago"),
        (timedelta(days=5), "5 days ago"),
        (timedelta(days=7) - timedelta(microseconds=1), "6 days ago"),
        (timedelta(days=7), "1 week ago"),
        (timedelta(days=29, hours=23), "4 weeks ago"),
        (timedelta(days=30), "1 month ago"),
        (timedelta(days=95), "3 months ago"),
        (timedelta(days=364), "12 months ago"),
        (timedelta(days=365), "1 year ago"),
        (timedelta(days=730), "2 years ago"),
    ],
)
def test_an_age_is_written_in_its_largest_unit_rounded_down(age: timedelta, text: str) -> None:
    assert relative_time(NOW - age, NOW) == text


def test_microseconds_and_datetimes_are_the_same_instants() -> None:
    then = datetime(2026, 5, 4, 10, 0, tzinfo=UTC)
    microseconds = 1_777_888_800_000_000
    assert datetime.fromtimestamp(microseconds / 1_000_000, UTC) == then
    assert relative_time(microseconds, NOW) == relative_time(then, NOW) == "2 hours ago"
    assert relative_time_changes_at(then, NOW) == microseconds + 3 * 3_600_000_000


def test_a_time_without_a_time_zone_is_rejected() -> None:
    naive = datetime(2026, 5, 4)  # noqa: DTZ001
    with pytest.raises(ValueError, match="time zone"):
        relative_time(naive, NOW)
    with pytest.raises(ValueError, match="time zone"):
        relative_time_changes_at(NOW, naive)


@pytest.mark.parametrize(
    ("age", "changes"),
    [
        (timedelta(seconds=-30), timedelta(minutes=1)),
        (timedelta(0), timedelta(minutes=1)),
        (timedelta(minutes=59), timedelta(hours=1)),
        (timedelta(days=6, hours=5), timedelta(days=7)),
        (timedelta(days=28), timedelta(days=30)),
        (timedelta(days=31), timedelta(days=60)),
        (timedelta(days=361), timedelta(days=365)),
        (timedelta(days=800), timedelta(days=1095)),
    ],
)
def test_the_time_of_the_next_change_of_the_text(age: timedelta, changes: timedelta) -> None:
    now = 1_777_888_800_000_000
    then = now - age // timedelta(microseconds=1)
    assert relative_time_changes_at(then, now) == then + changes // timedelta(microseconds=1)


@given(then=instants, age=microsecond_ages, between=st.floats(min_value=0, max_value=1))
def test_the_text_is_the_same_until_the_predicted_change(then: int, age: int, between: float) -> None:
    now = then + age
    text = relative_time(then, now)
    changes = relative_time_changes_at(then, now)
    assert changes > now
    assert relative_time(then, now + int((changes - 1 - now) * between)) == text
    assert relative_time(then, changes - 1) == text
    assert relative_time(then, changes) != text
