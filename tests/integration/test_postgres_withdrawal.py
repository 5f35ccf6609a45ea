"""Remains of a withdrawn payload in the files of PostgreSQL, their removal, and the error if removal must wait."""

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


async def log_with_a_name(url: str) -> OpenedLog:
    """Return a log whose third event contains the words, and whose fourth event is large and ends with them."""
    log = await open_at(url)
    await log.append([StreamWrite("post.a", NO_STREAM, (sample_event(), sample_event()))])
    # The payload has no repetitions, so that the server cannot compress it.
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
    """Return the top folders of the files that contain the words: `base` for tables, `pg_wal`."""
    return {
        file.relative_to(server.data).parts[0]
        for file in server.data.rglob("*")
        if file.is_file() and WORDS in file.read_bytes()
    }


async def test_the_statements_of_the_how_to_page_remove_every_byte() -> None:
    server = PostgresServer()
    try:
        log = await log_with_a_name(server.url("daily"))
        server.sql("CHECKPOINT")
        assert files_with_the_words(server) == {"base", "pg_wal"}
        assert await withdraw(log, 3) == 5
        assert await withdraw(log, 4) == 6
        assert [recorded.payload is None for recorded in await log.read(0, 10)] == [
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


async def test_a_withdrawal_is_unfinished_while_a_reader_can_see_the_payload(
    postgres_server: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "RETRY_TIMEOUT", 0.3)
    database = postgres_server.new_database("withdrawn")
    log = await log_with_a_name(postgres_server.url("daily", database=database))
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


async def test_a_role_that_can_erase_but_not_vacuum_gets_an_error(postgres_server: PostgresServer) -> None:
    database = postgres_server.new_database("erased")
    log = await log_with_a_name(postgres_server.url("daily", database=database))
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
