"""Limits of what third-party commands, added events and guards may record and read; the kernel checks each append."""

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, Final

import pytest

from ledgerpress.commands.command_request_and_context import CommandRequest
from ledgerpress.eventlog.codec import Recorded
from ledgerpress.eventlog.event_and_withdrawn_event import Withdrawn
from ledgerpress.feature import (
    AddedEvents,
    AppendPlan,
    CommandContext,
    Event,
    EventType,
    Feature,
    FeatureSet,
    GuardDeclaration,
    PlannedWrite,
    RequiredPermission,
    StreamCategory,
    commands,
)
from ledgerpress.features.posts import POSTS, WRITE_POSTS, CreatePost, PostPublished, PublishPost
from ledgerpress.features.registry import FIRST_PARTY
from ledgerpress.server.store import Store, open_store
from ledgerpress.views.projection.projector_interface_and_composition import ImmediateProjector


class Closed(Event, frozen=True):
    """Comments on a post are closed. The event has no fields: its stream identifies the post."""


def evolve(closed: bool, event: Event) -> bool:
    return closed or isinstance(event, Closed)


CLOSED: Final = StreamCategory[bool]("x.comments", False, evolve)


@dataclass(frozen=True, slots=True)
class CloseComments:
    """Close the comments on a post."""

    fingerprint_name: ClassVar[str] = "x.comments.CloseComments"
    lock_key = None

    post_id: str

    async def plan(self, context: CommandContext) -> AppendPlan:
        return AppendPlan.of(self.post_id, (await context.load(CLOSED, self.post_id)).write([Closed()]))


@dataclass(frozen=True, slots=True)
class CloseEverything:
    """An invalid command: its subject is a post, but it records its event in a stream with another name."""

    fingerprint_name: ClassVar[str] = "x.comments.CloseEverything"
    lock_key = None

    post_id: str

    async def plan(self, context: CommandContext) -> AppendPlan:
        return AppendPlan.of(self.post_id, (await context.load(CLOSED, "all")).write([Closed()]))


@dataclass(frozen=True, slots=True)
class PublishAnyway:
    """An invalid command: it records an event of the feature posts."""

    fingerprint_name: ClassVar[str] = "x.comments.PublishAnyway"
    lock_key = None

    post_id: str

    async def plan(self, context: CommandContext) -> AppendPlan:
        return AppendPlan.of(self.post_id, await publication(context, self.post_id))


async def publication(context: CommandContext, post_id: str) -> PlannedWrite:
    post = await context.load(POSTS, post_id)
    return post.write([PostPublished(post_id=post_id, revision=1, published_at=context.now, correction=None)])


COMMENTS: Final = Feature(
    name="comments",
    requires=("posts",),
    events=(EventType[Event]("x.comments.closed", 1, Closed),),
    streams=(CLOSED,),
    commands=commands(RequiredPermission(WRITE_POSTS), CloseComments, CloseEverything, PublishAnyway),
)


def with_comments(**changes: Any) -> FeatureSet:
    return FeatureSet(FIRST_PARTY, third_party=[replace(COMMENTS, **changes)])


async def new_post(store: Store) -> str:
    return (await store.commands.handle(CreatePost(title="Tide"))).subject_id


async def test_an_event_without_fields_is_recorded_and_a_repeated_command_has_the_same_subject(
    tmp_path: Path,
) -> None:
    async with open_store(tmp_path, features=with_comments()) as store:
        post = await new_post(store)
        request = CommandRequest(idempotency_key="close")
        first = await store.commands.handle(CloseComments(post), request)
        again = await store.commands.handle(CloseComments(post), request)
        assert (first.subject_id, first.replayed) == (post, False)
        assert (again.subject_id, again.replayed, again.position) == (post, True, first.position)
        assert store.position == await store.log.head()
    async with open_store(tmp_path) as store:
        assert store.position == await store.log.head()


@pytest.mark.parametrize(
    ("command", "mistake"),
    [
        (PublishAnyway, "feature comments cannot record post.published"),
        (CloseEverything, "must be 'all', not"),
    ],
)
async def test_a_forbidden_plan_fails_and_records_nothing(
    tmp_path: Path, command: type, mistake: str
) -> None:
    async with open_store(tmp_path, features=with_comments()) as store:
        post, head = await new_post(store), await store.log.head()
        with pytest.raises(ValueError, match=mistake):
            await store.commands.handle(command(post))
        assert await store.log.head() == head


