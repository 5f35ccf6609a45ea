"""A mutation is acknowledged only when it is on disk: the system calls of a server say so.

A killed process leaves what it wrote to the kernel, so a kill cannot show this.
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
"""A server that leaves syncing to SQLite's weaker settings."""


async def trace_of_mutations(
    data: Path, marks: Sequence[str], outputs: Path, *, at_once: bool, program: Sequence[str | Path] = PROGRAM
) -> list[Call]:
    """Let a server on a new store carry out a mutation with each mark in it, and return its system calls."""
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
            while not has_seen_the_end(trace, server.pid):  # noqa: ASYNC110 - a file tells nobody of its changes
                await asyncio.sleep(0.02)
    return calls_in(trace)


async def write(client: Client, mark: str) -> None:
    """Write a post with the mark in its title, now short, now of many pages."""
    body = "And so on, and so on. " * (1_000 if mark.endswith("7") else 1)
    assert (await client.mutate("postCreate", title=mark, body=body)).done["title"] == mark


def marked(count: int) -> list[str]:
    """Return that many titles, of which none is in another."""
    return [f"Edition{number:03}" for number in range(count)]


def answered_too_early(calls: Sequence[Call], data: Path, marks: Sequence[str]) -> list[str]:
    """Return the marks of mutations that were answered before they were durable."""
    journal = Journal.of(calls, data / f"{LOG_FILE}-wal")
    early = []
    for mark in marks:
        durable, answered = journal.durable(mark.encode()), min(answers(calls, mark.encode()))
        if durable is None or durable > answered:
            early.append(mark)
    return early


async def test_each_mutation_is_answered_after_its_sync(tmp_path: Path) -> None:
    marks, data = marked(30), tmp_path / "new" / "data"
    calls = await trace_of_mutations(data, marks, tmp_path, at_once=False)
    assert answered_too_early(calls, data, marks) == []
    first_answer = min(answers(calls, marks[0].encode()))
    for directory in (tmp_path, tmp_path / "new", data):
        synced = [
            one.ended for one in calls if one.name in SYNCS and one.file == str(directory) and one.ended
        ]
        assert synced
        assert min(synced) < first_answer


async def test_mutations_that_share_a_sync_are_answered_after_it(tmp_path: Path) -> None:
    marks, data = marked(64), tmp_path / "data"
    calls = await trace_of_mutations(data, marks, tmp_path, at_once=True)
    assert answered_too_early(calls, data, marks) == []
    assert Journal.of(calls, data / f"{LOG_FILE}-wal").commits < len(marks)


@pytest.mark.parametrize("synchronous", ["NORMAL", "OFF"])
async def test_a_server_that_does_not_sync_is_found_out(tmp_path: Path, synchronous: str) -> None:
    marks, data = marked(5), tmp_path / "data"
    careless = tmp_path / "careless.py"
    careless.write_text(CARELESS.format(synchronous=synchronous), "utf-8")
    calls = await trace_of_mutations(data, marks, tmp_path, at_once=False, program=(sys.executable, careless))
    assert answered_too_early(calls, data, marks) == marks


LAST_FRAME = r'pwrite64(7</d/log.sqlite-wal>, "\0\0\0\4\0\0\0\4saltsaltsum1sum2", 24, 32) = 24'
MORE_FRAMES = LAST_FRAME.replace(r"\0\0\0\4salt", r"\0\0\0\0salt")
PAGE = 'pwrite64(7</d/log.sqlite-wal>, "..Edition000..", 4096, 56) = 4096'
OTHER_PAGE = PAGE.replace("Edition000", "nothing")
SYNC = "fdatasync(7</d/log.sqlite-wal>) = 0"
HEAD = r'write(9<TCP:[127.0.0.1:80->127.0.0.1:5000]>, "HTTP/1.1 200 OK\r\n\r\n", 19) = 19'
ANSWER = 'write(9<TCP:[127.0.0.1:80->127.0.0.1:5000]>, "{..Edition000..}", 16) = 16'


@pytest.mark.parametrize(
    ("lines", "early"),
    [
        ([LAST_FRAME, PAGE, SYNC, HEAD, ANSWER], False),
        ([MORE_FRAMES, PAGE, LAST_FRAME, OTHER_PAGE, SYNC, HEAD, ANSWER], False),
        ([LAST_FRAME, PAGE, SYNC.replace(" = 0", " <unfinished ...>"), "<... fdatasync resumed>) = 0", HEAD, ANSWER], False),
        ([LAST_FRAME, PAGE, HEAD, SYNC, ANSWER], True),
        ([SYNC, LAST_FRAME, PAGE, HEAD, ANSWER], True),
        ([LAST_FRAME, PAGE, SYNC.replace("= 0", "= -1 EIO (Input/output error)"), HEAD, ANSWER], True),
        ([LAST_FRAME, PAGE, SYNC.replace("-wal", ""), HEAD, ANSWER], True),
        ([MORE_FRAMES, PAGE, SYNC, LAST_FRAME, OTHER_PAGE, HEAD, ANSWER], True),
        ([MORE_FRAMES, PAGE, SYNC, HEAD, ANSWER], True),
        ([LAST_FRAME, PAGE, SYNC.replace(" = 0", " <unfinished ...>"), HEAD, ANSWER, "<... fdatasync resumed>) = 0"], True),
        ([LAST_FRAME, SYNC, PAGE, HEAD, ANSWER], True),
        ([SYNC, HEAD, ANSWER], True),
    ],
)  # fmt: skip
def test_the_judgement_on_a_trace(tmp_path: Path, lines: list[str], early: bool) -> None:
    threads = {True: "11", False: "22"}
    trace = tmp_path / "trace.txt"
    trace.write_text("".join(f"{threads['TCP' in line]}  {line}\n" for line in lines), "ascii")
    assert answered_too_early(calls_in(trace), Path("/d"), ["Edition000"]) == ["Edition000"] * early
