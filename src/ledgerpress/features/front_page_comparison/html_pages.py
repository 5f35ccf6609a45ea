"""The page that compares the front page at two points in time."""

import re
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, tzinfo
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from ledgerpress import rfc3339
from ledgerpress.features.front_page_comparison.comparison import Place, compare
from ledgerpress.features.posts.pages import Moment, article_href, moment
from ledgerpress.features.site.queries import site_tzinfo
from ledgerpress.http.pages.conditional_requests import revalidated
from ledgerpress.http.pages.interface_texts.words import Text
from ledgerpress.http.pages.link import Link
from ledgerpress.http.pages.page_contributions_and_rendering import PageContribution, Pages
from ledgerpress.http.pages.page_headers import FORM_POLICY
from ledgerpress.views import recorded_time_positions as recorded_time
from ledgerpress.views.snapshot_and_cache_dependencies import Snapshot

_DAY: Final = 86_400_000_000
_MAX_DIGITS: Final = 15
_MICROSECONDS: Final = 1_000_000
_MAX_SHOWN: Final = 40
_LOCAL_TIME: Final = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})[T ]([0-9]{2}:[0-9]{2})(:[0-9]{2})?")
"""The value of a form's field for a local time, and what readers write in a browser without such a field."""


class InvalidMoment(ValueError):
    """A point in time that a reader entered is not valid. `text` states what to enter."""

    def __init__(self, text: Text) -> None:
        super().__init__(text)
        self.text = text


@dataclass(frozen=True, slots=True)
class Point:
    """A point in time: its position, the time that the reader entered or that of the position, and the field's value."""

    position: int
    at: Moment | None
    value: str


@dataclass(frozen=True, slots=True)
class PlaceOnPage:
    """An article in the comparison."""

    title: str
    href: str
    before: int | None
    now: int | None
    former_title: str | None


def _compare(pages: Pages, snapshot: Snapshot, request: Request) -> Response:
    if not pages.open_past:
        return pages.page(snapshot, "past_closed.html", status=HTTPStatus.FORBIDDEN)
    zone, parameters = site_tzinfo(snapshot), request.query_params
    values = parameters.get("from") or str(_position_at(snapshot, pages.now - _DAY)), parameters.get("to", "")
    try:
        then, now = (_point(snapshot, value, zone, pages.now) for value in values)
    except InvalidMoment as error:
        fields = {"from_value": parameters.get("from", ""), "to_value": parameters.get("to", "")}
        return _page(pages, snapshot, status=HTTPStatus.BAD_REQUEST, problem=error.text, **fields)
    if then.position > now.position:
        then, now = now, then
    both = compare(pages.as_of(then.position), pages.as_of(now.position))
    groups = [
        (Text("Added"), _on_page(both.added)),
        (Text("No longer on the front page"), _on_page(both.removed)),
        (Text("Moved"), _on_page(both.moved)),
        (Text("In the same place"), _on_page(both.unchanged)),
    ]
    page = _page(
        pages,
        snapshot,
        then=then,
        now=now,
        groups=groups,
        is_equal=not (both.added or both.removed or both.moved),
        from_value=then.value,
        to_value=now.value,
    )
    return revalidated(request, page)


def _page(pages: Pages, snapshot: Snapshot, *, status: int = HTTPStatus.OK, **values: Any) -> Response:
    defaults: dict[str, Any] = {
        "problem": None,
        "then": None,
        "now": None,
        "groups": (),
        "is_equal": False,
    }
    return pages.page(snapshot, "compare.html", status=status, policy=FORM_POLICY, **{**defaults, **values})


def _point(snapshot: Snapshot, value: str, zone: tzinfo, now: int) -> Point:
    """Return the point in time that a reader entered: a time, a position, or nothing for now. Raises `InvalidMoment`."""
    text, time = value.strip(), None
    if not text:
        position = snapshot.position
    elif text.isascii() and text.isdigit():
        position = int(text) if len(text) <= _MAX_DIGITS else snapshot.position + 1
        if position > snapshot.position:
            problem = Text(
                "There is no position {position}: the log is at {head}.",
                position=text[:_MAX_SHOWN],
                head=snapshot.position,
            )
            raise InvalidMoment(problem)
    else:
        time = _time(text, zone)
        if time > now:
            raise InvalidMoment(
                Text("{time} is in the future: enter an earlier time.", time=text[:_MAX_SHOWN])
            )
        position = _position_at(snapshot, time)
    time_there = time if time is not None else recorded_time.time_of(snapshot.at(position))
    if time_there is None:
        return Point(position, None, "")
    at = moment(time_there, time_there, zone)
    return Point(position, at, _value(text, time_there, zone))


def _position_at(snapshot: Snapshot, time: int) -> int:
    return recorded_time.position_at(snapshot, time)


def _value(text: str, time: int, zone: tzinfo) -> str:
    """Return the value of the form's field: what the reader entered, or the time at a position."""
    try:
        return (
            text
            if text and not text.isdigit()
            else f"{datetime.fromtimestamp(time / _MICROSECONDS, zone):%Y-%m-%dT%H:%M:%S}"
        )
    except (OverflowError, ValueError):
        return ""


def _time(text: str, zone: tzinfo) -> int:
    """Return a time in microseconds since 1970, UTC. Without an offset, it is in the time zone of the site."""
    with suppress(rfc3339.InvalidTime):
        return rfc3339.parse(text)
    if match := _LOCAL_TIME.fullmatch(text):
        date, minute, second = match.groups(default=":00")
        with suppress(rfc3339.InvalidTime, OverflowError):
            local = rfc3339.to_datetime(rfc3339.parse(f"{date}T{minute}{second}Z"))
            return rfc3339.to_microseconds(local.replace(tzinfo=zone))
    raise InvalidMoment(
        Text(
            "“{value}” is not a time: write it like 2026-11-30T09:00, or enter a position of the log.",
            value=text[:_MAX_SHOWN],
        )
    )


def _on_page(places: Iterable[Place]) -> Sequence[PlaceOnPage]:
    return [
        PlaceOnPage(
            title=place.article.title,
            href=article_href(place.article.slug),
            before=place.before,
            now=place.now,
            former_title=place.former_title,
        )
        for place in places
    ]


def _footer(pages: Pages, snapshot: Snapshot, subject: object) -> Sequence[Link]:
    return [Link("Compare front pages", "/compare")] if pages.open_past else []


PAGES: Final = PageContribution(
    routes={"/compare": _compare},
    templates=Path(__file__).parent / "templates",
    links={"footer": _footer},
)
