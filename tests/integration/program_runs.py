"""Run the program as a subprocess, unchanged or changed, while the event loop of the test continues."""

import asyncio
import os
import signal
import sys
from pathlib import Path
from typing import Final, NamedTuple

ROOT: Final = Path(__file__).resolve().parent.parent.parent
SECONDS: Final = 120.0


class Ended(NamedTuple):
    """The exit code and the output of a program."""

    code: int
    out: str
    err: str


async def begun(*arguments: str | Path, change: str | None = None) -> asyncio.subprocess.Process:
    """Start the program as the leader of a new process group, without a terminal that determines its width."""
    module = ("tests.integration.other_version_program", change) if change else ("ledgerpress",)
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", *module, *arguments,
        cwd=ROOT, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        start_new_session=True,
    )  # fmt: skip


async def ended(process: asyncio.subprocess.Process) -> Ended:
    """Wait until the program has ended; kill it after `SECONDS`."""
    try:
        async with asyncio.timeout(SECONDS):
            out, err = await process.communicate()
    finally:
        await kill(process)
    assert process.returncode is not None
    return Ended(process.returncode, out.decode(), err.decode())


async def kill(process: asyncio.subprocess.Process) -> None:
    """Kill the process group of the program if it has not ended."""
    if process.returncode is None:
        os.killpg(process.pid, signal.SIGKILL)
        await process.communicate()


async def program(*arguments: str | Path, change: str | None = None) -> Ended:
    """Run the program until it ends."""
    return await ended(await begun(*arguments, change=change))


async def done(*arguments: str | Path, change: str | None = None) -> str:
    """Run the program, which must succeed, and return its output."""
    result = await program(*arguments, change=change)
    assert result.code == 0, result.err
    return result.out
