"""What workers may rely on: the channel between processes that are killed, stopped and replaced."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from ledgerpress.server.workers.channel import WorkerChannel
from ledgerpress.server.workers.errors import WorkerEnded, WorkerError, WorkerLost, WorkerTimeout
from ledgerpress.server.workers.socket_directory import socket_directory

PROGRAM = "tests.contract.worker_channel_program"
ENOUGH = 30.0


@pytest.fixture
def directory(tmp_path: Path) -> Iterator[Path]:
    with socket_directory(tmp_path) as directory:
        yield directory


@asynccontextmanager
async def worker_process(directory: Path, worker: int) -> AsyncIterator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", PROGRAM, str(directory), str(worker), stdout=asyncio.subprocess.PIPE
    )
    try:
        assert process.stdout is not None
        assert await asyncio.wait_for(process.stdout.readline(), ENOUGH) == b"listens\n"
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


@pytest.mark.slow
async def test_workers_of_several_processes_reach_one_another(directory: Path) -> None:
    async with (
        worker_process(directory, 1) as first,
        worker_process(directory, 2) as second,
        WorkerChannel(directory, 3) as channel,
    ):
        assert channel.peers == (1, 2)
        assert await channel.request(1, "process", timeout=ENOUGH) == str(first.pid).encode()
        assert await channel.request_all("process", timeout=ENOUGH) == {
            1: str(first.pid).encode(),
            2: str(second.pid).encode(),
        }


@pytest.mark.slow
async def test_a_worker_that_is_killed_fails_its_requests_at_once_and_its_successor_answers(
    directory: Path,
) -> None:
    lost = asyncio.Event()
    connected = asyncio.Event()
    async with WorkerChannel(directory, 9) as channel:
        channel.watch(lost=lambda _: lost.set())
        async with worker_process(directory, 1) as process:
            pending = asyncio.ensure_future(channel.request(1, "never", timeout=600))
            assert await channel.request(1, "echo", b"x", timeout=ENOUGH) == b"x"
            process.send_signal(signal.SIGKILL)
            with pytest.raises(WorkerLost) as failure:
                await asyncio.wait_for(pending, ENOUGH)
            assert failure.value.is_outcome_unknown
            assert lost.is_set()
        with pytest.raises(WorkerEnded) as failure_after:
            await asyncio.wait_for(channel.request(1, "echo", timeout=600), ENOUGH)
        assert not failure_after.value.is_outcome_unknown
        channel.watch(connected=lambda _: connected.set())
        async with worker_process(directory, 2):
            await asyncio.wait_for(connected.wait(), ENOUGH)
            assert channel.peers == (2,)
            assert await channel.request(2, "echo", b"y", timeout=ENOUGH) == b"y"


@pytest.mark.slow
async def test_a_stopped_worker_delays_no_other_and_receives_the_broadcasts_when_it_continues(
    directory: Path,
) -> None:
    async with (
        worker_process(directory, 1) as stopped,
        worker_process(directory, 2),
        WorkerChannel(directory, 3) as channel,
    ):
        os.kill(stopped.pid, signal.SIGSTOP)
        try:
            results = await channel.request_all("echo", b"x", timeout=0.2)
            assert isinstance(results[1], WorkerTimeout)
            assert results[1].is_outcome_unknown
            assert results[2] == b"x"
            for number in range(100):
                channel.broadcast("note", str(number).encode())
        finally:
            os.kill(stopped.pid, signal.SIGCONT)
        expected = b",".join(str(number).encode() for number in range(100))
        assert await channel.request(1, "broadcasts", timeout=ENOUGH) == expected
        assert await channel.request(2, "broadcasts", timeout=ENOUGH) == expected


@pytest.mark.slow
async def test_a_worker_that_starts_while_another_is_stopped_reaches_it_later(directory: Path) -> None:
    connected = asyncio.Event()
    async with worker_process(directory, 1) as stopped:
        os.kill(stopped.pid, signal.SIGSTOP)
        try:
            channel = WorkerChannel(directory, 2)
            await channel.open()
            with pytest.raises(WorkerError) as failure:
                await channel.request(1, "echo", timeout=0.1)
            assert not failure.value.is_outcome_unknown
            assert not channel.peers
            channel.watch(connected=lambda _: connected.set())
        finally:
            os.kill(stopped.pid, signal.SIGCONT)
        await asyncio.wait_for(connected.wait(), ENOUGH)
        assert await channel.request(1, "echo", b"x", timeout=ENOUGH) == b"x"
        await channel.close()
