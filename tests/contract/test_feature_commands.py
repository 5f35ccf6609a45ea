"""A feature extends the commands of posts: with a guard, added events, an input and content (decision 0028).

The feature `x.desk` is only for this test. The desk can lock a post, which then cannot be published. An edit can
include a note for the desk, which is content, and a signature, which is recorded in the same append.
"""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, Final

import pytest
from msgspec import UNSET, UnsetType

from ledgerpress.adapters.sqlite_log.event_log import SqliteEventLog
from ledgerpress.commands import text_rules
from ledgerpress.commands.command_and_guard_declarations import (
    AddedEvents,
    GuardDeclaration,
    InputDeclaration,
    commands,
)
from ledgerpress.commands.command_handler import CommandHandler
from ledgerpress.commands.command_request_and_context import CommandContext, CommandRequest
from ledgerpress.commands.content_field_declarations_and_revert import ContentDeclaration, ContentField
from ledgerpress.commands.errors import ErrorCode, Rejection
from ledgerpress.commands.executed_commands_view import CommandsProjector
from ledgerpress.commands.fingerprint import fingerprint
from ledgerpress.commands.first_events_of_publication import open_publication
from ledgerpress.commands.roles_and_permissions import PermissionDenied, RequiredPermission, Role
from ledgerpress.commands.streams_and_append_plan import AppendPlan, PlannedWrite, StreamCategory
from ledgerpress.eventlog.clock_randomness_ids import uuid8
from ledgerpress.eventlog.codec import EventType, Recorded
from ledgerpress.eventlog.event_and_withdrawn_event import Event
from ledgerpress.feature import Feature, FeatureSet
from ledgerpress.features.posts.create_edit_categorize_commands import CreatePost, EditPost
from ledgerpress.features.posts.lifecycle_commands import PublishPost
from ledgerpress.features.posts.model import POSTS, PostEdited, PostPublished, PostRestored, PostReverted
from ledgerpress.features.posts.permissions import WRITE_POSTS
from ledgerpress.features.posts.projector import PostsProjector
from ledgerpress.features.posts.restore_version_and_revert_change_commands import RestorePost, RevertPost
from ledgerpress.features.registry import FIRST_PARTY
from ledgerpress.views.projection.checkpoints import Checkpoint
from ledgerpress.views.snapshot_and_cache_dependencies import Snapshot
from tests.apply_projector import apply_all
from tests.fixed_sources import SeededBytes, SetClock
from tests.identities import identity


class PostLocked(Event, frozen=True):
    """The desk has locked or unlocked a post."""

    post_id: str
    locked: bool


class NoteChanged(Event, frozen=True):
    """The note for the desk has a new value."""

    post_id: str
    note: str | UnsetType = UNSET


class PostSigned(Event, frozen=True):
    """An editor has signed an edit."""

    post_id: str
    name: str


def is_locked(locked: bool, event: Event) -> bool:
    return event.locked if isinstance(event, PostLocked) else locked


LOCKS: Final = StreamCategory("x.desk", False, is_locked)


@dataclass(frozen=True, slots=True, kw_only=True)
class LockPost:
    """Lock a post."""

    fingerprint_name: ClassVar[str] = "x.desk.LockPost"

    post_id: str
    locked: bool = True

    lock_key = None

    async def plan(self, context: CommandContext) -> AppendPlan:
        stream = await context.load(LOCKS, self.post_id)
        event = PostLocked(post_id=self.post_id, locked=self.locked)
        return AppendPlan.of(self.post_id, stream.write([event] if stream.state != self.locked else []))


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """The note of an edit."""

    fingerprint_name: ClassVar[str] = "x.desk.Note"

    note: str | UnsetType = UNSET


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """The signature of an edit."""

    fingerprint_name: ClassVar[str] = "x.desk.Signature"

    name: str


async def load_lock(command: object, plan: AppendPlan, context: CommandContext) -> bool:
    return (await context.load(LOCKS, plan.subject_id)).state


def check_lock(command: PublishPost, events: Sequence[Event], locked: bool) -> None:
    if locked and any(isinstance(event, PostPublished) for event in events):
        raise Rejection("X_DESK_LOCKED", "The desk has locked this post.", field=("id",))


async def add_signature(command: EditPost, plan: AppendPlan, context: CommandContext) -> list[PlannedWrite]:
    signature = context.input(Signature)
    if signature is None or not plan.writes:
        return []
    post = await context.load(POSTS, command.post_id)
    return [post.write([PostSigned(post_id=command.post_id, name=signature.name)])]


