"""The views as of the moment that the parameter `asOf` of a feed names."""

from dataclasses import replace

from ledgerpress.features.site.queries import site_tzinfo
from ledgerpress.http.pages.page_moment import named_position
from ledgerpress.views.snapshot_and_cache_dependencies import Snapshot


class PastNotPublic(Exception):
    """The past is not public."""


def as_of(today: Snapshot, text: str, *, now: int, is_past_public: bool) -> Snapshot:
    """Return the views as of the moment that `text` names, as in the addresses of pages. `now` is the current time.

    What is not public today has to be left out by the caller. Raises `InvalidMoment` and `PastNotPublic`.
    """
    position, _ = named_position(today, text, now=now, zone=site_tzinfo(today))
    if position == today.position:
        today.depends_on_position()
        return today
    if not is_past_public:
        raise PastNotPublic
    return replace(today, position=position, reads=None)
