"""PostgreSQL reports an append as committed only when it is on disk, as the system calls of a real server show.

The kernel still writes the data of a killed server to disk, so a crash of the server alone cannot show this.
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

INSERTED = b"INSERT 0 "
"""The server's response to the statement that records events."""
COMMITTED = b"C\0\0\0\x0bCOMMIT\0"
APPENDS = 30


@contextmanager
def traced_server(settings: Mapping[str, str]) -> Iterator[tuple[PostgresServer, Path]]:
    """Start a traced server; yield the server and its trace file, which is complete after the server stops."""
    require_strace()
    server = PostgresServer(settings=settings)
    try:
        server.stop()
        trace = server.folder / "trace.txt"
        server.start(traced([], trace))
        yield server, trace
    finally:
        server.close()


async def calls_of_appends(settings: Mapping[str, str], *, concurrent: bool) -> list[Call]:
    """Append, and return the system calls that the server makes meanwhile."""
    with traced_server(settings) as (server, trace):
        book, log = Book(), await open_at(server.url("daily"))
        names = [f"n{number}" for number in range(APPENDS)]
        if concurrent:
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
            while not has_seen_the_end(trace, pid):  # noqa: ASYNC110 - a file sends no notifications
                await asyncio.sleep(0.02)
        return calls_in(trace)


def commits(calls: Iterable[Call]) -> Iterator[tuple[Call, Call]]:
    """Yield the server's responses to each INSERT and to the COMMIT after it."""
    responses: dict[str, list[Call]] = {}
    for call in calls:
        if call.file.startswith("TCP:") and call.name in WRITES:
            responses.setdefault(call.file, []).append(call)
    for responses_of_connection in responses.values():
        for insert, commit in pairwise(responses_of_connection):
            if INSERTED in insert.data and COMMITTED in commit.data:
                yield insert, commit


def commits_before_sync(calls: list[Call]) -> list[Call]:
    """Return the COMMIT responses that began before the last preceding write to the write-ahead log was synced."""
    journal = [call for call in calls if "/pg_wal/" in call.file]
    early = []
    for insert, commit in commits(calls):
        writes = [
            call.ended
            for call in journal
            if call.name in WRITES and call.ended is not None and insert.began < call.began < commit.began
        ]
        syncs = [
            call.began
            for call in journal
            if call.name in SYNCS
            and call.result == 0
            and call.ended is not None
            and call.ended < commit.began
        ]
        if not writes or not syncs or max(syncs) < max(writes):
            early.append(commit)
    return early


async def test_each_append_is_acknowledged_after_its_sync() -> None:
    calls = await calls_of_appends({}, concurrent=False)
    assert len(list(commits(calls))) == APPENDS
    assert commits_before_sync(calls) == []


async def test_appends_that_share_a_sync_are_acknowledged_after_it() -> None:
    calls = await calls_of_appends({}, concurrent=True)
    assert 0 < len(list(commits(calls))) < APPENDS / 2
    assert commits_before_sync(calls) == []


async def test_an_append_waits_for_the_sync_even_with_synchronous_commit_off() -> None:
    calls = await calls_of_appends({"synchronous_commit": "off"}, concurrent=False)
    assert commits_before_sync(calls) == []


async def test_the_trace_detects_a_server_that_does_not_sync(monkeypatch: pytest.MonkeyPatch) -> None:
    check_without_sync = connections._CHECK.replace("set_config('synchronous_commit', 'on', false)", "''")
    assert check_without_sync != connections._CHECK
    monkeypatch.setattr(connections, "_CHECK", check_without_sync)
    calls = await calls_of_appends({"synchronous_commit": "off"}, concurrent=False)
    assert len(commits_before_sync(calls)) > APPENDS / 2
