"""A store in use: it receives commands, is closed and reopened, loses its views, and transactions fail."""

import asyncio
import sqlite3
from collections import Counter
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self, TypeAlias

from hypothesis import strategies as st

from ledgerpress.commands.command_and_guard_declarations import Command
from ledgerpress.commands.command_request_and_context import CommandRequest, CommandResult
from ledgerpress.commands.errors import ErrorCode, Rejection
from ledgerpress.eventlog.codec import Recorded
from ledgerpress.eventlog.errors import LogUnusable
from ledgerpress.eventlog.event_and_withdrawn_event import Event
from ledgerpress.features.actors.model import ActorRegistered
from ledgerpress.features.authors.commands import RegisterAuthor
from ledgerpress.features.categories import commands as categories
from ledgerpress.features.categories.model import CategoryRef
from ledgerpress.features.posts import create_edit_categorize_commands as posts
from ledgerpress.features.registry import all_projectors, event_codec
from ledgerpress.features.site.commands import DescribeSite, LocalizeSite, NameSite
from ledgerpress.features.site_pages import PAGES
from ledgerpress.features.site_pages.menu_command import ArrangeMenu
from ledgerpress.features.tokens.model import TokenCreated
from ledgerpress.server.log_url import LOCAL
from ledgerpress.server.store import Store, open_store
from ledgerpress.views.projection.projector_interface_and_composition import Projector, ProjectorBatch
from tests.altered_projectors import Altered
from tests.fixed_sources import SeededBytes, SetClock
from tests.newsroom_model import Newsroom
from tests.property.command_generator import UNKNOWN, CommandSpec, Expecting, Known, command_of, command_specs


@dataclass(frozen=True, slots=True)
class Restart:
    """Reopen the store with another batch size, with or without its views file."""

    batch_size: int
    lose_views: bool


@dataclass(frozen=True, slots=True)
class Fault:
    """Make the transaction fail in which the views apply the `after`-th event from now on."""

    after: int


@dataclass(frozen=True, slots=True)
class ClockMoves:
    """Set the clock forwards or backwards."""

    seconds: int


Action: TypeAlias = CommandSpec | tuple[CommandSpec, ...] | Restart | Fault | ClockMoves

_command = command_specs()
_actions = st.one_of(
    *[_command] * 6,
    st.tuples(_command, _command) | st.tuples(_command, _command, _command),
    st.builds(Restart, st.sampled_from((1, 2, 3, 7, 500)), st.booleans()),
    st.builds(Fault, st.integers(0, 12)),
    st.builds(ClockMoves, st.integers(-7_200, 7_200)),
)
actions: st.SearchStrategy[list[Action]] = st.lists(_actions, min_size=15, max_size=60)


def _faulty(projector: Projector, fuse: list[int]) -> Projector:
    """Return a correct projector whose disk fails once, after the number of events in `fuse`."""

    def apply(writing: ProjectorBatch, recorded: Recorded[Event]) -> None:
        writing.apply(recorded)
        if fuse:
            fuse[0] -= 1
            if fuse[0] < 0:
                fuse.clear()
                error = sqlite3.OperationalError("disk I/O error")
                error.sqlite_errorcode = sqlite3.SQLITE_IOERR
                error.sqlite_errorname = "SQLITE_IOERR"
                raise error

    return Altered(projector, apply)


