"""The time bar, with the banner of pages as of a moment: the values for the template."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import tzinfo
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final, Literal

from ledgerpress.features.site.local_times import MinuteText, ZoneText, local_time
from ledgerpress.features.site.queries import site_time_zone, site_tzinfo
from ledgerpress.features.time_bar.marks import Mark, marks_of, time_at
from ledgerpress.graphql.scalars import iso_time
from ledgerpress.http.pages.page_contributions_and_rendering import PageContribution
from ledgerpress.http.pages.page_moment import PageMoment
from ledgerpress.http.pages.page_parts import PagePart, PageView

_FOLDER: Final = Path(__file__).parent
_SECOND: Final = 1_000_000
_WIDTH: Final = 1_000
"""The width of the picture with the marks, in its own units."""


@dataclass(frozen=True, slots=True)
class Step:
    """A change of the page: a link to the page as of that change, and the time, for programs and for readers."""

    href: str
    iso: str
    minute: MinuteText


@dataclass(frozen=True, slots=True)
class Slider:
    """The slider. Times are in seconds since 1970, UTC. `path` draws the marks; `marks` has them as `position:time`."""

    first: int
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
    return "bottom" if view.status == HTTPStatus.OK else None


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
    at = local_time(time, zone)
    first = marks[0].time if marks else time_at(today, 1)
    return {
        "is_requested": moment.is_requested,
        "minute": MinuteText(at),
        "iso": iso_time(time),
        "zone": ZoneText(at),
        "zone_id": site_time_zone(today),
        "field": at.isoformat(timespec="minutes")[:16],
        "previous": _step(moment, zone, previous),
        "next": _step(moment, zone, following),
        "has_changes": changes is not None,
        "slider": _slider(moment, marks, first),
    }


def _step(moment: PageMoment, zone: tzinfo, position: int | None) -> Step | None:
    if position is None:
        return None
    time = time_at(moment.today, position)
    return Step(f"?asOf={position}#time", iso_time(time), MinuteText(local_time(time, zone)))


def _slider(moment: PageMoment, marks: Sequence[Mark], first_time: int) -> Slider:
    # The end is the time of the last event, not the current time, so that the page stays the same until the next event.
    first, end = first_time // _SECOND, time_at(moment.today, moment.today.position) // _SECOND
    last = max(end, first + 1)
    places = sorted({(mark.time // _SECOND - first) * _WIDTH // (last - first) for mark in marks})
    return Slider(
        first=first,
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
