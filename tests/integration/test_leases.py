"""Leases between processes, and commands under a lease."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import pytest

from ledgerpress.commands.command_request_and_context import CommandRequest
from ledgerpress.commands.errors import Rejection
from ledgerpress.eventlog.clock_randomness_ids import SystemClock, SystemRandomness
from ledgerpress.eventlog.leases import Fence, LeaseLost, Leases
from ledgerpress.eventlog.log import OpenedLog
from ledgerpress.features.posts.create_edit_categorize_commands import CreatePost, EditPost
from ledgerpress.features.registry import event_codec
from ledgerpress.features.slugs.model import SLUG_TAKEN
from ledgerpress.server.store import open_store
from tests.contract.sample_events import places
from tests.engines.log_locations import LogPlace
from tests.integration.program_runs import ROOT, kill
from tests.lease_proxies import takings

SECONDS: Final = 60.0
DURATION: Final = 4.5
"""Seconds. The holder writes the register every 1.5 s, so the test has time to stop it between two writes."""


@pytest.fixture
async def logs(log_url: str) -> AsyncIterator[LogPlace]:
    logs = LogPlace(log_url)
    yield logs
    await logs.close_all()


@asynccontextmanager
async def holder(
    url: str, node: str, stream: str, duration: float = DURATION
) -> AsyncIterator[asyncio.subprocess.Process]:
    """Start a process that works under the lease `schedules`."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.integration.lease_holder_program", url, node, str(duration), stream,
        cwd=ROOT, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, start_new_session=True,
    )  # fmt: skip
    try:
        yield process
    finally:
        await kill(process)


async def next_line(process: asyncio.subprocess.Process) -> str:
    """Return the next line that the process prints."""
    assert process.stdout
    return (await process.stdout.readline()).decode().strip()


def let_write(process: asyncio.subprocess.Process) -> None:
    """Let the process write."""
    assert process.stdin
    process.stdin.write(b"\n")


async def test_a_process_that_was_stopped_for_longer_than_its_lease_writes_nothing(
    logs: LogPlace,
) -> None:
    log = await logs.open()
    async with (
        asyncio.timeout(SECONDS),
        holder(logs.url, "stopped", "post.a") as stopped,
    ):
        assert await next_line(stopped) == "held 1"
        os.killpg(stopped.pid, signal.SIGSTOP)
        async with holder(logs.url, "other", "post.b") as other:
            assert await next_line(other) == "held 2"
            let_write(stopped)
            os.killpg(stopped.pid, signal.SIGCONT)
            assert {await next_line(stopped), await next_line(stopped)} == {"lost", "refused"}
            let_write(other)
            assert await next_line(other) == "recorded"
            assert await other.wait() == 0
    assert await places(log) == [
        ("lease.schedules", 1), ("post.a", 1), ("lease.schedules", 2), ("post.b", 1), ("post.b", 2)
    ]  # fmt: skip
    assert await takings(log, "schedules") == ["stopped", "other"]


async def test_a_process_takes_the_lease_of_a_killed_one(logs: LogPlace) -> None:
    log = await logs.open()
    async with asyncio.timeout(SECONDS):
        async with holder(logs.url, "killed", "post.a") as killed:
            assert await next_line(killed) == "held 1"
            await kill(killed)
        async with holder(logs.url, "heir", "post.b") as heir:
            assert await next_line(heir) == "held 2"
    assert await takings(log, "schedules") == ["killed", "heir"]


async def released_fence(log: OpenedLog, node: str) -> Fence:
    """Take and release the lease `schedules`, and return its fence."""
    leases = Leases(log, event_codec(), SystemClock(), SystemRandomness(), node=node)
    async with leases.hold("schedules") as fence:
        return fence


async def test_a_command_under_a_lease_fails_after_another_node_took_the_lease(
    logs: LogPlace, tmp_path: Path
) -> None:
    log = await logs.open()
    async with open_store(tmp_path / "data", log=logs.url) as store:
        fence = await released_fence(log, "first")
        created = await store.commands.handle(CreatePost(title="At six"), CommandRequest(fence=fence))
        with pytest.raises(Rejection) as error:
            await store.commands.handle(CreatePost(title="Again", slug="at-six"), CommandRequest(fence=fence))
        assert error.value.code is SLUG_TAKEN

        later = await released_fence(log, "second")
        assert later.token == fence.token + 1
        head = await log.head()
        for request in (CommandRequest(fence=fence), CommandRequest(fence=fence, idempotency_key="at-seven")):
            with pytest.raises(LeaseLost):
                await store.commands.handle(EditPost(post_id=created.subject_id, body="At seven."), request)
        assert await log.head() == head
        edited = await store.commands.handle(
            EditPost(post_id=created.subject_id, body="At seven."),
            CommandRequest(fence=later, idempotency_key="at-seven"),
        )
        assert edited.position == head + 1
        # A recorded result is replayed even after the lease is lost, because that writes nothing.
        replayed = await store.commands.handle(
            EditPost(post_id=created.subject_id, body="At seven."),
            CommandRequest(fence=fence, idempotency_key="at-seven"),
        )
        assert (replayed.replayed, replayed.position) == (True, edited.position)