NOTE: Final = EventType[Event]("x.desk.noted", 1, NoteChanged)
DESK: Final = Feature(
    name="x.desk",
    requires=("posts",),
    events=(
        EventType("x.desk.locked", 1, PostLocked),
        NOTE,
        EventType("x.desk.signed", 1, PostSigned),
    ),
    streams=(LOCKS,),
    commands=commands(RequiredPermission(WRITE_POSTS), LockPost),
    error_codes=("X_DESK_LOCKED",),
    guards=(GuardDeclaration((PublishPost,), load_lock, check_lock),),
    adds=(AddedEvents((EditPost,), add_signature),),
    inputs=(InputDeclaration((EditPost,), Note), InputDeclaration((EditPost,), Signature)),
    content=(
        ContentDeclaration(
            POSTS,
            (
                ContentField(
                    name="note", check=lambda text: text_rules.line(text, field="note", limit=20), empty=""
                ),
            ),
            NOTE,
            Note,
        ),
    ),
)
FEATURES: Final = FeatureSet((*FIRST_PARTY, DESK))


class NoViews:
    """Empty views: no command in this module reads any."""

    @property
    def checkpoints(self) -> dict[str, Checkpoint]:
        return {}

    async def wait_for(self, position: int, timeout: float, names: Sequence[str] = ()) -> bool:
        return True

    @contextmanager
    def snapshot(self) -> Iterator[Snapshot]:
        """Yield a snapshot without any executed command."""
        with closing(sqlite3.connect(":memory:")) as db:
            db.execute(CommandsProjector.schema)
            yield Snapshot(db, 0)


class Desk:
    """A command handler with the feature, on a log in SQLite."""

    def __init__(self, log: SqliteEventLog, handler: CommandHandler) -> None:
        self.log = log
        self.handler = handler

    async def do(self, command: Any, *inputs: Any, **request: Any) -> str:
        result = await self.handler.handle(command, CommandRequest(inputs=inputs, **request))
        return result.subject_id

    async def events(self, post_id: str) -> list[Recorded[Event]]:
        return FEATURES.codec().decode_all(await self.log.read_stream(POSTS.stream(post_id)))

    async def last(self, post_id: str, count: int) -> list[Event]:
        return [recorded.event for recorded in (await self.events(post_id))[-count:]]


@asynccontextmanager
async def opened_desk(path: Path, features: FeatureSet = FEATURES) -> AsyncIterator[Desk]:
    log = await SqliteEventLog.open(path / "log.sqlite3", create_as=lambda: uuid8("desk", "publication"))
    try:
        codec, clock, randomness = features.codec(), SetClock(), SeededBytes("desk")
        name_key = await open_publication(log, codec, clock, randomness, features.first_events)
        handler = CommandHandler(
            log=log,
            codec=codec,
            declarations=features.declarations,
            views=NoViews(),
            clock=clock,
            randomness=randomness,
            name_key=name_key,
        )
        yield Desk(log, handler)
    finally:
        await log.aclose()


# --- guards --------------------------------------------------------------------------------------


async def test_a_guard_rejects_a_command_of_a_required_feature(tmp_path: Path) -> None:
    async with opened_desk(tmp_path) as desk:
        post = await desk.do(CreatePost(title="Night"))
        await desk.do(LockPost(post_id=post))
        with pytest.raises(Rejection) as rejected:
            await desk.do(PublishPost(post_id=post))
        assert rejected.value.code == "X_DESK_LOCKED"
        await desk.do(LockPost(post_id=post, locked=False))
        await desk.do(PublishPost(post_id=post))
        assert isinstance((await desk.last(post, 1))[0], PostPublished)


async def test_a_guard_on_an_event_applies_to_every_command_that_records_it(tmp_path: Path) -> None:
    on_event = replace(DESK, guards=(GuardDeclaration((), load_lock, check_lock, events=(PostPublished,)),))
    async with opened_desk(tmp_path, FeatureSet((*FIRST_PARTY, on_event))) as desk:
        post = await desk.do(CreatePost(title="Night"))
        await desk.do(LockPost(post_id=post))
        await desk.do(EditPost(post_id=post, title="Day"))
        for command in (PublishPost(post_id=post), EditPost(post_id=post, title="Noon", publish=True)):
            with pytest.raises(Rejection) as rejected:
                await desk.do(command)
            assert rejected.value.code == "X_DESK_LOCKED"


