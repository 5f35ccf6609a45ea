"""Authors: whose name stands above an article."""

from dataclasses import dataclass
from typing import assert_never

from ledgerpress.commands import text_rules
from ledgerpress.eventlog.event import Event, Withdrawn


class AuthorRegistered(Event, frozen=True):
    """An author is known from now on."""

    author_id: str
    name: str


class AuthorRenamed(Event, frozen=True):
    """The author goes by another name."""

    author_id: str
    name: str


AuthorEvent = AuthorRegistered | AuthorRenamed | Withdrawn


@dataclass(frozen=True, slots=True)
class Author:
    """An author; the name is empty after a withdrawal."""

    id: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisterAuthor:
    """Make an author known."""

    author_id: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RenameAuthor:
    """Give an author another name."""

    name: str


def evolve(author: Author | None, event: AuthorEvent) -> Author | None:
    """Return the author after `event`."""
    match event:
        case AuthorRegistered(author_id=author_id, name=name) | AuthorRenamed(author_id=author_id, name=name):
            return Author(author_id, name)
        case Withdrawn():
            return author or Author(event.subject_id, "")
        case _ as unreachable:
            assert_never(unreachable)


def decide(command: RegisterAuthor | RenameAuthor, author: Author | None) -> tuple[AuthorEvent, ...]:
    """Return what happens on `command`. Raises `Rejected`."""
    name = text_rules.line(command.name, field="name", limit=text_rules.MAX_NAME)
    match command:
        case RegisterAuthor(author_id=author_id):
            return () if author else (AuthorRegistered(author_id=author_id, name=name),)
        case RenameAuthor():
            if author is None or author.name == name:
                return ()
            return (AuthorRenamed(author_id=author.id, name=name),)
        case _ as unreachable:
            assert_never(unreachable)
