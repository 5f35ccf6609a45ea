"""A process with one worker's end of the channel: `python -m tests.contract.worker_channel_program DIRECTORY NUMBER`."""

import asyncio
import os
import sys
from pathlib import Path

from ledgerpress.server.workers.channel import WorkerChannel


async def main(directory: Path, worker: int) -> None:
    received: list[bytes] = []

    async def echo(_: int, payload: bytes) -> bytes:
        return payload

    async def process_id(_sender: int, _payload: bytes) -> bytes:
        return str(os.getpid()).encode()

    async def never(_sender: int, _payload: bytes) -> bytes:
        await asyncio.Event().wait()
        return b""

    async def broadcasts(_sender: int, _payload: bytes) -> bytes:
        return b",".join(received)

    channel = WorkerChannel(directory, worker)
    channel.serve(
        {"echo": echo, "process": process_id, "never": never, "broadcasts": broadcasts},
        {"note": lambda _, payload: received.append(payload)},
    )
    async with channel:
        print("listens", flush=True)  # noqa: T201
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2])))
