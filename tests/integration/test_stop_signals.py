"""A server ends in time after a signal, and at once after a second one, even if it waits for something else."""

import asyncio
import signal
import sqlite3
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Final

import pytest

from ledgerpress.server.data_directory import LOG_FILE
from tests.integration.server_process import EVERYONE_IS_ADMIN, PROGRAM, Servers
from tests.integration.websocket_client import websocket

WAIT_SECONDS: Final = 30.0
HANGING: Final = """
import time
import uvloop
from ledgerpress.server.process.stop_signals import StopSignals

async def main():
    with StopSignals({seconds}):
        print("begun", flush=True)
        time.sleep(600)

uvloop.run(main())
"""
"""A program whose event loop does not run, as during a system call that hangs."""
RELEASED: Final = """
import time
import uvloop
from ledgerpress.server.process.stop_signals import StopSignals

async def main():
    with StopSignals(600):
        pass

uvloop.run(main())
print("begun", flush=True)
time.sleep(600)
"""
"""A program that continues after its server has stopped without a signal, such as one that calls the command."""
CHILD: Final = """
import asyncio
import uvloop
from ledgerpress.server.process.stop_signals import StopSignals

async def main():
    with StopSignals(1):
        child = await asyncio.create_subprocess_exec("cat", "/proc/self/status")
        await child.wait()

uvloop.run(main())
"""


@asynccontextmanager
async def program(text: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run a program, and kill it at the end."""
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", text, stdout=asyncio.subprocess.PIPE)
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def ended(process: asyncio.subprocess.Process) -> int:
    async with asyncio.timeout(WAIT_SECONDS):
        return await process.wait()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
async def test_a_process_whose_event_loop_hangs_ends_after_the_time(number: signal.Signals) -> None:
    async with program(HANGING.format(seconds=0.1)) as process:
        assert process.stdout is not None
        assert await process.stdout.readline() == b"begun\n"
        process.send_signal(number)
        assert await ended(process) == 0


async def test_a_server_whose_terminal_closes_finishes_as_after_sigterm(tmp_path: Path) -> None:
    environment = {**EVERYONE_IS_ADMIN, "LEDGERPRESS_LOGS_LEVEL": "info"}
    async with Servers(tmp_path, environment) as servers:
        server = await servers.start(tmp_path / "data")
        async with websocket(*await server.address()) as socket:
            await socket.init()
            assert await server.stop(signal.SIGHUP) == 0
            assert (await socket.closed())[0] == 1001
        assert "stopping: waiting for requests in progress" in server.words()


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGINT])
async def test_a_signal_that_is_ignored_stays_ignored(tmp_path: Path, number: signal.Signals) -> None:
    """`nohup` ignores SIGHUP, and shells ignore SIGINT for programs in the background of a script."""
    ignoring = ("sh", "-c", f'trap "" {number.name.removeprefix("SIG")}; exec "$@"', "sh", *PROGRAM)
    environment = {**EVERYONE_IS_ADMIN, "LEDGERPRESS_LOGS_LEVEL": "info"}
    async with Servers(tmp_path, environment) as servers:
        server = await servers.start(tmp_path / "data", program=ignoring)
        server.signal(number)
        async with await server.connect() as client:
            for _ in range(20):  # more often than the event loop needs to begin to stop
                assert await client.get("/health/ready") == 200
        assert "stopping" not in server.words()
        assert await server.stop() == 0


async def test_a_second_signal_ends_a_process_whose_event_loop_hangs() -> None:
    async with program(HANGING.format(seconds=600)) as process:
        assert process.stdout is not None
        assert await process.stdout.readline() == b"begun\n"
        process.send_signal(signal.SIGTERM)
        # A second signal of the same kind may be merged with the first one while that is still pending.
        process.send_signal(signal.SIGINT)
        assert await ended(process) == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
async def test_a_program_receives_signals_again_after_a_server(number: signal.Signals) -> None:
    async with program(RELEASED) as process:
        assert process.stdout is not None
        assert await process.stdout.readline() == b"begun\n"
        process.send_signal(number)
        assert await ended(process) in (-number, 1)  # Python reports SIGINT as an error


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
async def test_programs_that_a_server_starts_receive_signals() -> None:
    async with program(CHILD) as process:
        output, _ = await process.communicate()
    blocked = next(line for line in output.decode().splitlines() if line.startswith("SigBlk:"))
    assert int(blocked.split()[1], 16) == 0


async def test_a_server_that_waits_for_a_lock_at_its_start_stops(tmp_path: Path) -> None:
    data = tmp_path / "data"
    async with Servers(tmp_path) as servers:
        assert await (await servers.start(data)).stop() == 0
        with closing(sqlite3.connect(data / LOG_FILE, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            server = await servers.launch(data)
            async with asyncio.timeout(WAIT_SECONDS):
                while "retrying for up to" not in server.words():
                    assert server.is_running, server.words()
                    await asyncio.sleep(0.02)
            assert "another process has locked the file" in server.words()
            assert await server.stop() == 0


async def test_a_second_signal_stops_a_server_whose_write_waits_for_a_lock(
    tmp_path: Path,
) -> None:
    data = tmp_path / "data"
    environment = {
        **EVERYONE_IS_ADMIN,
        "LEDGERPRESS_STOP_SECONDS": "300",
        "LEDGERPRESS_STOP_DELAY_SECONDS": "300",
    }
    async with Servers(tmp_path, environment) as servers:
        server = await servers.start(data)
        with closing(sqlite3.connect(data / LOG_FILE, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            async with await server.connect() as writer, await server.connect() as reader:
                writing = asyncio.create_task(writer.mutate("categoryCreate", name="Tides"))
                server.signal(signal.SIGTERM)
                async with asyncio.timeout(WAIT_SECONDS):
                    while await reader.get("/health/ready") == 200:  # noqa: ASYNC110 - it changes in another process
                        await asyncio.sleep(0.01)
                assert await server.stop() == 0
                writing.cancel()
                await asyncio.wait([writing])
