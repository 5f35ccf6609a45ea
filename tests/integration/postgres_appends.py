"""Append commands to a log in PostgreSQL, and check the log afterwards."""

import asyncio
from dataclasses import dataclass, field
from pathlib import Path

from ledgerpress.eventlog.clock_randomness_ids import uuid8
from ledgerpress.eventlog.envelope import JSON_ENCODING, NewEvent, SealedPayload, StoredEvent
from ledgerpress.eventlog.errors import AppendUnresolved, EventLogError, LogUnavailable
from ledgerpress.eventlog.log import ANY_VERSION, EventLog, OpenedLog, StreamWrite, catch_up, check_gapless
from ledgerpress.eventlog.merkle import Frontier
from ledgerpress.server.log_factory import open_log
from ledgerpress.server.log_url import LogUrl

EVENTS_EACH = 3
"""Number of events of a command: two in its own stream, one in a stream that all commands share."""


def event(*name: str | int) -> NewEvent:
    """Return an event; the same name gives the same event."""
    return NewEvent(
        event_id=uuid8("event", *name),
        type="post.edited",
        schema_version=1,
        recorded_at=0,
        actor_id=uuid8("actor"),
        command_id=uuid8("command", *name),
        correlation_id=uuid8("command", *name),
        payload=SealedPayload(JSON_ENCODING, b'{"data":{}}', bytes(32)),
    )


def command(name: str) -> list[StreamWrite]:
    """Return the writes of a command with several events, which can be recorded only once."""
    return [
        StreamWrite(f"post.{name}", 0, (event(name, 1), event(name, 2))),
        StreamWrite("journal", ANY_VERSION, (event(name, 3),)),
    ]


async def open_at(url: str) -> OpenedLog:
    """Open the log at a URL; create it if there is none."""
    return await open_log(LogUrl.parse(url), Path(), create_as=lambda: uuid8("publication", url))


async def everything(log: EventLog) -> list[StoredEvent]:
    """Return all events."""
    events: list[StoredEvent] = []
    while batch := await log.read(len(events), 1_000):
        check_gapless(batch, len(events))
        events += batch
    return events


def root_of(events: list[StoredEvent]) -> bytes:
    """Return the root of the Merkle tree of the events."""
    tree = Frontier()
    for stored in events:
        tree.append(stored.header.leaf_hash())
    return tree.root()


@dataclass
class Book:
    """The names of appended commands, by the result of the append."""

    positions: dict[str, int] = field(default_factory=dict)
    not_recorded: set[str] = field(default_factory=set)
    unresolved: set[str] = field(default_factory=set)

    async def append(self, log: EventLog, name: str) -> None:
        """Append a command and record the result."""
        try:
            self.positions[name] = await log.append(command(name))
        except AppendUnresolved:
            self.unresolved.add(name)
        except LogUnavailable:
            self.not_recorded.add(name)

    def check(self, events: list[StoredEvent]) -> None:
        """Fail unless the log has all acknowledged commands, no duplicates and no incomplete commands."""
        ids = [stored.header.event_id for stored in events]
        assert len(set(ids)) == len(ids)
        places = {stored.header.event_id: stored.position for stored in events}
        for name, position in self.positions.items():
            assert [places[event(name, n).event_id] for n in (1, 2, 3)] == [
                position - 2,
                position - 1,
                position,
            ]
        for name in self.not_recorded:
            assert not any(event(name, n).event_id in places for n in (1, 2, 3)), name
        for name in self.unresolved:
            assert sum(event(name, n).event_id in places for n in (1, 2, 3)) in (0, 3)
        assert len(events) <= EVENTS_EACH * (len(self.positions) + len(self.unresolved))


class Follower:
    """Follows a log from its beginning, as a projection does, and continues when the server is available again."""

    def __init__(self, log: EventLog) -> None:
        self.seen: list[StoredEvent] = []
        self._log = log
        self._task = asyncio.ensure_future(self._follow())

    async def reach(self, position: int) -> list[StoredEvent]:
        """Wait until the follower has received the event at `position`, stop it, and return all received events."""
        async with asyncio.timeout(60):
            while len(self.seen) < position and not self._task.done():  # noqa: ASYNC110 - a list cannot be awaited
                await asyncio.sleep(0.02)
        if self._task.done():
            self._task.result()
        self.stop()
        return self.seen

    def stop(self) -> None:
        """Stop following."""
        self._task.cancel()

    async def _follow(self) -> None:
        while True:
            try:
                async for batch in catch_up(self._log, len(self.seen), batch_size=50, poll=0.2):
                    self.seen += batch
            except LogUnavailable:
                await asyncio.sleep(0.05)
            except EventLogError:
                raise
