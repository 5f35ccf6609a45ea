"""What is left of a withdrawn payload in PostgreSQL's files, what removes it, and what is said when that must wait."""

import re
from pathlib import Path

import asyncpg
import pytest

from ledgerpress.adapters.postgres import connection
from ledgerpress.eventlog.envelope import MAX_PAYLOAD_BYTES
from ledgerpress.eventlog.errors import WithdrawalUnfinished
from ledgerpress.eventlog.log import NO_STREAM, OpenedLog, StreamWrite
from scripts.engines.postgres import PostgresServer
from tests.contract.sample_events import sample_event
from tests.integration.postgres_appends import open_at

PAGE = Path(__file__).parent.parent.parent / "docs" / "how-to" / "postgresql.md"
WORDS = b"Erika Mustermann, Heidestrasse 17"


async def log_with_a_name_in_it(url: str) -> OpenedLog:
    """A log whose third event has the words in it, and whose fourth is large and has them at its end."""
    log = await open_at(url)
    await log.append([StreamWrite("post.a", NO_STREAM, (sample_event(), sample_event()))])
    # Nothing in it repeats, so that the server cannot compress it.
    large = b"".join(number.to_bytes(4, "big") for number in range(MAX_PAYLOAD_BYTES // 8)) + WORDS
    events = (sample_event(plaintext=b'{"data":{"name":"' + WORDS + b'"}}'), sample_event(plaintext=large))
    await log.append([StreamWrite("post.a", 2, events)])
    return log


async def withdraw(log: OpenedLog, position: int) -> int:
    (event,) = await log.read(position - 1, 1)
    record = sample_event(event_type="payload.withdrawn")
    return await log.withdraw(
        position, [StreamWrite(f"withdrawal.{event.header.event_id}", NO_STREAM, (record,))]
    )


def files_with_the_words(server: PostgresServer) -> set[str]:
    """Return the top folders of the files that hold the words: `base` for tables, `pg_wal`."""
    return {
        file.relative_to(server.data).parts[0]
        for file in server.data.rglob("*")
        if file.is_file() and WORDS in file.read_bytes()
    }


async def test_after_what_the_how_to_page_says_no_byte_is_left() -> None:
    server = PostgresServer()
    try:
        log = await log_with_a_name_in_it(server.url("daily"))
        server.sql("CHECKPOINT")
        assert files_with_the_words(server) == {"base", "pg_wal"}
        assert await withdraw(log, 3) == 5
        assert await withdraw(log, 4) == 6
        assert [one.payload is None for one in await log.read(0, 10)] == [
            False,
            False,
            True,
            True,
            False,
            False,
        ]
        await log.aclose()
        cells = re.findall(r"\| `([^`]*;)`", PAGE.read_text("utf-8"))
        statements = [statement for cell in cells for statement in cell.split("; ")]
        assert any("VACUUM FULL" in statement for statement in statements)
        for statement in statements:
            server.sql(statement)
        assert files_with_the_words(server) == set()
    finally:
        server.close()


async def test_one_that_somebody_could_still_read_is_not_finished(
    postgres_server: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "RETRY_TIMEOUT", 0.3)
    database = postgres_server.new_database("withdrawn")
    log = await log_with_a_name_in_it(postgres_server.url("daily", database=database))
    reader = await asyncpg.connect(postgres_server.address(database=database))
    await reader.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
    select = "SELECT count(payload) FROM ledgerpress.event"
    assert await reader.fetchval(select) == 4
    with pytest.raises(WithdrawalUnfinished, match="still reads an older state"):
        await withdraw(log, 3)
    assert await reader.fetchval(select) == 4
    assert (await log.read(2, 1))[0].payload is None
    assert await log.head() == 5
    await reader.close()
    assert await log.withdraw(3, []) == 5
    await log.aclose()


async def test_who_may_erase_and_not_vacuum_is_told(postgres_server: PostgresServer) -> None:
    database = postgres_server.new_database("erased")
    log = await log_with_a_name_in_it(postgres_server.url("daily", database=database))
    postgres_server.sql(
        "CREATE ROLE eraser LOGIN; GRANT USAGE ON SCHEMA ledgerpress TO eraser; "
        "GRANT SELECT, INSERT, UPDATE ON ALL TABLES IN SCHEMA ledgerpress TO eraser",
        database=database,
    )
    eraser = await open_at(postgres_server.url("daily", user="eraser", database=database))
    with pytest.raises(WithdrawalUnfinished, match=r"only the owner.*VACUUM"):
        await withdraw(eraser, 3)
    await eraser.aclose()
    assert await log.withdraw(3, []) == 5
    await log.aclose()