@dataclass
class Session:
    """A store, and its expected contents."""

    data: Path
    clock: SetClock = field(default_factory=SetClock)
    randomness: SeededBytes = field(default_factory=SeededBytes)
    history: list[Recorded[Event]] = field(default_factory=list)
    room: Newsroom = field(default_factory=Newsroom)
    counts: Counter[str] = field(default_factory=Counter)
    log: str = LOCAL

    async def __aenter__(self) -> Self:
        self._subjects: dict[str, str] = {}
        self._keys: dict[str, int] = {}
        self._versions: dict[str, int] = {}
        self._fuse: list[int] = []
        self._open = AsyncExitStack()
        self.store = await self._opened(500)
        await self.read_new_events()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._open.aclose()

    async def begin(self) -> None:
        """Create a small newsroom."""
        handle = self.store.commands.handle
        author = await handle(RegisterAuthor(name="Ada Brook"))
        for name, parent in (("News", None), ("Town", CategoryRef(slug="news")), ("Sport", None)):
            await handle(categories.CreateCategory(name=name, parent=parent))
        for title, publish in (("Tide mill", True), ("Night market", True), ("Tram line", False)):
            town = CategoryRef(slug="town")
            await handle(
                posts.CreatePost(
                    title=title, publish=publish, author_ids=(author.subject_id,), categories=(town,)
                )
            )
        await self.read_new_events()

    async def do(self, action: Action) -> None:
        """Run one action, and check the result."""
        match action:
            case CommandSpec():
                await self.run(action)
            case tuple():
                await asyncio.gather(*(self._handle(spec, *self._command(spec)) for spec in action))
            case Restart(batch_size=batch_size, lose_views=lose_views):
                await self.restart(batch_size=batch_size, lose_views=lose_views)
            case Fault(after=after):
                self._fuse[:] = [after]
            case ClockMoves(seconds=seconds):
                self.clock.time += seconds * 1_000_000
        await self.read_new_events()

    async def restart(self, *, batch_size: int = 500, lose_views: bool = False) -> None:
        """Close the store, and open it again, with or without the views file."""
        await self._open.aclose()
        if lose_views:
            for file in self.data.glob("views-*"):
                file.unlink()
        self.store = await self._opened(batch_size)

    async def run(self, spec: CommandSpec) -> None:
        """Run one command alone, or twice if `spec.twice`."""
        command, request = self._command(spec)
        for _ in range(2 if spec.twice else 1):
            before, version = await self.store.log.head(), self._version(command)
            result = await self._handle(spec, command, request)
            after = await self.store.log.head()
            if isinstance(result, CommandResult):
                self._check(result, request, before, after, version)
                await self.read_new_events()
                continue
            assert after == before
            if result.code is ErrorCode.VERSION_CONFLICT:
                # Without a version, the command names a category by a slug that a merged one had.
                assert version is None or result.current_version == version
                assert version != request.expected_version or self._names_merged(command)

    async def _handle(
        self, spec: CommandSpec, command: Command, request: CommandRequest
    ) -> CommandResult | Rejection:
        self.counts[spec.kind.__name__] += 1
        try:
            return await self.store.commands.handle(command, request)
        except Rejection as rejection:
            self.counts[rejection.code] += 1
            return rejection

    def _check(
        self, outcome: CommandResult, request: CommandRequest, before: int, after: int, version: int | None
    ) -> None:
        assert not outcome.views_behind
        key = request.idempotency_key
        if outcome.replayed:
            self.counts["replayed"] += 1
            assert key
            assert after == before
            assert outcome.position == self._keys[key]
            assert outcome.subject_id == self._subjects.get(key, outcome.subject_id)
            return
        assert outcome.position == after
        assert request.expected_version in {None, version}
        if after == before:
            self.counts["nothing to do"] += 1
        elif key:
            assert key not in self._keys
            self._subjects[key] = outcome.subject_id

    def _command(self, spec: CommandSpec) -> tuple[Command, CommandRequest]:
        """Return the command of `spec`, and a request with its expected version."""
        command = command_of(spec, self._known())
        version = self._version(command)
        expected = {
            Expecting.ANY: None,
            Expecting.RIGHT: version,
            Expecting.STALE: (version or 0) - 1,
            Expecting.AHEAD: (version or 0) + 1,
        }[spec.expecting]
        key = None if spec.key is None else f"key-{spec.key}"
        return command, CommandRequest(
            expected_version=expected, idempotency_key=key, reason=spec.text or None
        )

    def _known(self) -> Known:
        actors = [
            recorded.event.actor_id
            for recorded in self.history
            if isinstance(recorded.event, ActorRegistered)
        ]
        tokens = [
            recorded.event.token_id for recorded in self.history if isinstance(recorded.event, TokenCreated)
        ]
        existing = {category.id: category.slug for category in self.room.existing_categories()}
        room = self.room
        merged = [category.id for category in room.categories.values() if category.merged_into]
        return Known(
            list(room.posts),
            list(room.categories),
            merged,
            list(room.authors),
            actors,
            tokens,
            existing,
            [(post.id, correction.id) for post in room.posts.values() for correction in post.corrections],
            [
                PAGES.id_in(recorded.header.stream)
                for recorded in self.history
                if recorded.header.type == "page.created"
            ],
        )

    def _version(self, command: Command) -> int | None:
        """Return the version of the object that the command changes, or 0 if the command creates it."""
        if ref := getattr(command, "category", None) if not hasattr(command, "post_id") else None:
            by_slug = next(
                (existing for existing in self.room.existing_categories() if existing.slug == ref.slug), None
            )
            category = self.room.category(ref.id) if ref.id else by_slug
            return category.version if category else None
        for kind in ("post", "author", "actor", "token", "page"):
            if subject_id := getattr(command, f"{kind}_id", None):
                return None if subject_id == UNKNOWN else self._versions.get(f"{kind}.{subject_id}")
        is_of_site = isinstance(command, NameSite | LocalizeSite | DescribeSite | ArrangeMenu)
        return self._versions.get(command.lock_key or "", 0) if is_of_site else 0

    def _names_merged(self, command: Command) -> bool:
        """Return whether the command names a category that was merged: its versions are not those of the other one."""
        ref = getattr(command, "category", None)
        category = self.room.categories.get(ref.id or "") if ref else None
        return category is not None and category.merged_into is not None

    async def read_new_events(self) -> None:
        """Apply new events of the log to `history` and `room`."""
        codec = event_codec()
        for recorded in codec.decode_all(await self.store.log.read(len(self.history), 10_000)):
            self.history.append(recorded)
            self.room.apply(recorded)
            self._versions[recorded.header.stream] = recorded.header.stream_version
            if recorded.idempotency_key:
                self._keys[recorded.idempotency_key] = recorded.position
            self.counts[recorded.header.type] += 1

    async def _opened(self, batch_size: int) -> Store:
        self._open = AsyncExitStack()
        projectors = [_faulty(projector, self._fuse) for projector in all_projectors()]
        while True:
            try:
                return await self._open.enter_async_context(
                    open_store(
                        self.data,
                        log=self.log,
                        clock=self.clock,
                        randomness=self.randomness,
                        projectors=projectors,
                        batch_size=batch_size,
                    )
                )
            except (sqlite3.OperationalError, LogUnusable):
                self.counts["failed to open"] += 1
