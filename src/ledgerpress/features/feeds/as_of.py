"""The parameter `asOf` of feeds: a position of the log, or a time."""

import re
from dataclasses import replace
from typing import Final

from ledgerpress import rfc3339
from ledgerpress.views.recorded_time_positions import position_at
from ledgerpress.views.snapshot_and_cache_dependencies import Snapshot

_POSITION: Final = re.compile(r"[0-9]{1,16}")


class InvalidMoment(ValueError):
    """The parameter names no moment up to now. The message is shown to the client."""


class PastNotPublic(Exception):
    """The past is not public."""


def as_of(today: Snapshot, text: str, *, now: int, is_past_public: bool) -> Snapshot:
    """Return the views as of the moment that `text` names. `now` is the current time.

    What is not public today has to be left out by the caller. Raises `InvalidMoment` and `PastNotPublic`.
    """
    if _POSITION.fullmatch(text):
        position = int(text)
        if position > today.position:
            raise InvalidMoment(f"Position {position} is in the future: the site is at {today.position}.")
    else:
        position = _position_at(today, text, now)
    if position == today.position:
        today.depends_on_position()
        return today
    if not is_past_public:
        raise PastNotPublic
    return replace(today, position=position, reads=None)


def _position_at(today: Snapshot, text: str, now: int) -> int:
    try:
        time = rfc3339.parse(text)
    except rfc3339.InvalidTime as error:
        raise InvalidMoment(
            f"asOf must be a position or a time such as 2024-12-22T09:00:00Z: {error}."
        ) from None
    if time > now:
        raise InvalidMoment(f"{rfc3339.format_time(time)} is in the future.")
    if today.reads is not None:
        today.reads.within(since=time)
    return position_at(today, time)
