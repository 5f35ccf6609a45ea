"""A log in memory for long histories, and a command handler that appends to it."""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager

from ledgerpress.commands.command_handler import CommandHandler
from ledgerpress.commands.executed_commands_view import CommandsProjector
from ledgerpress.commands.first_events_of_publication import open_publication
from ledgerpress.eventlog.clock_randomness_ids import Clock, Randomness
from ledgerpress.eventlog.codec import Recorded
from ledgerpress.eventlog.envelope import StoredEvent
from ledgerpress.eventlog.errors import WrongExpectedVersion
from ledgerpress.eventlog.event_and_withdrawn_event import Event
from ledgerpress.eventlog.log import ANY_VERSION, StreamWrite, check_writes
from ledgerpress.features.authors.author_rows import AuthorsProjector
from ledgerpress.features.registry import FEATURES, event_codec
from ledgerpress.views.projection.checkpoints import Checkpoint
from ledgerpress.views.snapshot_and_cache_dependencies import Snapshot
from tests.newsroom_model import Newsroom


class MemoryLog:
    """An `EventLog` that stores nothing on disk."""

    staleness = 0.0
    max_events = None

    def __init__(self, publication: str) -> None:
        self.publication = publication
        self.events: list[StoredEvent] = []
        self._streams: dict[str, list[StoredEvent]] = {}

    async def append(self, writes: Sequence[StreamWrite]) -> int:
        check_writes(writes)
        for write in writes:
            actual = len(self._streams.get(write.stream, ()))
            if write.expected not in (ANY_VERSION, actual):
                raise WrongExpectedVersion(stream=write.stream, expected=write.expected, actual=actual)
        for write in writes:
            stream = self._streams.setdefault(write.stream, [])
            for event in write.events:
                header = event.header(
                    publication=self.publication,
                    position=len(self.events) + 1,
                    stream=write.stream,
                    stream_version=len(stream) + 1,
                )
                stored = StoredEvent(header, event.payload)
                self.events.append(stored)
                stream.append(stored)
        return len(self.events)

    async def withdraw(self, position: int, writes: Sequence[StreamWrite]) -> int:
        raise NotImplementedError

    async def head(self) -> int:
        return len(self.events)

    async def read(self, after: int, limit: int) -> list[StoredEvent]:
        return self.events[after : after + limit]

    async def read_stream(self, stream: str, after: int = 0) -> list[StoredEvent]:
        return self._streams.get(stream, [])[after:]

    async def wait_beyond(self, position: int, timeout: float) -> bool:
        return len(self.events) > position


class MemoryCommands:
    """A source of command handlers on a log in memory; `room` is the newsroom after the events in `history`."""

    def __init__(self, log: MemoryLog) -> None:
        self.log = log
        self.room = Newsroom()
        self.history: list[Recorded[Event]] = []
        self._codec = event_codec()

    async def opened(self, clock: Clock, randomness: Randomness) -> CommandHandler:
        name_key = await open_publication(self.log, self._codec, clock, randomness, FEATURES.first_events)
        self.apply_new_events()
        return CommandHandler(
            log=self.log,
            codec=self._codec,
            declarations=FEATURES.declarations,
            views=self,
            clock=clock,
            randomness=randomness,
            name_key=name_key,
        )

    def apply_new_events(self) -> None:
        """Apply new events of the log to `history` and `room`."""
        for recorded in self._codec.decode_all(self.log.events[len(self.history) :]):
            self.history.append(recorded)
            self.room.apply(recorded)

    @property
    def checkpoints(self) -> dict[str, Checkpoint]:
        return {}

    async def wait_for(self, position: int, timeout: float, names: Sequence[str] = ()) -> bool:
        return True

    @contextmanager
    def snapshot(self) -> Iterator[Snapshot]:
        """Return views that only contain which categories have posts, and the slugs of authors."""
        with closing(sqlite3.connect(":memory:")) as db:
            db.execute(CommandsProjector.schema)
            db.execute("CREATE TABLE listed_in (k)")
            db.execute("CREATE TABLE listed_category (k, id)")
            used = sorted(
                {category_id for post in self.room.posts.values() for category_id in post.categories}
            )
            db.executemany("INSERT INTO listed_in VALUES (?)", [(k,) for k, _ in enumerate(used)])
            db.executemany("INSERT INTO listed_category VALUES (?, ?)", enumerate(used))
            db.executescript(AuthorsProjector.schema)
            authors = self.room.authors
            db.executemany("INSERT INTO author VALUES (?, ?)", [(a.seq, a.id) for a in authors.values()])
            slugs = [(slug, authors[id_].seq, 0) for slug, id_ in self.room.author_slugs.items()]
            db.executemany("INSERT INTO author_slug VALUES (?, ?, ?)", slugs)
            yield Snapshot(db, len(self.log.events))
