"""A mutation is acknowledged only after it is on disk, as the system calls of a server show.

A kill cannot show this, because the kernel still has what a killed process wrote.
"""

import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from ledgerpress.server.data_directory import LOG_FILE
from tests.integration.keep_alive_client import Client, close_all
from tests.integration.server_process import PROGRAM, Servers
from tests.integration.system_call_trace import (
    SYNCS,
    Call,
    Journal,
    answers,
    calls_in,
    has_seen_the_end,
    require_strace,
    traced,
)

pytestmark = pytest.mark.serial

CARELESS = """
import sys
from ledgerpress.adapters.sqlite_log import log_file
from ledgerpress.cli import main

log_file.WRITER = {{**log_file.WRITER, "synchronous": "{synchronous}"}}
main()
"""
"""A server that uses one of SQLite's weaker `synchronous` settings."""


async def trace_of_mutations(
    data: Path, marks: Sequence[str], outputs: Path, *, at_once: bool, program: Sequence[str | Path] = PROGRAM
) -> list[Call]:
    """Send a mutation with each mark to a server on a new store, and return the server's system calls."""
    require_strace()
    trace = outputs / "trace.txt"
    async with Servers(outputs) as servers:
        server = await servers.start(data, program=traced(program, trace))
        clients = [await server.connect() for _ in (marks if at_once else marks[:1])]
        try:
            if at_once:
                await asyncio.gather(*map(write, clients, marks))
            else:
                for mark in marks:
                    await write(clients[0], mark)
        finally:
            await close_all(clients)
        assert await server.stop() == 0
        async with asyncio.timeout(10):
            while not has_seen_the_end(trace, server.pid):  # noqa: ASYNC110 - a file does not notify of its changes
                await asyncio.sleep(0.02)
    return calls_in(trace)


async def write(client: Client, mark: str) -> None:
    """Write a post with the mark as its title, and with a body of many pages if the mark ends with 7."""
    body = "And so on, and so on. " * (1_000 if mark.endswith("7") else 1)
    assert (await client.mutate("postCreate", title=mark, body=body)).done["title"] == mark


def titles(count: int) -> list[str]:
    """Return `count` titles; no title contains another."""
    return [f"Edition{number:03}" for number in range(count)]


def acknowledged_too_early(calls: Sequence[Call], data: Path, marks: Sequence[str]) -> list[str]:
    """Return the marks of the mutations that were acknowledged before they were durable."""
    journal = Journal.of(calls, data / f"{LOG_FILE}-wal")
    early = []
    for mark in marks:
        durable_at, acknowledged_at = journal.durable(mark.encode()), min(answers(calls, mark.encode()))
        if durable_at is None or durable_at > acknowledged_at:
            early.append(mark)
    return early


async def test_each_mutation_is_acknowledged_after_its_sync(tmp_path: Path) -> None:
    marks, data = titles(30), tmp_path / "new" / "data"
    calls = await trace_of_mutations(data, marks, tmp_path, at_once=False)
    assert acknowledged_too_early(calls, data, marks) == []
    first_response = min(answers(calls, marks[0].encode()))
    for directory in (tmp_path, tmp_path / "new", data):
        sync_ends = [
            call.ended for call in calls if call.name in SYNCS and call.file == str(directory) and call.ended
        ]
        assert sync_ends
        assert min(sync_ends) < first_response


async def test_mutations_that_share_a_sync_are_acknowledged_after_it(tmp_path: Path) -> None:
    marks, data = titles(64), tmp_path / "data"
    calls = await trace_of_mutations(data, marks, tmp_path, at_once=True)
    assert acknowledged_too_early(calls, data, marks) == []
    assert Journal.of(calls, data / f"{LOG_FILE}-wal").commits < len(marks)


@pytest.mark.parametrize("synchronous", ["NORMAL", "OFF"])
async def test_a_server_that_does_not_sync_is_detected(tmp_path: Path, synchronous: str) -> None:
    marks, data = titles(5), tmp_path / "data"
    careless = tmp_path / "careless.py"
    careless.write_text(CARELESS.format(synchronous=synchronous), "utf-8")
    calls = await trace_of_mutations(data, marks, tmp_path, at_once=False, program=(sys.executable, careless))
    assert acknowledged_too_early(calls, data, marks) == marks


LAST_FRAME = r'pwrite64(7</d/log.sqlite-wal>, "\0\0\0\4\0\0\0\4saltsaltsum1sum2", 24, 32) = 24'
MORE_FRAMES = LAST_FRAME.replace(r"\0\0\0\4salt", r"\0\0\0\0salt")
PAGE = 'pwrite64(7</d/log.sqlite-wal>, "..Edition000..", 4096, 56) = 4096'
OTHER_PAGE = PAGE.replace("Edition000", "nothing")
SYNC = "fdatasync(7</d/log.sqlite-wal>) = 0"
HEAD = r'write(9<TCP:[127.0.0.1:80->127.0.0.1:5000]>, "HTTP/1.1 200 OK\r\n\r\n", 19) = 19'
RESPONSE = 'write(9<TCP:[127.0.0.1:80->127.0.0.1:5000]>, "{..Edition000..}", 16) = 16'


@pytest.mark.parametrize(
    ("lines", "early"),
    [
        ([LAST_FRAME, PAGE, SYNC, HEAD, RESPONSE], False),
        ([MORE_FRAMES, PAGE, LAST_FRAME, OTHER_PAGE, SYNC, HEAD, RESPONSE], False),
        ([LAST_FRAME, PAGE, SYNC.replace(" = 0", " <unfinished ...>"), "<... fdatasync resumed>) = 0", HEAD, RESPONSE], False),
        ([LAST_FRAME, PAGE, HEAD, SYNC, RESPONSE], True),
        ([SYNC, LAST_FRAME, PAGE, HEAD, RESPONSE], True),
        ([LAST_FRAME, PAGE, SYNC.replace("= 0", "= -1 EIO (Input/output error)"), HEAD, RESPONSE], True),
        ([LAST_FRAME, PAGE, SYNC.replace("-wal", ""), HEAD, RESPONSE], True),
        ([MORE_FRAMES, PAGE, SYNC, LAST_FRAME, OTHER_PAGE, HEAD, RESPONSE], True),
        ([MORE_FRAMES, PAGE, SYNC, HEAD, RESPONSE], True),
        ([LAST_FRAME, PAGE, SYNC.replace(" = 0", " <unfinished ...>"), HEAD, RESPONSE, "<... fdatasync resumed>) = 0"], True),
        ([LAST_FRAME, SYNC, PAGE, HEAD, RESPONSE], True),
        ([SYNC, HEAD, RESPONSE], True),
    ],
)  # fmt: skip
def test_early_responses_are_found_in_a_trace(tmp_path: Path, lines: list[str], early: bool) -> None:
    threads = {True: "11", False: "22"}
    trace = tmp_path / "trace.txt"
    trace.write_text("".join(f"{threads['TCP' in line]}  {line}\n" for line in lines), "ascii")
    assert acknowledged_too_early(calls_in(trace), Path("/d"), ["Edition000"]) == ["Edition000"] * early
