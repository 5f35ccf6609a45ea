"""Site pages, such as “About us” and an imprint: events, lifecycle, state and stream.

A page is a draft until it is published. Readers see the page as last published; editing it changes only the draft.
"""

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import ClassVar, Final, NamedTuple

from msgspec import UNSET, UnsetType

from ledgerpress.commands.streams_and_append_plan import StreamCategory
from ledgerpress.eventlog.codec import EventType
from ledgerpress.eventlog.event_and_withdrawn_event import Event, ValueOf, Withdrawn

# --- events --------------------------------------------------------------------------------------


class PageCreated(Event, frozen=True):
    """A page was created, as a draft."""

    TEXT: ClassVar = {"slug": ValueOf("page_id"), "title": "", "body": ""}

    page_id: str
    slug: str
    title: str
    body: str


class PageEdited(Event, frozen=True):
    """The draft of a page was edited. New values are complete; absent means unchanged.

    Without its text, the event changes neither title nor body. The page still leaves its former slug, which may belong to
    another page since.
    """

    TEXT: ClassVar = {"slug": ValueOf("page_id"), "title": UNSET, "body": UNSET}

    page_id: str
    slug: str | UnsetType = UNSET
    title: str | UnsetType = UNSET
    body: str | UnsetType = UNSET


class PagePublished(Event, frozen=True):
    """The draft of a page was published."""

    TEXT: ClassVar = {}

    page_id: str


class PageUnpublished(Event, frozen=True):
    """A page was removed from public view."""

    TEXT: ClassVar = {}

    page_id: str


EVENTS: Final = (
    EventType[Event]("page.created", 1, PageCreated),
    EventType[Event]("page.edited", 1, PageEdited),
    EventType[Event]("page.published", 1, PagePublished),
    EventType[Event]("page.unpublished", 1, PageUnpublished),
)
PROSE: Final = ("title", "body")
"""The fields that an edit without its text leaves as they were."""

# --- lifecycle -----------------------------------------------------------------------------------


class PageStatus(StrEnum):
    DRAFT = "DRAFT"
    PUBLISHED = "PUBLISHED"
    UNPUBLISHED = "UNPUBLISHED"


class Lifecycle(NamedTuple):
    """The status of a page, and whether its draft differs from what was published last."""

    status: PageStatus = PageStatus.DRAFT
    has_unpublished_changes: bool = True


NEW: Final = Lifecycle()
"""The lifecycle of a new page."""


def advance(lifecycle: Lifecycle, event: Event) -> Lifecycle:
    """Return the lifecycle after `event`. Decisions and projections use this function."""
    match event:
        case PageEdited():
            return lifecycle._replace(has_unpublished_changes=True)
        case PagePublished():
            return Lifecycle(PageStatus.PUBLISHED, has_unpublished_changes=False)
        case PageUnpublished():
            return lifecycle._replace(status=PageStatus.UNPUBLISHED)
        case _:
            return lifecycle


def known_event(event: Event, *, exists: bool) -> Event:
    """Return an event as it is or, if it was withdrawn, without its text.

    If only its type is known, or if its creation is, a replacement. A page whose creation was withdrawn has an empty
    title and body, and its id as its slug.
    """
    if not isinstance(event, Withdrawn):
        return event
    page_id, remaining = event.subject_id, event.remaining
    if event.type == "page.created" or not exists:
        known = isinstance(remaining, PageCreated)
        return (
            remaining
            if known and remaining
            else PageCreated(page_id=page_id, slug=page_id, title="", body="")
        )
    if remaining is not None:
        return remaining
    change = {
        "page.edited": PageEdited,
        "page.published": PagePublished,
        "page.unpublished": PageUnpublished,
    }.get(event.type)
    return event if change is None else change(page_id=page_id)


# --- state ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Page:
    """The state of a page: its draft and lifecycle. `published_slugs` are all slugs that it had in public."""

    id: str
    slug: str
    title: str
    body: str
    lifecycle: Lifecycle = NEW
    published_slugs: frozenset[str] = frozenset()


def evolve(page: Page | None, event: Event) -> Page | None:
    """Return the page after `event`. Recorded events are never rejected: one that cannot apply changes nothing."""
    known = known_event(event, exists=page is not None)
    if isinstance(known, PageCreated):
        return Page(known.page_id, known.slug, known.title, known.body)
    if page is None:
        return None
    match known:
        case PageEdited(slug=slug, title=title, body=body):
            page = replace(
                page,
                slug=page.slug if slug is UNSET else slug,
                title=page.title if title is UNSET else title,
                body=page.body if body is UNSET else body,
            )
        case PagePublished():
            page = replace(page, published_slugs=page.published_slugs | {page.slug})
        case _:
            pass
    return replace(page, lifecycle=advance(page.lifecycle, known))


PAGES: Final = StreamCategory[Page | None]("page", None, evolve)
