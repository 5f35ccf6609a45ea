"""Authors: the names in the byline of an article, and the slugs of their pages.

An author keeps every slug that it ever had, so the slug of one author never leads to another.
"""

from dataclasses import dataclass
from typing import ClassVar, Final

from msgspec import UNSET, UnsetType

from ledgerpress.commands.streams_and_append_plan import StreamCategory
from ledgerpress.eventlog.codec import EventType, JsonObject
from ledgerpress.eventlog.event_and_withdrawn_event import Event, ValueOf, Withdrawn


class AuthorRegistered(Event, frozen=True):
    """An author was added. Events of version 1 have no slug (null): it is derived from the name."""

    TEXT: ClassVar = {"name": "", "slug": ValueOf("author_id")}

    author_id: str
    name: str
    slug: str | None = None


class AuthorRenamed(Event, frozen=True):
    """The name, the slug or both of an author were changed. Absent means unchanged.

    In events of version 1, the slug is null: it is derived from the new name.
    """

    TEXT: ClassVar = {"name": "", "slug": UNSET}

    author_id: str
    name: str | UnsetType = UNSET
    slug: str | UnsetType | None = UNSET


@dataclass(frozen=True, slots=True)
class Author:
    """An author. The name is empty if the payload of the registration was withdrawn.

    The slug is `None` if no event contains it: then it is derived, with a number if another author has it. The views
    contain it (`queries.author`).
    """

    id: str
    name: str
    slug: str | None = None


def evolve(author: Author | None, event: Event) -> Author | None:
    match event:
        case AuthorRegistered(author_id=author_id, name=name, slug=slug):
            return Author(author_id, name, slug)
        case AuthorRenamed(author_id=author_id, name=name, slug=slug):
            author = author or Author(author_id, "", author_id)
            return Author(
                author_id,
                author.name if name is UNSET else name,
                author.slug if slug is UNSET else slug,
            )
        case Withdrawn():
            return author or Author(event.subject_id, "", event.subject_id)
        case _:
            return author


def _with_derived_slug(data: JsonObject) -> JsonObject:
    """Return data of version 1 as version 2: the slug is derived from the name."""
    return {**data, "slug": None}


AUTHORS: Final = StreamCategory[Author | None]("author", None, evolve)
EVENTS: Final = (
    EventType[Event]("author.registered", 2, AuthorRegistered, (_with_derived_slug,)),
    EventType[Event]("author.renamed", 2, AuthorRenamed, (_with_derived_slug,)),
)
