"""Each event declares its text, so that a withdrawal erases all of it and nothing else."""

from typing import Any, ClassVar

import msgspec
import pytest
from msgspec import UnsetType

from ledgerpress.eventlog.event_and_withdrawn_event import Event, ValueOf, without_text
from ledgerpress.features.posts import model as posts
from ledgerpress.features.registry import EVENT_TYPES, event_codec
from ledgerpress.operator.withdraw import NEVER_WITHDRAWN
from ledgerpress.testing.checks.text_declarations import undeclared_text_fields

WITHDRAWABLE = [entry.type for entry in EVENT_TYPES if entry.name not in NEVER_WITHDRAWN]


@pytest.mark.parametrize("event_type", WITHDRAWABLE)
def test_each_event_declares_every_field_that_can_hold_text(event_type: type[Event]) -> None:
    assert event_type.TEXT is not None
    assert event_type.TEXT.keys() <= set(event_type.__struct_fields__)
    assert undeclared_text_fields(event_type) == []


def test_fields_that_can_hold_text_are_found_in_every_type() -> None:
    class Note(msgspec.Struct):
        text: str

    class Noted(Event, frozen=True):
        TEXT: ClassVar[Any] = {}

        post_id: str
        number: int | None
        text: str | UnsetType | None
        tags: tuple[str, ...]
        notes: tuple[Note, ...]
        more: dict[str, int]

    class Undeclared(Event, frozen=True):
        text: str

    assert undeclared_text_fields(Noted) == ["text", "tags", "notes", "more"]
    assert undeclared_text_fields(Undeclared) == []
    assert without_text(Undeclared(text="Tide")) is None


def test_replaced_fields_are_those_with_text() -> None:
    edit = posts.PostEdited(post_id="p", title="Tide", teaser=None, author_ids=("a",))
    assert without_text(edit) == (posts.PostEdited(post_id="p", teaser=None, author_ids=("a",)), ("title",))
    created = posts.PostCreated(post_id="p", slug="tide", title="Tide", teaser="", body="Now.", author_ids=())
    remaining = posts.PostCreated(post_id="p", slug="p", title="", teaser="", body="", author_ids=())
    assert without_text(created) == (remaining, ("slug", "title", "body"))
    assert posts.PostCreated.TEXT is not None
    assert posts.PostCreated.TEXT["slug"] == ValueOf("post_id")


def test_a_remainder_is_encoded_in_the_newest_version() -> None:
    remainder = event_codec().remainder(posts.PostEdited(post_id="p", slug="tide", author_ids=("a",)))
    assert remainder is not None
    assert remainder.data == {"postId": "p", "slug": "p", "authorIds": ["a"]}
    assert (remainder.schema_version, remainder.erased) == (2, ("slug",))
