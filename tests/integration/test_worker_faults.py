"""Signals, stopped workers, and settings that change, at inconvenient moments of a server with several workers."""

import asyncio
import json
import os
import signal
import sqlite3
import sys
from collections.abc import AsyncIterator
from contextlib import closing, suppress
from itertools import count
from pathlib import Path
from typing import Final

import pytest

from ledgerpress.server.workers.memory_marks import workers_behind
from tests.integration.keep_alive_client import Client, close_all
from tests.integration.server_process import PROGRAM, Server, Servers
from tests.integration.worker_processes import (
    connections_to,
    connections_to_each,
    is_running,
    kill,
    processes_of,
    until_ended,
    until_replaced,
    until_words,
    workers_of,
    writer_of,
)

WORKERS: Final = 2


@pytest.fixture
async def servers(tmp_path: Path) -> AsyncIterator[Servers]:
    async with Servers(tmp_path) as started:
        yield started


class SlowRequest:
    """A request whose body is sent in two parts."""

    def __init__(self, client: Client, pid: int) -> None:
        self.client, self.pid = client, pid
        self.reader, self.writer = client._reader, client._writer
        self.body = json.dumps({"query": "{ site { name } }"}).encode()

    @classmethod
    async def begun(cls, client: Client, pid: int) -> "SlowRequest":
        request = cls(client, pid)
        head = (
            "POST /graphql HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(request.body)}\r\n\r\n"
        )
        request.writer.write(head.encode() + request.body[:5])
        await request.writer.drain()
        return request

    async def finish(self) -> str:
        """Send the rest of the body, and return the status line; empty if the connection was closed."""
        async with self.client:
            with suppress(OSError):
                self.writer.write(self.body[5:])
                await self.writer.drain()
                return (await asyncio.wait_for(self.reader.readline(), 20)).decode().strip()
        return ""


async def slow_requests(server: Server) -> list[SlowRequest]:
    """Begin a request to each worker."""
    clients = await connections_to_each(server)
    requests = [await SlowRequest.begun(client, pid) for pid, client in clients.items()]
    await asyncio.sleep(0.2)
    return requests


@pytest.mark.parametrize(
    "to_workers", [False, True], ids=["to the supervisor", "to all processes, as systemd"]
)
async def test_requests_finish_after_sigterm(servers: Servers, tmp_path: Path, to_workers: bool) -> None:
    """Service managers such as systemd send SIGTERM to all processes of a unit, unless configured otherwise."""
    server = await servers.start(tmp_path / "data", "--workers", str(WORKERS))
    requests = await slow_requests(server)
    workers = processes_of(server)
    server.signal(signal.SIGTERM)
    if to_workers:
        for pid in workers:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)
    await asyncio.sleep(1.5)
    assert [await request.finish() for request in requests] == ["HTTP/1.1 200 OK"] * WORKERS
    assert await server.ended() == 0


async def test_a_stop_during_a_reload_lets_requests_of_retiring_workers_finish(
    servers: Servers, tmp_path: Path
) -> None:
    servers.environment = {
        **servers.environment,
        "LEDGERPRESS_STOP_SECONDS": "60",
        "LEDGERPRESS_HTTP_BODY_SECONDS": "60",
    }
    server = await servers.start(tmp_path / "data", "--workers", str(WORKERS))
    former = workers_of(server)
    requests = await slow_requests(server)
    server.signal(signal.SIGHUP)
    async with asyncio.timeout(60):
        while len(workers_of(server) - former) < WORKERS:  # noqa: ASYNC110 - processes are polled
            await asyncio.sleep(0.05)
    await asyncio.sleep(1)
    assert all(is_running(request.pid) for request in requests)
    server.signal(signal.SIGTERM)
    await asyncio.sleep(1.5)
    assert [await request.finish() for request in requests] == ["HTTP/1.1 200 OK"] * WORKERS
    assert await server.ended() == 0


async def test_a_reload_with_one_core_does_not_end_the_server(servers: Servers, tmp_path: Path) -> None:
    one_core = ("taskset", "-c", str(min(os.sched_getaffinity(0))), *PROGRAM)
    server = await servers.start(tmp_path / "data", "--workers", "auto", program=one_core)
    former = workers_of(server)
    server.signal(signal.SIGHUP)
    await until_replaced(server, former, 1)
    assert await server.stop() == 0


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become another user")
async def test_another_user_learns_that_the_workers_cannot_be_asked(servers: Servers, tmp_path: Path) -> None:
    """A user of the same group may use the log and the views, but cannot read the directory of the workers."""
    data = tmp_path / "data"
    server = await servers.start(data, "--workers", str(WORKERS))
    for path in (data, *data.parents[:3]):
        path.chmod(0o777)
    assert sorted(await workers_behind(data, 10**6, 0.0))
    program = (
        "import asyncio, os, pathlib, sys; from ledgerpress.server.workers.memory_marks import workers_behind\n"
        "assert asyncio.run(workers_behind(pathlib.Path(sys.argv[1]), 10**6, 0.0))\n"
        "os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
        "try: asyncio.run(workers_behind(pathlib.Path(sys.argv[1]), 10**6, 0.0))\n"
        "except PermissionError: sys.exit(7)"
    )
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", program, data)
    assert await process.wait() == 7
    assert await server.stop() == 0


