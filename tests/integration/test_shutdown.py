"""A server that is asked to stop completes the requests in progress, closes the store and exits with code 0."""

import asyncio
import json
import re
import signal
from pathlib import Path
from random import Random

import httpx2
import pytest

from ledgerpress.features.actors.model import FIRST_EVENT_COUNT
from ledgerpress.server.data_directory import LOG_FILE
from tests.integration.editor_clients import Book, Editor
from tests.integration.keep_alive_client import Client
from tests.integration.log_history import assert_gapless, by_command, recorded
from tests.integration.server_process import Server, Servers
from tests.integration.websocket_client import websocket

pytestmark = pytest.mark.serial


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_stop_during_writes_keeps_acknowledged_changes(
    tmp_path: Path, number: signal.Signals
) -> None:
    data, book = tmp_path / "data", Book()
    editors = [Editor(f"Editor {index}", book, Random(index)) for index in range(16)]
    async with Servers(tmp_path) as servers:
        server = await servers.start(data)
        async with asyncio.TaskGroup() as all_work:
            for editor in editors:
                all_work.create_task(editor.work(server))
            await asyncio.sleep(0.5)
            assert await server.stop(number) == 0
        assert server.words() == ""
    assert not (data / f"{LOG_FILE}-wal").exists()
    assert len(book.positions) > len(editors)
    events = await recorded(data)
    assert_gapless(events)
    book.check(by_command(events[FIRST_EVENT_COUNT:]))


async def test_a_request_that_never_ends_does_not_delay_the_stop(tmp_path: Path) -> None:
    async with Servers(tmp_path) as servers:
        server = await servers.start(tmp_path / "data")
        async with await server.connect() as idle, await server.connect() as slow:
            assert await idle.get("/health/live") == 200
            await slow.send_part_of_a_request()
            assert await server.stop() == 0


async def test_readiness_fails_before_the_server_stops_accepting_requests(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEDGERPRESS_STOP_DELAY_SECONDS", "300")
    async with Servers(tmp_path) as servers:
        server = await servers.start(tmp_path / "data")
        async with await server.connect() as before:
            server.signal(signal.SIGTERM)
            while await before.get("/health/ready") == 200:  # noqa: ASYNC110 - it changes in another process
                await asyncio.sleep(0.01)
            assert json.loads(await before.fetch("/health/ready"))["status"] == "stopping"
        async with await server.connect() as after:
            assert await after.get("/health/live") == 200
            assert (await after.mutate("categoryCreate", name="Tides")).done
        # A second signal ends the delay.
        assert await server.stop() == 0
        assert server.words() == ""


async def test_a_request_in_progress_is_read_to_its_end_and_answered(tmp_path: Path) -> None:
    async with Servers(tmp_path) as servers:
        server = await servers.start(tmp_path / "data")
        body = json.dumps(
            {"query": 'mutation { siteName(input: { name: "The Tide" }) { position } }'}
        ).encode()
        reader, writer = await asyncio.open_connection(*await server.address())
        head = f"POST /graphql HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        writer.write(head.encode() + body[:10])
        await writer.drain()
        async with await server.connect() as other:
            assert await other.get("/health/live") == 200  # so the server has also read what was sent before
        server.signal(signal.SIGTERM)
        while await accepts(server):  # noqa: ASYNC110 - it changes in another process
            await asyncio.sleep(0.01)
        writer.write(body[10:])
        response = await reader.read()
        writer.close()
        assert response.startswith(b"HTTP/1.1 200 ")
        position = json.loads(response.partition(b"\r\n\r\n")[2])["data"]["siteName"]["position"]
        assert await server.ended() == 0
    assert position == len(await recorded(tmp_path / "data"))


async def accepts(server: Server) -> bool:
    """Return whether the server still accepts connections."""
    try:
        _, writer = await asyncio.open_connection(*await server.address())
    except OSError:
        return False
    writer.close()
    return True


async def test_subscribers_are_disconnected_so_that_they_resume_elsewhere(tmp_path: Path) -> None:
    changes = "subscription { changes { position } }"
    async with Servers(tmp_path) as servers:
        server = await servers.start(tmp_path / "data")
        host, port = await server.address()
        async with (
            websocket(host, port) as socket,
            httpx2.AsyncClient(timeout=60) as http,
            http.stream(
                "POST",
                f"http://{host}:{port}/graphql",
                json={"query": changes},
                headers={"Accept": "text/event-stream"},
            ) as stream,
        ):
            await (await socket.init()).subscribe(changes)
            await socket.quiet()
            server.signal(signal.SIGTERM)
            assert (await socket.closed())[0] == 1001
            # The stream ends cleanly, but without a `complete` event: the client may resume the subscription.
            assert "event:" not in "".join([text async for text in stream.aiter_text()])
        assert await server.ended() == 0
        assert server.words() == ""


async def test_the_operators_port_is_served_and_closed_like_the_public_port(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEDGERPRESS_METRICS_PORT", "0")
    async with Servers(tmp_path) as servers:
        server = await servers.start(tmp_path / "data", "--profile", "production")
        async with await server.connect() as public:
            assert await public.get("/metrics") == 404
        url = re.search(r"http://127\.0\.0\.1:(\d+)/metrics", server.output.read_text("utf-8"))
        assert url
        async with await Client.connect("127.0.0.1", int(url[1])) as operators:
            assert f"ledgerpress_log_head {FIRST_EVENT_COUNT}.0".encode() in await operators.fetch("/metrics")
            assert b"views" in await operators.fetch("/health/ready")
            assert await operators.get("/graphql") == 404
            assert await operators.get("/") == 404
        assert await server.stop() == 0
