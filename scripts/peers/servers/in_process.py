"""Writes to a log without HTTP: plain SQLite, the log of LedgerPress, and its commands.

Usage: python -m scripts.peers.servers.in_process sqlite|log|commands DIRECTORY, with lines KIND SECONDS on the input;
prints UNITS SECONDS for each. `one`: an event, or a post, at a time. `batch`: 100 events in each append.
"""

import asyncio
import sqlite3
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, closing
from itertools import count
from pathlib import Path
from typing import Final

import uvloop

from ledgerpress.adapters.sqlite_log import event_reads_and_group_append
from ledgerpress.adapters.sqlite_log.event_log import SqliteEventLog
from ledgerpress.adapters.sqlite_log.log_file import DURABLE
from ledgerpress.eventlog.clock_randomness_ids import uuid8
from ledgerpress.eventlog.envelope import NewEvent
from ledgerpress.eventlog.event_and_withdrawn_event import Event
from ledgerpress.eventlog.log import StreamWrite
from ledgerpress.features.posts.create_edit_categorize_commands import CreatePost
from ledgerpress.features.posts.model import POSTS, PostCreated, PostEdited
from ledgerpress.features.registry import event_codec
from ledgerpress.server.store import open_store
from scripts.workloads.generated_posts import START
from scripts.workloads.numbered_events import numbered_event

BATCH: Final = 100
_BODY: Final = "The council met again in March. " * 60

_Step = Callable[[str], Awaitable[int]]
"""Does one step of a kind of work, and returns its units."""


class _Writes:
    """Creates appends: a post in a stream of its own, or a batch of edits of one post."""

    def __init__(self) -> None:
        self._codec = event_codec()
        self._numbers = count(1)
        self._edited = uuid8("edited")
        self._version = 0

    def next(self, kind: str) -> StreamWrite:
        if kind == "one":
            number = next(self._numbers)
            post_id = uuid8("post", number)
            created = PostCreated(
                post_id=post_id,
                slug=f"post-{number}",
                title=f"Post {number}",
                teaser="About it.",
                body=_BODY,
                author_ids=(),
            )
            return StreamWrite(POSTS.stream(post_id), 0, (self._event(created, number),))
        numbers = [next(self._numbers) for _ in range(BATCH)]
        events = [
            self._event(PostEdited(post_id=self._edited, title=f"Post {number}"), number)
            for number in numbers
        ]
        write = StreamWrite(POSTS.stream(self._edited), self._version, tuple(events))
        self._version += BATCH
        return write

    def _event(self, fact: Event, number: int) -> NewEvent:
        return numbered_event(self._codec, fact, number, START + number)


@asynccontextmanager
async def _log(directory: Path) -> AsyncIterator[_Step]:
    log = await SqliteEventLog.open(directory / "log.db", create_as=lambda: uuid8("publication"))
    writes = _Writes()

    async def step(kind: str) -> int:
        write = writes.next(kind)
        await log.append([write])
        return len(write.events)

    try:
        yield step
    finally:
        await log.aclose()


@asynccontextmanager
async def _sqlite(directory: Path) -> AsyncIterator[_Step]:
    """Encode the events, and insert their rows into the tables of a log, with its triggers."""
    path = directory / "plain.db"
    await (await SqliteEventLog.open(path, create_as=lambda: uuid8("publication"))).aclose()
    writes, positions = _Writes(), count(1)
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        for name, value in DURABLE.items():
            db.execute(f"PRAGMA {name} = {value}")

        async def step(kind: str) -> int:
            write = writes.next(kind)
            rows = [
                event.row(
                    bytes.fromhex(event.payload.commitment()),
                    next(positions),
                    write.stream,
                    write.expected + index,
                )
                for index, event in enumerate(write.events, 1)
            ]
            db.execute("BEGIN IMMEDIATE")
            db.executemany(event_reads_and_group_append.INSERT, rows)
            db.execute("COMMIT")
            return len(rows)

        yield step


@asynccontextmanager
async def _commands(directory: Path) -> AsyncIterator[_Step]:
    async with open_store(directory / "store") as store:
        numbers = count(1)

        async def step(_kind: str) -> int:
            number = next(numbers)
            post = CreatePost(title=f"Post {number}", slug=f"post-{number}", teaser="About it.", body=_BODY)
            await store.commands.handle(post)
            return 1

        yield step


async def work(name: str, directory: Path) -> None:
    """Work as the lines of the input ask."""
    async with {"log": _log, "sqlite": _sqlite, "commands": _commands}[name](directory) as step:
        print("ready", flush=True)
        while line := await asyncio.to_thread(sys.stdin.readline):
            kind, seconds = line.split()
            units, started = 0, time.perf_counter()
            while (now := time.perf_counter()) < started + float(seconds):
                units += await step(kind)
            print(units, now - started, flush=True)


if __name__ == "__main__":
    uvloop.run(work(sys.argv[1], Path(sys.argv[2])))
