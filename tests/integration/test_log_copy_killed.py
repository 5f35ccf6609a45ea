"""A copy of a log to a file survives a kill of the process at each single write."""

import asyncio
import os
import signal
import sys
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Final

import pytest

from ledgerpress.eventlog.envelope import StoredEvent
from ledgerpress.eventlog.errors import LogUnusable
from ledgerpress.operator.log_copy import copy_log
from ledgerpress.server.log_factory import open_log
from ledgerpress.server.log_url import LogUrl
from scripts.workloads.generated_log import PUBLICATION, GeneratedLog
from tests.contract.sample_events import everything
from tests.integration.system_call_trace import killed_at, require_strace
from tests.written_log import write_copy

pytestmark = pytest.mark.serial

EVENTS: Final = 40
PROGRAM: Final = """
import asyncio, sys
from pathlib import Path
from ledgerpress.operator import log_copy
from ledgerpress.operator.log_copy import copy_log
from ledgerpress.server.log_url import LogUrl

vars(log_copy).update(MAX_UNSAVED_BATCHES=1)
log_copy.LogCopier.__init__.__kwdefaults__["batch_size"] = 20
asyncio.run(copy_log(LogUrl.parse(sys.argv[1]), LogUrl.parse(sys.argv[2]), Path()))
"""
CONCURRENT_COPIES: Final = 2


async def test_a_copy_can_be_killed_at_every_write(tmp_path: Path) -> None:
    require_strace()
    source = tmp_path / "log.sqlite"
    await write_copy(source, PUBLICATION, GeneratedLog().batches(EVENTS, 500))
    events = await events_in(f"sqlite:{source}")
    (tmp_path / "program.py").write_text(PROGRAM, "utf-8")
    for first in count(1, CONCURRENT_COPIES * 3):
        steps = range(first, first + CONCURRENT_COPIES * 3, 3)
        codes = await asyncio.gather(*(copy_until(step, source) for step in steps))
        for step in steps:
            await check(source, source.with_name(f"{step}.sqlite"), events)
        if 0 in codes:
            assert first > 20
            return


async def copy_until(step: int, source: Path) -> int:
    """Copy until the process is killed at write number `step`; return its exit code."""
    target = source.with_name(f"{step}.sqlite")
    files = [target.with_name(f"{target.name}{end}") for end in ("", "-wal", "-journal")]
    program = (sys.executable, source.with_name("program.py"), f"sqlite:{source}", f"sqlite:{target}")
    process = await asyncio.create_subprocess_exec(*killed_at(step, program, *files), start_new_session=True)
    try:
        async with asyncio.timeout(60):
            code = await process.wait()
    finally:
        if process.returncode is None:
            os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
    assert code in {0, -signal.SIGKILL}
    return code


async def check(source: Path, target: Path, events: list[StoredEvent]) -> None:
    """Fail unless the target is unusable or complete, and complete after the copy is continued."""
    with suppress(LogUnusable):
        assert await events_in(f"sqlite:{target}") == events
    await copy_log(LogUrl.parse(f"sqlite:{source}"), LogUrl.parse(f"sqlite:{target}"), Path())
    assert await events_in(f"sqlite:{target}") == events


async def events_in(url: str) -> list[StoredEvent]:
    log = await open_log(LogUrl.parse(url), Path(), create_as=None)
    try:
        return await everything(log)
    finally:
        await log.aclose()
