"""The checks of posts: one stream for each post, whose state is whether the post passed its last check."""

from typing import ClassVar, Final

from ledgerpress.feature import Event, EventType, StreamCategory, Withdrawn

CHECKED: Final = "x.factcheck.checked"
FAILED_CHECK: Final = "X_FACTCHECK_FAILED"


class PostChecked(Event, frozen=True):
    """The facts of a post were checked."""

    TEXT: ClassVar = {"note": ""}

    post_id: str
    passed: bool
    note: str


def evolve(passed: bool | None, event: Event) -> bool | None:
    """A check whose payload was withdrawn counts as failed."""
    if isinstance(event, Withdrawn) and event.type == CHECKED:
        return False
    return event.passed if isinstance(event, PostChecked) else passed


EVENTS: Final = (EventType[Event](CHECKED, 1, PostChecked),)
CHECKS: Final = StreamCategory[bool | None]("x.factcheck", None, evolve)
