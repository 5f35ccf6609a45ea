"""The checks of a post: one stream for each post. The state of a stream is the last verdict."""

from typing import Final

from ledgerpress.feature import Event, EventType, StreamCategory

CHECKED: Final = "x.factcheck.checked"
FAILED_CHECK: Final = "X_FACTCHECK_FAILED"


class PostChecked(Event, frozen=True):
    """The facts of a post were checked. The verdict is `passed` or `failed`."""

    post_id: str
    verdict: str
    note: str


def evolve(verdict: str | None, event: Event) -> str | None:
    return event.verdict if isinstance(event, PostChecked) else verdict


EVENTS: Final = (EventType[Event](CHECKED, 1, PostChecked),)
CHECKS: Final = StreamCategory[str | None]("x.factcheck", None, evolve)
