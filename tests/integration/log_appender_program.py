"""A process that appends to a log: `log_appender_program.py PATH NAME APPENDS`, for tests with several processes.

Each append writes two events: one to the stream of this process, with an exact version, and one to a stream that all
processes share, with any version. The process prints the acknowledged positions, then "done" with the duration of the
slowest append in seconds.
"""

import asyncio
import sys
import time
from pathlib import Path

from ledgerpress.adapters.sqlite_log.event_log import SqliteEventLog
from ledgerpress.eventlog.clock_randomness_ids import uuid8
from ledgerpress.eventlog.envelope import JSON_ENCODING, NewEvent, SealedPayload
from ledgerpress.eventlog.log import ANY_VERSION, StreamWrite


def event(*name: str | int) -> NewEvent:
    return NewEvent(
        event_id=uuid8("event", *name),
        type="post.edited",
        schema_version=1,
        recorded_at=0,
        actor_id=uuid8("actor"),
        command_id=uuid8("command", *name),
        correlation_id=uuid8("command", *name),
        payload=SealedPayload(JSON_ENCODING, b"x" * 1_000, bytes(32)),
    )


async def run(path: Path, name: str, appends: int) -> None:
    log = await SqliteEventLog.open(path, create_as=lambda: uuid8("publication", name))
    slowest = 0.0
    try:
        for number in range(appends):
            start = time.perf_counter()
            position = await log.append(
                [
                    StreamWrite(f"post.{name}", number, (event(name, number, "own"),)),
                    StreamWrite("journal", ANY_VERSION, (event(name, number, "shared"),)),
                ]
            )
            slowest = max(slowest, time.perf_counter() - start)
            sys.stdout.write(f"{position}\n")
    finally:
        await log.aclose()
    sys.stdout.write(f"done {slowest}\n")


if __name__ == "__main__":
    asyncio.run(run(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])))
