"""Authors: the names in the byline of an article."""

from dataclasses import dataclass
from typing import ClassVar, Final

from ledgerpress.commands.streams_and_append_plan import StreamCategory
from ledgerpress.eventlog.codec import EventType
from ledgerpress.eventlog.event_and_withdrawn_event import Event, Withdrawn


class AuthorRegistered(Event, frozen=True):
    """An author was added."""

    TEXT: ClassVar = {"name": ""}

    author_id: str
    name: str


class AuthorRenamed(Event, frozen=True):
    """The author's name was changed."""

    TEXT: ClassVar = {"name": ""}

    author_id: str
    name: str


@dataclass(frozen=True, slots=True)
class Author:
    """An author. The name is empty if the payload of the registration was withdrawn."""

    id: str
    name: str


def evolve(author: Author | None, event: Event) -> Author | None:
    match event:
        case AuthorRegistered(author_id=author_id, name=name) | AuthorRenamed(author_id=author_id, name=name):
            return Author(author_id, name)
        case Withdrawn():
            return author or Author(event.subject_id, "")
        case _:
            return author


AUTHORS: Final = StreamCategory[Author | None]("author", None, evolve)
EVENTS: Final = (
    EventType[Event]("author.registered", 1, AuthorRegistered),
    EventType[Event]("author.renamed", 1, AuthorRenamed),
)