async def test_a_guard_that_reads_events_is_checked_by_the_append(tmp_path: Path) -> None:
    loaded, locked = asyncio.Event(), asyncio.Event()

    async def read_and_wait(command: object, plan: AppendPlan, context: CommandContext) -> bool:
        events = await context.events(LOCKS.stream(plan.subject_id))
        loaded.set()
        await locked.wait()
        return bool(events)

    slow = replace(DESK, guards=(GuardDeclaration((PublishPost,), read_and_wait, check_lock),))
    async with opened_desk(tmp_path, FeatureSet((*FIRST_PARTY, slow))) as desk:
        post = await desk.do(CreatePost(title="Night"))
        publish = asyncio.create_task(desk.do(PublishPost(post_id=post)))
        await loaded.wait()
        await desk.do(LockPost(post_id=post))
        locked.set()
        with pytest.raises(Rejection) as rejected:
            await publish
        assert rejected.value.code == "X_DESK_LOCKED"


async def test_concurrent_commands_cannot_bypass_a_guard(tmp_path: Path) -> None:
    loaded, locked = asyncio.Event(), asyncio.Event()

    async def load_and_wait(command: object, plan: AppendPlan, context: CommandContext) -> bool:
        state = await load_lock(command, plan, context)
        loaded.set()
        await locked.wait()
        return state

    slow = replace(DESK, guards=(GuardDeclaration((PublishPost,), load_and_wait, check_lock),))
    async with opened_desk(tmp_path, FeatureSet((*FIRST_PARTY, slow))) as desk:
        post = await desk.do(CreatePost(title="Night"))
        publish = asyncio.create_task(desk.do(PublishPost(post_id=post)))
        await loaded.wait()
        await desk.do(LockPost(post_id=post))
        locked.set()
        with pytest.raises(Rejection) as rejected:
            await publish
        assert rejected.value.code == "X_DESK_LOCKED"
        assert not any(isinstance(recorded.event, PostPublished) for recorded in await desk.events(post))


async def test_an_expected_version_that_a_command_does_not_check_is_rejected(tmp_path: Path) -> None:
    async with opened_desk(tmp_path) as desk:
        post = await desk.do(CreatePost(title="Night"))
        before = len(await desk.events(post))
        for expected in (0, 1, 99):
            with pytest.raises(Rejection, match="does not check a version") as rejected:
                await desk.do(LockPost(post_id=post), expected_version=expected)
            assert (rejected.value.code, rejected.value.field) == ("INVALID_VALUE", ("expectedVersion",))
        assert len(await desk.events(post)) == before


# --- added events and inputs ---------------------------------------------------------------------


async def test_added_events_are_in_the_same_append(tmp_path: Path) -> None:
    async with opened_desk(tmp_path) as desk:
        post = await desk.do(CreatePost(title="Night"))
        await desk.do(EditPost(post_id=post, title="Day"), Signature(name="Ada"))
        edited, signed = (await desk.events(post))[-2:]
        assert signed.event == PostSigned(post_id=post, name="Ada")
        assert signed.header.command_id == edited.header.command_id
        assert (edited.header.stream_version, signed.header.stream_version) == (2, 3)
        # The post's state ignores the added event, but counts its version, which clients see.
        with closing(sqlite3.connect(":memory:")) as db:
            db.executescript(PostsProjector.schema)
            apply_all(PostsProjector(), await desk.events(post), db)
            versions = db.execute("SELECT version FROM post_state ORDER BY from_pos").fetchall()
        assert versions == [(1,), (2,), (3,)]
        await desk.do(EditPost(post_id=post, title="Dusk"), expected_version=3)


async def test_an_input_is_part_of_the_fingerprint_only_if_it_is_present() -> None:
    edit = EditPost(post_id=uuid8("a", "post"), title="Day")
    bare = fingerprint(edit, CommandRequest())
    signed = {fingerprint(edit, CommandRequest(inputs=(Signature(name=name),))) for name in ("Ada", "Bo")}
    assert len({bare, *signed}) == 3
    assert bare == fingerprint(edit, CommandRequest(inputs=()))


async def test_an_input_that_no_feature_declares_for_a_command_is_an_error(tmp_path: Path) -> None:
    async with opened_desk(tmp_path) as desk:
        with pytest.raises(TypeError, match="CreatePost has no input Signature"):
            await desk.do(CreatePost(title="Night"), Signature(name="Ada"))


