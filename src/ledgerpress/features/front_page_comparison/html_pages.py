"""The page that compares the front page at two points in time."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, tzinfo
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response

from ledgerpress import rfc3339
from ledgerpress.features.front_page_comparison.comparison import Place, compare
from ledgerpress.features.posts.pages import Moment, article_href, moment
from ledgerpress.features.site.local_times import local_time
from ledgerpress.features.site.queries import site_time_zone, site_tzinfo
from ledgerpress.http.pages.conditional_requests import revalidated
from ledgerpress.http.pages.interface_texts.words import Text
from ledgerpress.http.pages.link import Link
from ledgerpress.http.pages.page_contributions_and_rendering import PageContribution, Pages
from ledgerpress.http.pages.page_headers import FORM_POLICY
from ledgerpress.http.pages.page_moment import AS_OF
from ledgerpress.views import recorded_time_positions as recorded_time
from ledgerpress.views.snapshot_and_cache_dependencies import Snapshot

_PATH: Final = "/compare"
_DAY: Final = 86_400_000_000
_MINUTE: Final = 60_000_000
_FIRST_TIME: Final = rfc3339.to_microseconds(datetime.min.replace(tzinfo=UTC))
_MAX_DIGITS: Final = 15
_MAX_SHOWN: Final = 40
_SPACE_BEFORE_TIME: Final = re.compile(r"(?<=[0-9]{4}-[0-9]{2}-[0-9]{2}) (?=[0-9])")
"""What readers write in a browser without a field for times."""


class InvalidMoment(ValueError):
    """A point in time that a reader entered is not valid. `text` states what to enter."""

    def __init__(self, text: Text) -> None:
        super().__init__(text)
        self.text = text


@dataclass(frozen=True, slots=True)
class Point:
    """A point in time: its position, and the time that the reader entered, or that of the position.

    `time` is in microseconds since 1970, UTC. `at` is that time for the page; `None` for now, and for a position before the
    first event. `value` is what the field shows: what the reader entered. `href` is the front page as of then.
    """

    position: int
    time: int
    at: Moment | None
    value: str
    href: str
    is_now: bool = False


@dataclass(frozen=True, slots=True)
class PlaceOnPage:
    """An article in the comparison. `href` is that of the article as of the front page that has it."""

    title: str
    href: str
    before: int | None
    now: int | None
    former_title: str | None


def _compare(pages: Pages, snapshot: Snapshot, request: Request) -> Response:
    if not pages.open_past:
        return pages.page(snapshot, "past_closed.html", status=HTTPStatus.FORBIDDEN)
    zone, parameters = site_tzinfo(snapshot), request.query_params
    if pages.moment.is_requested:
        # The page has two moments of its own: that of the page before becomes the later one.
        wanted = {"from": parameters.get("from"), "to": parameters.get("to") or parameters[AS_OF]}
        query = urlencode({name: value for name, value in wanted.items() if value})
        return pages.moved(snapshot, _PATH, query)
    try:
        second = _point(snapshot, parameters.get("to", ""), zone, pages.now)
        entered = parameters.get("from", "").strip()
        first = _point(snapshot, entered, zone, pages.now) if entered else _day_before(snapshot, second, zone)
    except InvalidMoment as error:
        fields = {"from_value": parameters.get("from", ""), "to_value": parameters.get("to", "")}
        return _page(pages, snapshot, status=HTTPStatus.BAD_REQUEST, problem=error.text, **fields)
    is_reversed = (first.position, first.time) > (second.position, second.time)
    older, newer = (second, first) if is_reversed else (first, second)
    both = compare(pages.as_of(older.position), pages.as_of(newer.position))
    # The current articles are at their addresses without a moment.
    newer_at = None if newer.position == snapshot.position else newer.position
    # Articles that were only pushed up or down are counted, unless there is more to say about them.
    renamed = [place for place in both.shifted if place.former_title]
    groups = [
        (Text("Added"), _on_page(both.added, newer_at)),
        (Text("No longer on the front page"), _on_page(both.removed, older.position)),
        (Text("Moved"), _on_page(both.moved, newer_at)),
        (Text("With another headline"), _on_page(renamed, newer_at)),
    ]
    page = _page(
        pages,
        snapshot,
        older=older,
        newer=newer,
        is_reversed=is_reversed,
        groups=groups,
        is_empty=not (both.removed or both.added or both.moved or both.shifted or both.unchanged),
        shifted=len(both.shifted) - len(renamed),
        unchanged=_on_page(both.unchanged, newer_at),
        is_equal=not (both.added or both.removed or both.moved),
        from_value=older.value,
        to_value=newer.value,
    )
    return revalidated(request, page)


def _page(pages: Pages, snapshot: Snapshot, *, status: int = HTTPStatus.OK, **values: Any) -> Response:
    defaults: dict[str, Any] = {
        "problem": None,
        "older": None,
        "newer": None,
        "is_reversed": False,
        "groups": (),
        "is_empty": False,
        "shifted": 0,
        "unchanged": (),
        "is_equal": False,
        "zone": site_time_zone(snapshot),
    }
    values = {**defaults, **values}
    return pages.page(snapshot, "compare.html", status=status, policy=FORM_POLICY, is_in_time=False, **values)


def _point(snapshot: Snapshot, text: str, zone: tzinfo, now: int) -> Point:
    """Return the point in time that a reader entered: a time, a position, or nothing for now. Raises `InvalidMoment`."""
    text = text.strip()
    if not text:
        # In full minutes, so that the page stays the same for a minute.
        end = now - now % _MINUTE + _MINUTE - 1
        return Point(snapshot.position, end, None, "", "/", is_now=True)
    if text.isascii() and text.isdigit():
        return _point_at_position(snapshot, text, zone)
    begin, end = _span(text, zone, now)
    precision = "minutes" if end - begin >= _MINUTE - 1 else "seconds"
    return _point_at_time(snapshot, min(end, now), zone, precision)


def _point_at_position(snapshot: Snapshot, text: str, zone: tzinfo) -> Point:
    position = int(text) if len(text) <= _MAX_DIGITS else snapshot.position + 1
    if position > snapshot.position:
        problem = Text(
            "There is no position {position}: the log is at {head}.",
            position=text[:_MAX_SHOWN],
            head=snapshot.position,
        )
        raise InvalidMoment(problem)
    time, href = recorded_time.time_of(snapshot.at(position)), _front_page(str(position))
    if time is None:
        return Point(position, _FIRST_TIME, None, "", href)
    # The field has only times.
    value = _field_value(time, zone, "seconds")
    return Point(position, time, moment(time, time, zone), value, href)


def _point_at_time(snapshot: Snapshot, time: int, zone: tzinfo, precision: str) -> Point:
    position, value = recorded_time.position_at(snapshot, time), _field_value(time, zone, precision)
    return Point(position, time, moment(time, time, zone), value, _front_page(value))


def _day_before(snapshot: Snapshot, point: Point, zone: tzinfo) -> Point:
    """Return the time 24 hours before a point in time. The field for it stays empty."""
    time = max(point.time - _DAY, _FIRST_TIME)
    precision = "minutes" if (time + 1) % _MINUTE == 0 else "seconds"
    return replace(_point_at_time(snapshot, time, zone, precision), value="")


def _field_value(time: int, zone: tzinfo, precision: str) -> str:
    """Return a time as the field for it shows it, which has no time zone."""
    return local_time(time, zone).replace(tzinfo=None).isoformat(timespec=precision)


def _front_page(as_of: str) -> str:
    return f"/?{urlencode({AS_OF: as_of})}"


def _span(text: str, zone: tzinfo, now: int) -> tuple[int, int]:
    """Return the first and the last microsecond of the time that a text names: of a day, a minute or a second.

    Without an offset, it is in the time zone of the site. The point in time is the end. Raises `InvalidMoment`.
    """
    try:
        begin, end = rfc3339.parse_span(_SPACE_BEFORE_TIME.sub("T", text).replace(" ", "+"), zone)
    except rfc3339.InvalidTime:
        raise InvalidMoment(
            Text(
                "“{value}” is not a time: write it like 2026-11-30T09:00, or enter a position of the log.",
                value=text[:_MAX_SHOWN],
            )
        ) from None
    if begin > now:
        raise InvalidMoment(Text("{time} is in the future: enter an earlier time.", time=text[:_MAX_SHOWN]))
    return begin, end


def _on_page(places: Iterable[Place], position: int | None) -> Sequence[PlaceOnPage]:
    """Return the articles, with links to them as of a position, or to the current ones."""
    query = "" if position is None else f"?{AS_OF}={position}"
    return [
        PlaceOnPage(
            title=place.article.title or article_href(place.article.slug),
            href=article_href(place.article.slug) + query,
            before=place.before,
            now=place.now,
            former_title=place.former_title,
        )
        for place in places
    ]


def _footer(pages: Pages, snapshot: Snapshot, subject: object) -> Sequence[Link]:
    return [Link("Compare front pages", _PATH)] if pages.open_past else []


PAGES: Final = PageContribution(
    routes={_PATH: _compare},
    templates=Path(__file__).parent / "templates",
    links={"footer": _footer},
)
