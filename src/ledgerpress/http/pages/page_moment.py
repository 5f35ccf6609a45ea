"""The moment as of which a page is read: the current one, or the one in the parameter `asOf` of its address."""

import re
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, replace
from datetime import tzinfo
from typing import Final, Protocol, TypeAlias

from ledgerpress import rfc3339
from ledgerpress.graphql.context import Store
from ledgerpress.http.pages.interface_texts.words import Text
from ledgerpress.rfc3339 import InvalidTime
from ledgerpress.views import recorded_time_positions as recorded_time
from ledgerpress.views.filter_past_items_public_today import PublicFilter
from ledgerpress.views.snapshot_and_cache_dependencies import NO_POSITION, Snapshot

AS_OF: Final = "asOf"
"""The parameter that names a moment: a position of the log, a date, or a time."""
_POSITION: Final = re.compile(r"[0-9]{1,16}")


class InvalidMoment(ValueError):
    """The parameter names no moment, or one in the future. `text` is shown to the reader."""

    def __init__(self, text: Text) -> None:
        super().__init__(text)
        self.text = text


class PageChanges(Protocol):
    """The positions at which a page changed, as far as readers may see that today.

    `key` identifies the page: what is computed from its changes is remembered under it until the views change.
    """

    @property
    def key(self) -> Hashable: ...

    def last(self, before: int) -> int | None:
        """Return the last position before a position at which the page changed."""
        ...

    def first(self, after: int) -> int | None:
        """Return the first position after a position at which the page changed."""
        ...

    def about_last(self, before: int) -> int | None:
        """Return the same as `last`, or nearly, at a lower cost: for a picture of many changes."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class PageMoment:
    """The moment as of which a page is read.

    `snapshot` is as of that moment. If `as_of` is not `None`, the address names the moment, with this text; then
    `snapshot` contains only what is public today. `today` is the current snapshot, `public` the filter for what is public
    in it. `time` is the time by which ages are computed, in microseconds since 1970, UTC, and `now` is the current time. A
    position before the first event has no time of its own: `time` is then just before that event.
    `public_history` states whether everyone may read the published revisions of articles.
    """

    snapshot: Snapshot
    today: Snapshot
    public: PublicFilter
    time: int
    now: int
    public_history: bool = False
    as_of: str | None = None

    @property
    def is_requested(self) -> bool:
        """Whether the address names the moment."""
        return self.as_of is not None

    @property
    def is_before_first_event(self) -> bool:
        """Whether the address names a moment at which nothing was recorded yet."""
        return self.is_requested and self.snapshot.position == NO_POSITION


ChangesOfPage: TypeAlias = Callable[[PageMoment, Mapping[str, str]], PageChanges | None]
"""Takes the moment of a page and the parameters of its path, and returns the changes of that page, if it has any."""


def current_moment(store: Store, today: Snapshot) -> PageMoment:
    """Return the current moment."""
    now = store.clock.now()
    return PageMoment(
        snapshot=today,
        today=today,
        public=PublicFilter(today, store.declared),
        time=now,
        now=now,
        public_history=store.public_history,
    )


def named_position(today: Snapshot, text: str, *, now: int, zone: tzinfo) -> tuple[int, int | None]:
    """Return the position that a text in an address names, and the time if the text is a time. Raises `InvalidMoment`.

    A date, or a time without an offset, is in `zone`, and means its end. `now` is the current time.
    """
    if _POSITION.fullmatch(text):
        position = int(text)
        if position > today.position:
            raise InvalidMoment(
                Text(
                    "Position {position} is in the future: this site is at position {head}.",
                    position=position,
                    head=today.position,
                )
            )
        return position, None
    try:
        # In an address, "+" means a space.
        begin, end = rfc3339.parse_span(text.replace(" ", "+"), zone)
    except InvalidTime:
        raise InvalidMoment(
            Text("The address names no time. A time has a form such as 2024-12-22T09:00 or 2024-12-22.")
        ) from None
    if begin > now:
        raise InvalidMoment(Text("This time is in the future."))
    if today.reads is not None:
        # What is read during the day or the minute that the text names is not valid later.
        today.reads.within(since=begin)
        if end > now:
            today.reads.within(until=now + 1)
    time = min(end, now)
    return recorded_time.position_at(today, time), time


def requested_moment(current: PageMoment, text: str, zone: tzinfo) -> PageMoment:
    """Return the moment that the parameter names. Raises `InvalidMoment`.

    A date, or a time without an offset, is in `zone`, and means its end: everything that was recorded on that day, or in
    that minute.
    """
    today = current.today
    position, time = named_position(today, text, now=current.now, zone=zone)
    snapshot = today if position == today.position else today.at(position, only=current.public)
    if time is None:
        time = recorded_time.time_of(snapshot)
    if time is None:
        first = recorded_time.time_at(today, NO_POSITION + 1)
        time = current.now if first is None else first - 1
    return replace(current, snapshot=snapshot, time=time, as_of=text)
