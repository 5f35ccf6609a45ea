"""Running nodes notice that their log was restored from a backup or replaced, and then serve and write nothing."""

import asyncio
import shutil
import signal
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, cast

import nats
import pytest

from ledgerpress.adapters.jetstream.event_log import JetStreamEventLog
from ledgerpress.eventlog.clock_randomness_ids import uuid8
from ledgerpress.eventlog.log import NO_STREAM
from ledgerpress.server.log_factory import open_log
from ledgerpress.server.log_url import LogUrl
from scripts.engines.nats import NatsServer
from scripts.engines.postgres import PostgresServer
from tests.contract.sample_events import sample_write
from tests.engines.stoppable_servers import ELSEWHERE, Stoppable, jetstream
from tests.integration.server_process import EVERYONE_IS_ADMIN, Server, Servers
from tests.integration.test_log_engine_away import (
    CREATE,
    CREATED,
    TITLES,
    ask,
    client,
    titles,
    wait_for_readiness,
)
from tests.integration.websocket_client import websocket


@pytest.fixture(params=ELSEWHERE)
def engine(request: pytest.FixtureRequest) -> Iterator[Stoppable]:
    with ELSEWHERE[request.param]() as server:
        yield server


@pytest.fixture
def server() -> Iterator[Stoppable]:
    with jetstream() as server:
        yield server


def data_directory(engine: Stoppable) -> Path:
    """Return the data directory of a server."""
    if isinstance(engine, PostgresServer):
        return engine.data
    return cast("NatsServer", engine).directory / "store"


def back_up(engine: Stoppable, to: Path) -> None:
    engine.stop()
    subprocess.run(["cp", "-a", data_directory(engine), to], check=True)
    engine.start()


def restore(engine: Stoppable, backup: Path) -> None:
    engine.stop()
    shutil.rmtree(data_directory(engine))
    subprocess.run(["cp", "-a", backup, data_directory(engine)], check=True)
    engine.start()


async def delete_log(engine: Stoppable) -> None:
    if isinstance(engine, PostgresServer):
        engine.sql("DROP DATABASE ledgerpress WITH (FORCE)", database="postgres")
        engine.sql("CREATE DATABASE ledgerpress", database="postgres")
        return
    connection = await nats.connect(f"nats://{cast('NatsServer', engine).address}")
    streams = connection.jetstream()
    for stream in await streams.streams_info():
        await streams.delete_stream(str(stream.config.name))
    await connection.close()


async def check_rejects_requests(server: Server, reason: str) -> None:
    """Check that a node whose log was replaced serves nothing, writes nothing, and logs this once."""
    async with client(server) as http:
        readiness = await wait_for_readiness(http, log="another", status="replaced")
        assert (await http.get("/health/ready")).status_code == 503
        assert reason in server.words(), readiness
        for response in (await ask(http, CREATE, title="Meanwhile"), await ask(http, TITLES)):
            assert response.status_code == 503, response.text
            assert [error["extensions"]["code"] for error in response.json()["errors"]] == ["LOG_UNAVAILABLE"]
        page = await http.get("/", headers={"Accept": "text/html"})
        assert (page.status_code, "was replaced" in page.text) == (503, True), page.text
    lines = [line for line in server.words().splitlines() if "the log was replaced" in line]
    assert len(lines) == 1, lines


async def test_a_node_notices_that_the_log_was_restored(engine: Stoppable, tmp_path: Path) -> None:
    async with Servers(tmp_path, {**EVERYONE_IS_ADMIN, "LEDGERPRESS_LOG": engine.url("daily")}) as servers:
        node = await servers.start(tmp_path / "node")
        async with client(node) as http:
            await ask(http, CREATE, title="Kept")
            await asyncio.to_thread(back_up, engine, tmp_path / "backup")
            await wait_for_readiness(http, log="reachable", status="ready")
            assert (await ask(http, CREATE, title="Lost")).status_code == 200
            assert await titles(http) == ["Lost", "Kept"]
            await asyncio.to_thread(restore, engine, tmp_path / "backup")
        await check_rejects_requests(node, "it ends at position")
        await node.stop()
        node = await servers.start(tmp_path / "node")
        async with client(node) as http:
            assert await titles(http) == ["Kept"]
            assert (await ask(http, CREATE, title="Again")).status_code == 200
            assert await titles(http) == ["Again", "Kept"]


async def test_a_node_notices_that_the_log_was_restored_and_then_grew(
    engine: Stoppable, tmp_path: Path
) -> None:
    async with Servers(tmp_path, {**EVERYONE_IS_ADMIN, "LEDGERPRESS_LOG": engine.url("daily")}) as servers:
        node = await servers.start(tmp_path / "node")
        async with client(node) as http:
            await ask(http, CREATE, title="Kept")
            await asyncio.to_thread(back_up, engine, tmp_path / "backup")
            await wait_for_readiness(http, log="reachable", status="ready")
            assert (await ask(http, CREATE, title="Lost")).status_code == 200
        node.signal(signal.SIGSTOP)
        await asyncio.to_thread(restore, engine, tmp_path / "backup")
        other = await servers.start(tmp_path / "other")
        async with client(other) as http:
            for number in range(3):
                assert (await ask(http, CREATE, title=f"New {number}")).status_code == 200
            now = await titles(http)
        node.signal(signal.SIGCONT)
        await check_rejects_requests(node, "it has another event at position")
        await node.stop()
        node = await servers.start(tmp_path / "node")
        async with client(node) as http:
            assert await titles(http) == now == ["New 2", "New 1", "New 0", "Kept"]


