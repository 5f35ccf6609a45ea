"""PostgreSQL or a node crashes under load: acknowledged commands are recorded once, and no command is partial."""

import asyncio
import os
import sys
import time
from itertools import count
from pathlib import Path
from random import Random

import pytest

from ledgerpress.adapters.postgres import append_transaction
from ledgerpress.adapters.postgres.connection import Connection
from ledgerpress.eventlog.envelope import Row, StoredEvent
from ledgerpress.eventlog.log import EventLog
from scripts.engines.postgres import PostgresServer
from tests.integration.postgres_appends import Book, Follower, command, event, everything, open_at

CRASHES = 10
KILLS = 8
CLIENTS = 24
NODE = Path(__file__).with_name("postgres_node.py")


def seeded_random() -> Random:
    seed = int(os.environ.get("LEDGERPRESS_TEST_SEED") or time.time_ns())
    print(f"LEDGERPRESS_TEST_SEED={seed} chooses the same moments again")  # noqa: T201
    return Random(seed)


@pytest.mark.serial
async def test_ten_crashes_under_load_lose_and_repeat_no_acknowledged_commands(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    resolutions: list[bool] = []

    async def was_recorded(connection: Connection, log: int, head: int, rows: list[Row]) -> bool:
        resolutions.append(await original(connection, log, head, rows))
        return resolutions[-1]

    original = append_transaction.was_recorded
    monkeypatch.setattr(append_transaction, "was_recorded", was_recorded)
    random, book, numbers = seeded_random(), Book(), count()
    server = PostgresServer()
    try:
        logs = [await open_at(server.url("daily")) for _ in range(3)]
        follower = Follower(logs[0])
        running = True

        async def client(log: EventLog) -> None:
            while running:
                await book.append(log, f"n{next(numbers)}")

        clients = [asyncio.create_task(client(logs[n % 3])) for n in range(CLIENTS)]
        for _ in range(CRASHES):
            await asyncio.sleep(random.uniform(0.1, 0.6))
            await asyncio.to_thread(server.stop, "immediate")
            await asyncio.sleep(random.uniform(0, 0.3))
            await asyncio.to_thread(server.start)
        await asyncio.sleep(0.5)
        running = False
        await asyncio.gather(*clients)
        events = await everything(logs[1])
        book.check(events)
        assert await follower.reach(len(events)) == events
        print(  # noqa: T201
            f"{len(book.positions)} acknowledged, {len(book.not_recorded)} refused, {len(book.unresolved)} unresolved; "
            f"looked for {len(resolutions)} groups, {sum(resolutions)} of them recorded"
        )
        assert len(book.positions) > 20 * CRASHES
        for log in logs:
            await log.aclose()
    finally:
        server.close()


@pytest.mark.serial
async def require_a_standby(server: PostgresServer) -> None:
    """Make each commit wait for a standby that does not exist."""
    server.sql("ALTER SYSTEM SET synchronous_standby_names = 'nobody'")
    server.sql("SELECT pg_reload_conf()")
    await asyncio.sleep(0.3)


def stop_requiring_the_standby(server: PostgresServer) -> None:
    server.sql("ALTER SYSTEM RESET synchronous_standby_names")
    server.sql("SELECT pg_reload_conf()")


async def test_an_append_found_after_a_crash_is_acknowledged_when_the_standby_has_it() -> None:
    server = PostgresServer()
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'"

    async def wait_until_a_commit_waits() -> None:
        async with asyncio.timeout(10):
            while await asyncio.to_thread(server.sql, waiting) == "0":  # noqa: ASYNC110 - the server is polled
                await asyncio.sleep(0.05)

    try:
        log = await open_at(server.url("daily"))
        assert await log.append(command("first")) == 3
        await require_a_standby(server)
        appending = asyncio.create_task(log.append(command("second")))
        await wait_until_a_commit_waits()
        await asyncio.to_thread(server.restart, "immediate")
        await wait_until_a_commit_waits()
        assert not appending.done()
        assert len(await everything(log)) == 6
        stop_requiring_the_standby(server)
        assert await asyncio.wait_for(appending, 10) == 6
        assert log.counts["resolved"] == 1
        await log.aclose()
    finally:
        server.close()


async def test_a_commit_is_not_acknowledged_if_the_wait_for_the_standby_is_cancelled() -> None:
    server = PostgresServer()
    waiting = "SELECT pid FROM pg_stat_activity WHERE wait_event = 'SyncRep'"

    async def cancel_wait() -> None:
        async with asyncio.timeout(10):
            while not (pid := await asyncio.to_thread(server.sql, waiting)):  # noqa: ASYNC110 - only polling
                await asyncio.sleep(0.05)
        server.sql(f"SELECT pg_cancel_backend({pid})")

    try:
        server.sql("ALTER ROLE postgres SET client_min_messages = error")
        log = await open_at(server.url("daily"))
        assert await log.append(command("first")) == 3
        await require_a_standby(server)
        appending = asyncio.create_task(log.append(command("second")))
        for _ in range(2):
            await cancel_wait()
            await asyncio.sleep(0.5)
            assert not appending.done()
        stop_requiring_the_standby(server)
        assert await asyncio.wait_for(appending, 10) == 6
        assert len(await everything(log)) == 6
        await log.aclose()
    finally:
        server.close()


@pytest.mark.serial
async def test_a_killed_node_leaves_no_partial_command(postgres_server: PostgresServer) -> None:
    random, book = seeded_random(), Book()
    url = postgres_server.url("killed")
    log = await open_at(url)
    events: list[StoredEvent] = []
    recorded_names: set[str] = set()
    try:
        for number in range(KILLS):
            node = await asyncio.create_subprocess_exec(
                sys.executable, NODE, url, f"node-{number}", stdout=asyncio.subprocess.PIPE, limit=2**20
            )
            assert node.stdout is not None
            first = await node.stdout.readline()
            await asyncio.sleep(random.uniform(0.0, 0.4))
            node.kill()
            rest, _ = await node.communicate()
            for line in (first + rest).decode().splitlines(keepends=True):
                if line.endswith("\n"):
                    name, position = line.split()
                    book.positions[name] = int(position)
            # An unfinished append of the killed node does not block others.
            await asyncio.wait_for(book.append(log, f"after-{number}"), 10)
            events = await everything(log)
            recorded = {stored.header.event_id for stored in events}
            recorded_names = {stored.header.stream.removeprefix("post.") for stored in events} - {"journal"}
            for name in recorded_names:
                assert all(event(name, n).event_id in recorded for n in (1, 2, 3)), name
            assert book.positions.keys() <= recorded_names
        book.unresolved = recorded_names - book.positions.keys()
        book.check(events)
        print(f"{len(book.positions)} acknowledged, {len(book.unresolved)} recorded and not acknowledged")  # noqa: T201
        assert len(book.positions) > 10 * KILLS
        assert await log.append(command("last")) == len(events) + 3
    finally:
        await log.aclose()