async def test_a_reload_with_another_data_directory_is_refused(servers: Servers, tmp_path: Path) -> None:
    settings, first, second = tmp_path / "ledgerpress.toml", tmp_path / "first", tmp_path / "second"
    settings.write_text(f'[server]\nworkers = 2\nport = 0\ndata = "{first}"\n')
    output = servers.next_output()
    with output.open("wb") as file:
        process = await asyncio.create_subprocess_exec(
            *PROGRAM, "serve", "--config", settings,
            stdin=asyncio.subprocess.DEVNULL, stdout=file, stderr=file, start_new_session=True,
            env={**os.environ, **servers.environment},
        )  # fmt: skip
    server = await servers.started(Server(process, output)).ready()
    settings.write_text(f'[server]\nworkers = 2\nport = 0\ndata = "{second}"\n')
    former = workers_of(server)
    server.signal(signal.SIGHUP)
    await until_words(server, "the reload has ended")
    assert "server.data and server.log cannot change" in server.words()
    assert workers_of(server) == former
    assert not second.exists()
    assert await server.stop() == 0


@pytest.mark.parametrize("file", ["log.sqlite", "views*.sqlite"])
async def test_no_write_fails_when_the_writer_is_stopped_while_it_holds_a_lock(
    servers: Servers, tmp_path: Path, file: str
) -> None:
    servers.environment = {**servers.environment, "LEDGERPRESS_WORKER_HANG_SECONDS": "3"}
    server = await servers.start(tmp_path / "data", "--workers", "3")
    writer = writer_of(server)
    load = await connections_to(server, [pid for pid in workers_of(server) if pid != writer], 8)
    failures = list[object]()
    finished = asyncio.Event()

    async def create(client: Client, number: int) -> None:
        for index in count(1):
            if finished.is_set():
                return
            outcome = await client.mutate("postCreate", title=f"Number {index} of {number}")
            if outcome.errors:
                failures.append(outcome)

    creating = [asyncio.create_task(create(client, number)) for number, client in enumerate(load)]
    (path,) = (tmp_path / "data").glob(file)
    for attempt in range(500):
        await asyncio.sleep(0.03 + attempt % 7 / 1000)
        kill(writer, signal.SIGSTOP)
        await asyncio.sleep(0.05)
        if is_locked(path):
            break
        kill(writer, signal.SIGCONT)
    await until_ended(writer)
    await asyncio.sleep(1)
    finished.set()
    await asyncio.gather(*creating)
    assert not failures
    await close_all(load)


def is_locked(path: Path) -> bool:
    """Return whether a process is writing to an SQLite file."""
    with closing(sqlite3.connect(path, timeout=0, isolation_level=None)) as db:
        try:
            db.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError:
            return True
        db.execute("ROLLBACK")
        return False


async def test_an_ignored_sigint_stays_ignored(servers: Servers, tmp_path: Path) -> None:
    """As test_stop_signals.py has it for one process, and cli.md promises."""
    ignoring = ("sh", "-c", 'trap "" INT; exec "$@"', "sh", *PROGRAM)
    server = await servers.start(tmp_path / "data", "--workers", "2", program=ignoring)
    server.signal(signal.SIGINT)
    await asyncio.sleep(3)
    assert server.is_running


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_while_the_server_starts_ends_it(
    servers: Servers, tmp_path: Path, number: signal.Signals
) -> None:
    server = await servers.launch(tmp_path / "data", "--workers", "2")
    async with asyncio.timeout(30):
        while not processes_of(server):  # noqa: ASYNC110 - processes are polled
            await asyncio.sleep(0.01)
    server.signal(number)
    assert await server.ended() == 0
    assert not list((tmp_path / "data").glob(".workers-*"))


async def test_a_reload_while_the_server_starts_waits_until_it_serves(
    servers: Servers, tmp_path: Path
) -> None:
    server = await servers.launch(tmp_path / "data", "--workers", "2")
    async with asyncio.timeout(30):
        while not processes_of(server):  # noqa: ASYNC110 - processes are polled
            await asyncio.sleep(0.01)
    server.signal(signal.SIGHUP)
    await server.ready()
    await until_replaced(server, workers_of(server), WORKERS)
    assert await server.stop() == 0
