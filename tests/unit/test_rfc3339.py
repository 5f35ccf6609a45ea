"""Times are read exactly as RFC 3339 defines `date-time`, section 5.6, with the restrictions of section 5.7."""

import calendar
import re
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ledgerpress.rfc3339 import (
    EPOCH,
    InvalidTime,
    format_time,
    parse,
    parse_date_or_time,
    to_datetime,
    to_microseconds,
)


@pytest.mark.parametrize(
    ("text", "read"),
    [
        # Section 5.8.
        ("1985-04-12T23:20:50.52Z", "1985-04-12T23:20:50.520000Z"),
        ("1996-12-19T16:39:57-08:00", "1996-12-20T00:39:57Z"),
        ("1990-12-31T23:59:60Z", "1991-01-01T00:00:00Z"),
        ("1990-12-31T15:59:60-08:00", "1991-01-01T00:00:00Z"),
        ("1937-01-01T12:00:27.87+00:20", "1937-01-01T11:40:27.870000Z"),
        # Letters.
        ("2024-12-22t09:00:00z", "2024-12-22T09:00:00Z"),
        ("2024-12-22t09:00:00Z", "2024-12-22T09:00:00Z"),
        ("2024-12-22T09:00:00z", "2024-12-22T09:00:00Z"),
        # Offsets.
        ("2024-12-22T09:00:00-00:00", "2024-12-22T09:00:00Z"),
        ("2024-12-22T09:00:00+00:00", "2024-12-22T09:00:00Z"),
        ("2024-12-22T09:00:00+23:59", "2024-12-21T09:01:00Z"),
        ("2024-12-22T09:00:00-23:59", "2024-12-23T08:59:00Z"),
        # Fractions.
        ("2024-12-22T09:00:00.5Z", "2024-12-22T09:00:00.500000Z"),
        ("2024-12-22T09:00:00.000000999Z", "2024-12-22T09:00:00Z"),
        ("2024-12-22T09:00:00.123456789Z", "2024-12-22T09:00:00.123456Z"),
        ("1969-12-31T23:59:59.9999999Z", "1969-12-31T23:59:59.999999Z"),
        ("2024-12-22T09:00:00." + "0" * 400 + "Z", "2024-12-22T09:00:00Z"),
        # Leap seconds.
        ("2016-12-31T23:59:60.75Z", "2017-01-01T00:00:00.750000Z"),
        ("2015-07-01T08:59:60+09:00", "2015-07-01T00:00:00Z"),
        ("2015-06-30T19:29:60-04:30", "2015-07-01T00:00:00Z"),
        ("2028-02-29T23:59:60Z", "2028-03-01T00:00:00Z"),
        # Days.
        ("2024-02-29T00:00:00Z", "2024-02-29T00:00:00Z"),
        ("2000-02-29T00:00:00Z", "2000-02-29T00:00:00Z"),
        ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00Z"),
        ("9999-12-31T23:59:59.999999Z", "9999-12-31T23:59:59.999999Z"),
    ],
)
def test_valid_times(text: str, read: str) -> None:
    assert format_time(parse(text)) == read
    assert parse(read) == parse(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2024-W51-7T09:00:00Z",
        "2024W517T090000Z",
        "2024-357T09:00:00Z",
        "20241222T090000Z",
        "2024-12-22",
        "2024-12-22T09Z",
        "2024-12-22T09:00Z",
        "2024-12-22T0900:00Z",
        "2024-12-22T09:00:00",
        "2024-12-22T09:00:00+0100",
        "2024-12-22T09:00:00+01",
        "2024-12-22T09:00:00+01:00:00",
        "2024-12-22T09:00:00+1:00",
        "2024-12-22T09:00:00+24:00",
        "2024-12-22T09:00:00+00:60",
        "2024-12-22T09:00:00\N{MINUS SIGN}01:00",
        "2024-12-22T09:00:00,5Z",
        "2024-12-22T09:00:00.Z",
        "2024-12-22T09:00.5Z",
        "2024-12-22 09:00:00Z",
        "2024-12-22_09:00:00Z",
        "2024-12-22T09:00:00 Z",
        " 2024-12-22T09:00:00Z",
        "2024-12-22T09:00:00Z\n",
        "2024-12-22T09:00:00Z[Europe/Paris]",
        "2024-12-22T09:00:00UTC",
        "2024-12-22T24:00:00Z",
        "2024-12-22T09:60:00Z",
        "2024-12-22T09:00:61Z",
        "2024-13-22T09:00:00Z",
        "2024-00-22T09:00:00Z",
        "2024-12-00T09:00:00Z",
        "2024-12-32T09:00:00Z",
        "2024-2-22T09:00:00Z",
        "24-12-22T09:00:00Z",
        "+2024-12-22T09:00:00Z",
        "-0001-12-22T09:00:00Z",
        "02024-12-22T09:00:00Z",
        "2023-02-29T09:00:00Z",
        "1900-02-29T09:00:00Z",
        "2024-04-31T09:00:00Z",
        "0000-01-01T00:00:00Z",
        # A leap second is at the end of a month, UTC.
        "2024-12-22T09:00:60Z",
        "1998-12-31T23:58:60Z",
        "1998-12-31T22:59:60Z",
        "1998-12-31T23:59:60-08:00",
        "1998-12-30T23:59:60Z",
        # Outside of what can be written again.
        "9999-12-31T23:59:60Z",
        "9999-12-31T23:59:59-00:01",
        "0001-01-01T00:00:00+00:01",
        # Digits of other scripts, which `\\d` and `int` accept.
        "\N{ARABIC-INDIC DIGIT TWO}024-12-22T09:00:00Z",
        "2024-12-22T09:00:00.\N{FULLWIDTH DIGIT FIVE}Z",
        "2024-12-22T09:00:00\N{FULLWIDTH LATIN CAPITAL LETTER Z}",
        "2024-12-22\N{LATIN SMALL LETTER T WITH CARON}09:00:00Z",
    ],
)
def test_invalid_times(text: str) -> None:
    with pytest.raises(InvalidTime):
        parse(text)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("2024-12-22T09:00:00", "offset"),
        ("2024-12-22T09:00:00.5", "offset"),
        ("2023-02-29T09:00:00Z", "2023-02 does not have a day 29"),
        ("2024-12-22T09:00:60Z", "leap second"),
        ("9999-12-31T23:59:60Z", "9999"),
        ("0000-01-01T00:00:00Z", "year 0"),
        ("soon", "2024-12-22T09:00:00Z"),
    ],
)
def test_the_error_states_the_reason(text: str, reason: str) -> None:
    with pytest.raises(InvalidTime, match=re.escape(reason)):
        parse(text)