async def open_jetstream(server: Stoppable) -> JetStreamEventLog:
    log = await open_log(LogUrl.parse(server.url("daily")), Path(), create_as=lambda: uuid8("publication"))
    assert isinstance(log, JetStreamEventLog)
    return log


@pytest.mark.parametrize("of_stream", [False, True], ids=["read", "read_stream"])
async def test_a_read_never_mixes_events_of_two_logs(
    server: Stoppable, monkeypatch: pytest.MonkeyPatch, of_stream: bool
) -> None:
    log = await open_jetstream(server)
    await log.append([sample_write("post.a", NO_STREAM, events=2)])
    read = log._reader._request_batch
    old_events = (await log.read(0, 10))[:1]
    new_log: list[JetStreamEventLog] = []

    async def read_one_and_replace(*args: Any) -> object:
        if new_log:
            return await read(*args)
        messages, _ = await read(*args)
        await delete_log(server)
        new_log.append(await open_jetstream(server))
        await new_log[0].append([sample_write("post.a", NO_STREAM, events=3)])
        return messages[:1], True

    monkeypatch.setattr(log._reader, "_request_batch", read_one_and_replace)
    events = await (log.read_stream("post.a") if of_stream else log.read(0, 10))
    now = await new_log[0].read(0, 10)
    assert old_events[0] not in now
    assert events == now[: len(events)], "they are of one log"
    assert len(events) >= 2
    for opened_log in (log, *new_log):
        await opened_log.aclose()


async def test_a_node_notices_that_the_log_was_replaced_by_another_publication(
    engine: Stoppable, tmp_path: Path
) -> None:
    async with Servers(tmp_path, {**EVERYONE_IS_ADMIN, "LEDGERPRESS_LOG": engine.url("daily")}) as servers:
        node = await servers.start(tmp_path / "node")
        async with client(node) as http:
            await ask(http, CREATE, title="Old")
            await delete_log(engine)
            await wait_for_readiness(http, log="unreachable")
            other = await servers.start(tmp_path / "other")
        await check_rejects_requests(node, "another publication")
        async with client(other) as http:
            assert await titles(http) == []
            assert (await ask(http, CREATE, title="New")).status_code == 200
        await node.stop()
        rejected_node = await servers.launch(tmp_path / "node")
        assert await rejected_node.ended() == 3
        assert "holds the views of publication" in rejected_node.words()


async def test_a_node_notices_that_the_log_file_was_replaced(tmp_path: Path) -> None:
    async with Servers(tmp_path, EVERYONE_IS_ADMIN) as servers:
        node = await servers.start(tmp_path / "node")
        async with client(node) as http, websocket(*await node.address()) as socket:
            await ask(http, CREATE, title="Old")
            await socket.init()
            await socket.subscribe(CREATED, "waiting", after=0)
            await socket.subscribe("subscription { recentPosts(first: 1) { nodes { title } } }", "of today")
            assert {(await socket.receive())["id"] for _ in range(2)} == {"waiting", "of today"}
            (log,) = (tmp_path / "node").glob("log.sqlite")
            copy = tmp_path / "copy"
            shutil.copy(log, copy)
            copy.rename(log)
            for _ in range(2):
                end = await socket.receive()
                assert (end["type"], end["payload"][0]["extensions"]) == (
                    "error",
                    {"code": "LOG_UNAVAILABLE"},
                )
                assert "was replaced by another log" in end["payload"][0]["message"]
            await socket.subscribe(CREATED, "too late", after=0)
            end = await socket.receive()
            assert (end["id"], end["payload"][0]["extensions"]) == ("too late", {"code": "LOG_UNAVAILABLE"})
        await check_rejects_requests(node, "is no longer the file that was opened")


async def test_a_node_notices_that_other_events_were_restored_into_the_log_file(tmp_path: Path) -> None:
    node_data, other_data = tmp_path / "node", tmp_path / "other"
    async with Servers(tmp_path, EVERYONE_IS_ADMIN) as servers:
        node = await servers.start(node_data)
        async with client(node) as http:
            await ask(http, CREATE, title="Common")
        await node.stop()
        shutil.copytree(node_data, other_data)
        node, other = await servers.start(node_data), await servers.start(other_data)
        async with client(node) as http, client(other) as http_of_other:
            await ask(http_of_other, CREATE, title="Of the other log")
            await other.stop()
            await ask(http, CREATE, title="Of this log")
            restore_in_place(other_data / "log.sqlite", node_data / "log.sqlite")
            response = await ask(http, CREATE, title="After the restore")
            assert response.status_code == 503, response.text
        await check_rejects_requests(node, "it has another event at position")


def restore_in_place(source: Path, target: Path) -> None:
    """Do the same as `.restore` of the program sqlite3."""
    with closing(sqlite3.connect(source)) as reading, closing(sqlite3.connect(target)) as writing:
        reading.backup(writing)
