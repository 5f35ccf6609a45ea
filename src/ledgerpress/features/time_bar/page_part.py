"""The time bar, with the banner of pages as of a moment: the values for the template."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import tzinfo
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final, Literal

from ledgerpress.features.site.local_times import DayText, MinuteText, ZoneText, local_time
from ledgerpress.features.site.queries import site_time_zone, site_tzinfo
from ledgerpress.features.time_bar.marks import Mark, marks_of, time_at
from ledgerpress.graphql.scalars import iso_time
from ledgerpress.http.pages.links_at_moments import other_parameters, query_of_current_page
from ledgerpress.http.pages.page_contributions_and_rendering import PageContribution
from ledgerpress.http.pages.page_moment import PageMoment
from ledgerpress.http.pages.page_parts import PagePart, PageView
from ledgerpress.views import recorded_time_positions as recorded_time

_FOLDER: Final = Path(__file__).parent
_SECOND: Final = 1_000_000
_MINUTE: Final = 60 * _SECOND
_WIDTH: Final = 1_000
"""The width of the picture with the marks, in its own units."""


@dataclass(frozen=True, slots=True)
class Timestamp:
    """A time, for programs and for readers."""

    iso: str
    minute: MinuteText


@dataclass(frozen=True, slots=True)
class Step:
    """A change of the page: a link to the page as of that change, and the time."""

    href: str
    day: DayText
    minute: MinuteText


@dataclass(frozen=True, slots=True)
class Slider:
    """The slider. Times are in seconds since 1970, UTC. `path` draws the marks; `marks` has them as `position:time`.

    `position` is that of the page, and `first_day` the day of `first`.
    """

    position: int
    first: int
    first_day: DayText
    last: int
    value: int
    path: str
    marks: str


def _place(view: PageView) -> Literal["top", "bottom"] | None:
    """Return the place of the time bar: at the bottom of current pages, where it is in no reader's way."""
    if not (view.pages.open_past and view.is_in_time):
        return None
    if view.moment.is_requested:
        return "top"
    # The page for an invalid moment has the form, so that readers can enter another one.
    return "bottom" if view.status in {HTTPStatus.OK, HTTPStatus.BAD_REQUEST} else None


def _values(view: PageView) -> Mapping[str, Any]:
    moment, changes = view.moment, view.changes
    today, zone = moment.today, site_tzinfo(moment.today)
    previous = following = None
    marks: Sequence[Mark] = ()
    if changes is not None:
        current = changes.last(moment.snapshot.position + 1)
        previous = None if current is None else changes.last(current)
        following = changes.first(moment.snapshot.position)
        marks = marks_of(today, changes)
    # A current page shows the time of the last event: with the current time, it would change each minute.
    time = moment.time if moment.is_requested else time_at(today, today.position)
    at, first_event = local_time(time, zone), recorded_time.time_at(today, 1)
    current_query = query_of_current_page(view.request)
    return {
        "is_requested": moment.is_requested,
        "is_before_first_event": moment.is_before_first_event,
        "first_event": None if first_event is None else _timestamp(first_event, zone),
        "at": _timestamp(time, zone),
        "zone": ZoneText(at),
        "zone_id": site_time_zone(today),
        "field": _field(moment, time, zone),
        # With the current time, the page, and its entity tag, would change each minute.
        "end_of_today": f"{local_time(moment.now, zone).date().isoformat()}T23:59",
        "current_query": current_query,
        "other_parameters": other_parameters(view.request),
        "previous": _step(moment, zone, current_query, previous),
        "next": _step(moment, zone, current_query, following),
        "has_changes": changes is not None,
        "slider": _slider(moment, marks, zone),
    }


def _timestamp(time: int, zone: tzinfo) -> Timestamp:
    return Timestamp(iso_time(time), MinuteText(local_time(time, zone)))


def _field(moment: PageMoment, time: int, zone: tzinfo) -> str:
    """Return the value of the field for a time. As a time in an address, it means the end of its minute."""
    if moment.is_before_first_event:
        time = min(time, time_at(moment.today, 1) // _MINUTE * _MINUTE - 1)
    return local_time(time, zone).isoformat(timespec="minutes")[:16]


def _step(moment: PageMoment, zone: tzinfo, query: str, position: int | None) -> Step | None:
    if position is None:
        return None
    at = local_time(time_at(moment.today, position), zone)
    separator = "&" if len(query) > 1 else ""
    return Step(f"{query}{separator}asOf={position}#time", DayText(at), MinuteText(at))


def _slider(moment: PageMoment, marks: Sequence[Mark], zone: tzinfo) -> Slider:
    first_time = first_event = time_at(moment.today, 1)
    if marks:
        # A page as of a moment before its first change is on the slider, too.
        first_time = min(marks[0].time, max(moment.time, first_event))
    # The end is the time of the last event, not the current time, so that the page stays the same until the next event.
    first, end = first_time // _SECOND, time_at(moment.today, moment.today.position) // _SECOND
    last = max(end, first + 1)
    places = sorted({(mark.time // _SECOND - first) * _WIDTH // (last - first) for mark in marks})
    return Slider(
        position=moment.snapshot.position,
        first=first,
        first_day=DayText(local_time(first_time, zone)),
        last=last,
        value=min(max(moment.time // _SECOND, first), last),
        path="".join(f"M{min(max(place, 0), _WIDTH)} 0v8" for place in places),
        marks=" ".join(f"{mark.position}:{mark.time // _SECOND}" for mark in marks),
    )


PAGES: Final = PageContribution(
    templates=_FOLDER / "templates",
    static=_FOLDER / "static",
    parts=(
        PagePart(
            template="_time_bar.html",
            place=_place,
            values=_values,
            styles=("time-bar.css",),
            scripts=("time-bar.js",),
            position_anchor="time",
        ),
    ),
)