def test_dates_are_accepted_only_where_they_are_meant() -> None:
    assert format_time(parse_date_or_time("2024-12-22")) == "2024-12-22T00:00:00Z"
    assert parse_date_or_time("2024-12-22T09:00:00+01:00") == parse("2024-12-22T08:00:00Z")
    for text in (
        "2023-02-29",
        "2024-12",
        "2024-W51-7",
        "20241222",
        "2024-12-22Z",
        "2024-12-22T09:00",
        "2024-12-22 ",
    ):
        with pytest.raises(InvalidTime):
            parse_date_or_time(text)


# The grammar, written a second time: the text of each part, and the time that it adds.
_years = st.integers(2, 9998)
_digits = st.text("0123456789", min_size=1, max_size=12)
_offsets = st.one_of(
    st.sampled_from("Zz").map(lambda letter: (letter, timedelta())),
    st.tuples(st.sampled_from("+-"), st.integers(0, 23), st.integers(0, 59)).map(
        lambda parts: (
            f"{parts[0]}{parts[1]:02}:{parts[2]:02}",
            timedelta(hours=parts[1], minutes=parts[2]) * (1 if parts[0] == "+" else -1),
        )
    ),
)


@st.composite
def _times(draw: st.DrawFn) -> tuple[str, int]:
    """Return a `date-time` of the grammar and the time that it means."""
    offset_text, offset = draw(_offsets)
    year, month = draw(_years), draw(st.integers(1, 12))
    is_leap_second = draw(st.integers(0, 3)) == 0
    fraction = draw(st.none() | _digits)
    if is_leap_second:
        last = datetime(year, month, calendar.monthrange(year, month)[1], 23, 59, tzinfo=UTC)
        local, second = last.astimezone(timezone(offset)), 60
    else:
        day = draw(st.integers(1, calendar.monthrange(year, month)[1]))
        local = datetime(
            year, month, day, draw(st.integers(0, 23)), draw(st.integers(0, 59)), tzinfo=timezone(offset)
        )
        second = draw(st.integers(0, 59))
    text = (
        f"{local.year:04}-{local.month:02}-{local.day:02}{draw(st.sampled_from('Tt'))}"
        f"{local.hour:02}:{local.minute:02}:{second:02}{'' if fraction is None else f'.{fraction}'}{offset_text}"
    )
    micro = int(f"{fraction or 0:0<6}"[:6])
    return text, (local - EPOCH) // timedelta(microseconds=1) + second * 1_000_000 + micro


@given(_times())
def test_every_text_of_the_grammar_is_read(time: tuple[str, int]) -> None:
    text, expected = time
    assert parse(text) == expected
    assert parse(format_time(expected)) == expected


@given(_times(), st.data())
def test_a_changed_text_is_read_only_if_it_is_still_of_the_grammar(
    time: tuple[str, int], data: st.DataObject
) -> None:
    text, _ = time
    at = data.draw(st.integers(0, len(text)))
    character = data.draw(st.sampled_from("0123456789:-+.,TtZzW \n\u0661\uff15"))
    changed = data.draw(
        st.sampled_from(
            [
                text[:at] + character + text[at:],
                text[:at] + text[at + 1 :],
                text[:at] + character + text[at + 1 :],
            ]
        )
    )
    try:
        read = parse(changed)
    except InvalidTime:
        return
    assert re.fullmatch(
        r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?([Zz]|[+-][0-9]{2}:[0-9]{2})",
        changed,
    )
    assert to_microseconds(to_datetime(read)) == read


@given(st.text(max_size=40))
@example("2024-12-22T09:00:00Z")
def test_any_text_is_read_or_rejected(text: str) -> None:
    try:
        read = parse(text)
    except InvalidTime:
        return
    assert parse(format_time(read)) == read


@given(st.integers(-62_135_596_800_000_000, 253_402_300_799_999_999))
def test_every_time_that_is_written_is_read_again(time: int) -> None:
    assert parse(format_time(time)) == time