async def test_adding_events_of_another_feature_is_an_error(tmp_path: Path) -> None:
    async def publish(command: CreatePost, plan: AppendPlan, context: CommandContext) -> list[PlannedWrite]:
        return [await publication(context, plan.subject_id)]

    async with open_store(
        tmp_path, features=with_comments(adds=(AddedEvents((CreatePost,), publish),))
    ) as store:
        head = await store.log.head()
        with pytest.raises(ValueError, match=r"feature comments cannot record post\.published"):
            await store.commands.handle(CreatePost(title="Tide"))
        assert await store.log.head() == head


async def test_a_guard_cannot_query_views(tmp_path: Path) -> None:
    async def count(command: Any, plan: AppendPlan, context: CommandContext) -> int:
        return await context.query("posts", lambda snapshot: snapshot.position)

    def check(command: Any, events: Sequence[Event], facts: int) -> None:
        raise AssertionError(facts)

    guards = (GuardDeclaration((PublishPost,), count, check),)
    async with open_store(tmp_path, features=with_comments(guards=guards)) as store:
        post, head = await new_post(store), await store.log.head()
        with pytest.raises(TypeError, match="A guard cannot query views"):
            await store.commands.handle(PublishPost(post_id=post))
        assert await store.log.head() == head


class Tagged(Event, frozen=True):
    """A post has tags."""

    tags: tuple[str, ...]


def tags_after(tags: tuple[str, ...], event: Event) -> tuple[str, ...]:
    if isinstance(event, Tagged):
        if "impossible" in tags:
            raise ArithmeticError("no tag may follow this one")
        return event.tags
    return tags


TAGS: Final = StreamCategory[tuple[str, ...]]("x.tags", (), tags_after)


@dataclass(frozen=True, slots=True)
class TagPost:
    """Tag a post with tags, whose type is not checked."""

    fingerprint_name: ClassVar[str] = "x.tags.TagPost"
    lock_key = None

    post_id: str
    tags: Any

    async def plan(self, context: CommandContext) -> AppendPlan:
        return AppendPlan.of(
            self.post_id, (await context.load(TAGS, self.post_id)).write([Tagged(tags=self.tags)])
        )


def note_tags(recorded: Recorded[Event], db: sqlite3.Connection) -> None:
    db.execute("INSERT INTO x_tags_event VALUES (?, ?)", (recorded.position, repr(recorded.event)))


def with_tags() -> FeatureSet:
    projector = ImmediateProjector(
        name="x.tags",
        version=1,
        schema="CREATE TABLE x_tags_event (position INTEGER PRIMARY KEY, event TEXT NOT NULL) STRICT;",
        events=frozenset({Tagged, Withdrawn}),
        apply=note_tags,
    )
    tags = Feature(
        name="tags",
        requires=("posts",),
        events=(EventType[Event]("x.tags.tagged", 1, Tagged),),
        streams=(TAGS,),
        commands=commands(RequiredPermission(WRITE_POSTS), TagPost),
        projectors=(projector,),
    )
    return FeatureSet(FIRST_PARTY, third_party=[tags])


async def test_projectors_and_states_get_an_event_as_it_is_read_from_the_log(tmp_path: Path) -> None:
    """The command has put a list where the event declares a tuple. A rebuild reads a tuple."""
    async with open_store(tmp_path, features=with_tags()) as store:
        post = await new_post(store)
        for tags in (["sea"], ["sea", "tide"]):
            result = await store.commands.handle(TagPost(post, tags))
            with store.snapshot() as snapshot:
                query = "SELECT event FROM x_tags_event WHERE position = ?"
                assert snapshot.db.execute(query, (result.position,)).fetchone() == (
                    repr(Tagged(tags=tuple(tags))),
                )


async def test_an_event_that_could_not_be_read_is_not_recorded(tmp_path: Path) -> None:
    async with open_store(tmp_path, features=with_tags()) as store:
        post, head = await new_post(store), await store.log.head()
        with pytest.raises(ValueError, match=r"x\.tags\.tagged version 1 could not be read: .*`array`"):
            await store.commands.handle(TagPost(post, "sea"))
        assert await store.log.head() == head


async def test_a_recorded_command_succeeds_although_its_state_cannot_follow(tmp_path: Path) -> None:
    async with open_store(tmp_path, features=with_tags()) as store:
        post = await new_post(store)
        await store.commands.handle(TagPost(post, ("impossible",)))
        result = await store.commands.handle(TagPost(post, ("sea",)))
        assert (result.position, result.views_behind) == (await store.log.head(), False)
        with pytest.raises(ArithmeticError):
            await store.commands.handle(TagPost(post, ("tide",)))
