"""A process that works under a lease: `lease_holder_program.py URL NODE SECONDS STREAM`.

The process takes the lease `schedules`, appends once to the stream, which must be new, and prints "held" with the
fencing token. Then it waits for a line on standard input and appends again, even if it no longer holds the lease. It
prints "lost" when it notices that it has lost the lease, and at the end "recorded" or "refused".
"""

import asyncio
import sys
from pathlib import Path

from ledgerpress.eventlog.clock_randomness_ids import SystemClock, SystemRandomness
from ledgerpress.eventlog.leases import Fence, LeaseLost, Leases
from ledgerpress.eventlog.log import NO_STREAM, OpenedLog, StreamWrite
from ledgerpress.features.registry import event_codec
from ledgerpress.server.log_factory import open_log
from ledgerpress.server.log_url import LogUrl
from tests.integration.log_appender_program import event


def say(*words: object) -> None:
    print(*words, flush=True)  # noqa: T201 - the test reads the output


async def append_on_request(log: OpenedLog, fence: Fence, stream: str, node: str) -> None:
    await asyncio.to_thread(sys.stdin.readline)
    try:
        await fence.append(log, [StreamWrite(stream, 1, (event(node, "second"),))])
    except LeaseLost:
        say("refused")
    else:
        say("recorded")


async def run(url: str, node: str, seconds: float, stream: str) -> None:
    log = await open_log(LogUrl.parse(url), Path(), create_as=None)
    leases = Leases(log, event_codec(), SystemClock(), SystemRandomness(), node=node, duration=seconds)
    appending = None
    try:
        async with leases.hold("schedules") as fence:
            await fence.append(log, [StreamWrite(stream, NO_STREAM, (event(node, "first"),))])
            say("held", fence.token)
            appending = asyncio.create_task(append_on_request(log, fence, stream, node))
            await asyncio.shield(appending)
    except LeaseLost:
        say("lost")
    finally:
        if appending is not None:
            await appending
        await log.aclose()


if __name__ == "__main__":
    asyncio.run(run(sys.argv[1], sys.argv[2], float(sys.argv[3]), sys.argv[4]))
