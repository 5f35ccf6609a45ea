"""PostgreSQL says that an append is committed only when that is on disk: the system calls of a real server say so.

A killed server leaves what it wrote to the kernel, so a crash of the server alone cannot show this.
"""

import asyncio
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import pytest

from ledgerpress.adapters.postgres import connection as connections
from scripts.engines.postgres import PostgresServer
from tests.integration.postgres_appends import Book, everything, open_at
from tests.integration.system_call_trace import (
    SYNCS,
    WRITES,
    Call,
    calls_in,
    has_seen_the_end,
    require_strace,
    traced,
)

pytestmark = pytest.mark.serial

ASKED = b"INSERT 0 "
"""The server's answer to the statement that records."""
COMMITTED = b"C\0\0\0\x0bCOMMIT\0"
APPENDS = 30


@contextmanager
def traced_server(settings: Mapping[str, str]) -> Iterator[tuple[PostgresServer, Path]]:
    """A server that is traced, and the file of the trace: complete once the server is stopped."""
    require_strace()
    server = PostgresServer(settings=settings)
    try:
        server.stop()
        trace = server.folder / "trace.txt"
        server.start(traced([], trace))
        yield server, trace
    finally:
        server.close()


async def calls_of_appends(settings: Mapping[str, str], *, at_once: bool) -> list[Call]:
    """Append, and return the system calls of the server meanwhile."""
    with traced_server(settings) as (server, trace):
        book, log = Book(), await open_at(server.url("daily"))
        names = [f"n{number}" for number in range(APPENDS)]
        if at_once:
            await asyncio.gather(*(book.append(log, name) for name in names))
        else:
            for name in names:
                await book.append(log, name)
        book.check(await everything(log))
        assert len(book.positions) == APPENDS
        await log.aclose()
        pid = server.pid
        await asyncio.to_thread(server.stop)
        async with asyncio.timeout(20):
            while not has_seen_the_end(trace, pid):  # noqa: ASYNC110 - a file tells nobody of its changes
                await asyncio.sleep(0.02)
        return calls_in(trace)


def commits(calls: Iterable[Call]) -> Iterator[tuple[Call, Call]]:
    """Yield the server's answers to each statement that records and to the COMMIT after it."""
    answers: dict[str, list[Call]] = {}
    for call in calls:
        if call.file.startswith("TCP:") and call.name in WRITES:
            answers.setdefault(call.file, []).append(call)
    for of_connection in answers.values():
        for asked, answer in pairwise(of_connection):
            if ASKED in asked.data and COMMITTED in answer.data:
                yield asked, answer


def answered_too_early(calls: list[Call]) -> list[Call]:
    """Return the answers that began before the last of what was written to the write-ahead log until then was synced."""
    journal = [call for call in calls if "/pg_wal/" in call.file]
    early = []
    for asked, answer in commits(calls):
        writes = [
            one.ended
            for one in journal
            if one.name in WRITES and one.ended is not None and asked.began < one.began < answer.began
        ]
        syncs = [
            one.began
            for one in journal
            if one.name in SYNCS and one.result == 0 and one.ended is not None and one.ended < answer.began
        ]
        if not writes or not syncs or max(syncs) < max(writes):
            early.append(answer)
    return early


async def test_each_append_is_answered_after_its_sync() -> None:
    calls = await calls_of_appends({}, at_once=False)
    assert len(list(commits(calls))) == APPENDS
    assert answered_too_early(calls) == []


async def test_appends_that_share_a_sync_are_answered_after_it() -> None:
    calls = await calls_of_appends({}, at_once=True)
    assert 0 < len(list(commits(calls))) < APPENDS / 2
    assert answered_too_early(calls) == []


async def test_a_server_that_is_told_not_to_wait_waits_for_us() -> None:
    calls = await calls_of_appends({"synchronous_commit": "off"}, at_once=False)
    assert answered_too_early(calls) == []


async def test_a_server_that_does_not_sync_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    careless = connections._CHECK.replace("set_config('synchronous_commit', 'on', false)", "''")
    assert careless != connections._CHECK
    monkeypatch.setattr(connections, "_CHECK", careless)
    calls = await calls_of_appends({"synchronous_commit": "off"}, at_once=False)
    assert len(answered_too_early(calls)) > APPENDS / 2
