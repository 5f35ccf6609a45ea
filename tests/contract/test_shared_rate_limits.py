"""A rate limit counts for all workers together, whatever happens to one of them."""

import asyncio
import fcntl
import os
import signal
import sys
from pathlib import Path

import pytest

from ledgerpress.http.request_rejection_error import HttpError
from ledgerpress.http.shared_token_buckets import SharedTokenBuckets

PROGRAM = "tests.contract.rate_limit_program"
ENOUGH = 60.0


async def worker(path: Path, burst: int, *options: str) -> asyncio.subprocess.Process:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", PROGRAM, str(path), str(burst), *options,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    assert await asyncio.wait_for(process.stdout.readline(), ENOUGH) == b"begins\n"
    return process


async def count_of(process: asyncio.subprocess.Process) -> int:
    output, _ = await asyncio.wait_for(process.communicate(b"\n"), ENOUGH)
    return int(output)


@pytest.mark.slow
async def test_several_processes_admit_together_as_many_requests_as_one(tmp_path: Path) -> None:
    burst = 200_000
    processes = [await worker(tmp_path / "rates", burst) for _ in range(4)]
    counts = await asyncio.gather(*map(count_of, processes))
    # The system can suspend a worker while it counts; the others then exceed the limit by single requests.
    assert burst <= sum(counts) <= burst * 1.01
    assert sum(count > 0 for count in counts) > 1


@pytest.mark.slow
async def test_processes_that_get_no_lock_reject_no_request_too_early(tmp_path: Path) -> None:
    burst = 500_000
    processes = [await worker(tmp_path / "rates", burst, "unlocked") for _ in range(4)]
    assert burst <= sum(await asyncio.gather(*map(count_of, processes)))


@pytest.mark.slow
async def test_a_worker_that_is_killed_while_it_counts_blocks_no_other(tmp_path: Path) -> None:
    burst = 300_000
    killed, other = [await worker(tmp_path / "rates", burst) for _ in range(2)]
    assert killed.stdin is not None
    killed.stdin.write(b"\n")
    await killed.stdin.drain()
    finish = asyncio.ensure_future(count_of(other))
    killed.send_signal(signal.SIGKILL)
    await killed.wait()
    assert 0 < await finish <= burst


def test_a_worker_that_is_stopped_while_it_holds_a_lock_blocks_no_other(tmp_path: Path) -> None:
    path = tmp_path / "rates"
    buckets = SharedTokenBuckets(path, per_second=1e-6, burst_seconds=2e6, max_clients=1, clock=lambda: 100.0)
    holder = os.fork()
    if holder == 0:  # locks belong to processes: a child holds the lock of all sets
        file = os.open(path, os.O_RDWR)
        fcntl.lockf(file, fcntl.LOCK_EX)
        os.kill(os.getpid(), signal.SIGSTOP)
        os._exit(0)
    try:
        os.waitpid(holder, os.WUNTRACED)
        assert buckets.take("client") == 1
        assert buckets.take("client") == 0
        with pytest.raises(HttpError):
            buckets.take("client")
    finally:
        os.kill(holder, signal.SIGKILL)
        os.waitpid(holder, 0)
