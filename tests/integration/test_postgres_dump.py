"""A dump that is restored into a fresh cluster is the same log: all visible, the same root, and it goes on."""

from pathlib import Path

from ledgerpress.eventlog.log import NO_STREAM, StreamWrite
from scripts.engines.postgres import DATABASE, PostgresServer
from tests.contract.sample_events import sample_event
from tests.integration.postgres_appends import Book, everything, open_at, root_of


async def test_a_dump_restored_into_a_fresh_cluster_shows_all_with_the_same_root(
    postgres_server: PostgresServer, tmp_path: Path
) -> None:
    database = postgres_server.new_database("dumped")
    book = Book()
    # So that the number of its transactions is far beyond that of a new cluster.
    for number in range(300):
        postgres_server.sql(
            f"CREATE TABLE t{number} (n integer)" if number < 2 else "SELECT pg_current_xact_id()"
        )
    log = await open_at(postgres_server.url("daily", database=database))
    other = await open_at(postgres_server.url("weekly", database=database))
    for number in range(100):
        await book.append(log, f"n{number}")
    await book.append(other, "n0")
    (withdrawn,) = await log.read(3, 1)
    record = sample_event(event_type="payload.withdrawn")
    await log.withdraw(4, [StreamWrite(f"withdrawal.{withdrawn.header.event_id}", NO_STREAM, (record,))])
    events = await everything(log)
    await log.aclose()
    await other.aclose()

    dump = postgres_server.run("pg_dump", postgres_server.address(database=database))
    fresh = PostgresServer()
    try:
        fresh.run(
            "psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", fresh.address(database=DATABASE), text=dump
        )
        restored = await open_at(fresh.url("daily"))
        assert await restored.head() == len(events) == 301
        found = await everything(restored)
        assert found == events
        assert root_of(found) == root_of(events)
        assert found[3].payload is None
        assert restored.publication == log.publication
        await book.append(restored, "later")
        assert book.positions["later"] == 304
        await restored.aclose()
        weekly = await open_at(fresh.url("weekly"))
        assert await weekly.head() == 3
        await weekly.aclose()
    finally:
        fresh.close()