async def test_a_command_that_is_not_declared_requires_every_permission(tmp_path: Path) -> None:
    editor = identity(Role.EDITOR, uuid8("an", "editor"))
    async with opened_desk(tmp_path) as desk:
        post = await desk.do(CreatePost(title="Night"))
        await desk.do(LockPost(post_id=post), identity=editor)
    async with opened_desk(tmp_path, FeatureSet((*FIRST_PARTY, replace(DESK, commands=())))) as desk:
        with pytest.raises(PermissionDenied):
            await desk.do(LockPost(post_id=post, locked=False), identity=editor)


# --- content -------------------------------------------------------------------------------------


async def test_added_content_is_edited_with_the_post_and_only_differences_are_recorded(
    tmp_path: Path,
) -> None:
    async with opened_desk(tmp_path) as desk:
        post = await desk.do(CreatePost(title="Night", publish=True))
        await desk.do(EditPost(post_id=post, publish=True), Note(note=" Check the name. "))
        *changes, published = await desk.last(post, 3)
        assert changes == [PostEdited(post_id=post), NoteChanged(post_id=post, note="Check the name.")]
        assert isinstance(published, PostPublished)
        assert published.revision == 2
        count = len(await desk.events(post))
        await desk.do(EditPost(post_id=post), Note(note="Check the name."))
        assert len(await desk.events(post)) == count
        with pytest.raises(Rejection) as rejected:
            await desk.do(EditPost(post_id=post), Note(note="x" * 21))
        assert (rejected.value.code, rejected.value.field) == (ErrorCode.TOO_LONG, ("note",))


async def test_added_content_is_restored_with_the_post(tmp_path: Path) -> None:
    async with opened_desk(tmp_path) as desk:
        post = await desk.do(CreatePost(title="Night"))
        await desk.do(EditPost(post_id=post), Note(note="One"))
        await desk.do(EditPost(post_id=post, title="Day"), Note(note="Two"))
        await desk.do(RestorePost(post_id=post, to_version=3))
        assert await desk.last(post, 2) == [
            PostRestored(post_id=post, to_version=3, title="Night", slug="night", slug_derived=True),
            NoteChanged(post_id=post, note="One"),
        ]
        await desk.do(RestorePost(post_id=post, to_version=1))
        assert await desk.last(post, 2) == [
            PostRestored(post_id=post, to_version=1),
            NoteChanged(post_id=post, note=""),
        ]


async def test_a_change_of_added_content_is_reverted_unless_it_has_changed_since(tmp_path: Path) -> None:
    async with opened_desk(tmp_path) as desk:
        post = await desk.do(CreatePost(title="Night"))
        await desk.do(EditPost(post_id=post), Note(note="One"))
        await desk.do(RevertPost(post_id=post, version=3))
        assert await desk.last(post, 2) == [
            PostReverted(post_id=post, reverted_version=3),
            NoteChanged(post_id=post, note=""),
        ]
        await desk.do(EditPost(post_id=post), Note(note="Two"))
        with pytest.raises(Rejection) as rejected:
            await desk.do(RevertPost(post_id=post, version=3))
        assert (rejected.value.code, rejected.value.conflicts) == ("REVERT_CONFLICT", ("note",))


# --- the manifests -------------------------------------------------------------------------------


def test_contradictory_manifests_are_rejected() -> None:
    for features, message in (
        ((*FIRST_PARTY, DESK, DESK), "two features are named x.desk"),
        ((DESK, *FIRST_PARTY), "requires posts, which must come before it"),
        (
            (*FIRST_PARTY, Feature(name="x.other", events=(EventType("post.created", 1, NoteChanged),))),
            "post.created",
        ),
        ((*FIRST_PARTY, Feature(name="x.other", error_codes=("BUSY",))), "BUSY"),
    ):
        with pytest.raises(ValueError, match=message):
            FeatureSet(features)


async def test_an_event_of_a_third_party_feature_is_recorded_in_declared_streams_only(tmp_path: Path) -> None:
    undeclared = FeatureSet((*FIRST_PARTY, replace(DESK, streams=())))
    async with opened_desk(tmp_path, undeclared) as desk:
        post = await desk.do(CreatePost(title="Night"))
        with pytest.raises(ValueError, match=r"x\.desk\.locked cannot be recorded in x\.desk\."):
            await desk.do(LockPost(post_id=post))
        await desk.do(EditPost(post_id=post, title="Day"), Signature(name="Ada"))
        assert isinstance((await desk.last(post, 1))[0], PostSigned)
