"""The page that compares the front page at two points in time."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import tzinfo
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
    """A point in time: its position, and the time that the reader entered or that of the position, also for the field.

    `time` is in microseconds since 1970, UTC; it is the current time if the reader entered nothing. `at` is `None` before
    the first event.
    """

    position: int
    time: int
    at: Moment | None
    value: str


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
        first = _point(snapshot, parameters.get("from") or _day_before(second, snapshot), zone, pages.now)
    except InvalidMoment as error:
        fields = {"from_value": parameters.get("from", ""), "to_value": parameters.get("to", "")}
        return _page(pages, snapshot, status=HTTPStatus.BAD_REQUEST, problem=error.text, **fields)
    is_reversed = first.position > second.position
    older, newer = (second, first) if is_reversed else (first, second)
    both = compare(pages.as_of(older.position), pages.as_of(newer.position))
    # The current articles are at their addresses without a moment.
    newer_at = None if newer.position == snapshot.position else newer.position
    groups = [
        (Text("Added"), _on_page(both.added, newer_at)),
        (Text("No longer on the front page"), _on_page(both.removed, older.position)),
        (Text("Moved"), _on_page(both.moved, newer_at)),
        (Text("In the same place"), _on_page(both.unchanged, newer_at)),
    ]
    page = _page(
        pages,
        snapshot,
        older=older,
        newer=newer,
        is_reversed=is_reversed,
        groups=groups,
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
        "is_equal": False,
        "zone": site_time_zone(snapshot),
    }
    values = {**defaults, **values}
    return pages.page(snapshot, "compare.html", status=status, policy=FORM_POLICY, is_in_time=False, **values)


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
        time = _time(text, zone, now)
        position = _position_at(snapshot, time)
    shown = recorded_time.time_of(snapshot.at(position)) if time is None else time
    if shown is None:
        return Point(position, 0, None, "")
    at = local_time(shown, zone).replace(tzinfo=None)
    # A page that compares with now shows the time of the last event, so that it stays the same until the next one.
    return Point(
        position, shown if text else now, moment(shown, shown, zone), at.isoformat(timespec="seconds")
    )


def _day_before(point: Point, snapshot: Snapshot) -> str:
    """Return the position a day before a point in time, as a reader enters it."""
    return str(_position_at(snapshot, point.time - _DAY))


def _position_at(snapshot: Snapshot, time: int) -> int:
    return recorded_time.position_at(snapshot, time)


def _time(text: str, zone: tzinfo, now: int) -> int:
    """Return the time that a text names, in microseconds since 1970, UTC: of a day or a minute, its end.

    Without an offset, it is in the time zone of the site.
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
    return min(end, now)


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
