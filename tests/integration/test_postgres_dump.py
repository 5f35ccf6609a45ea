"""A dump restored into a new cluster is the same log: all events visible, the same root, and appends continue."""

from pathlib import Path

from ledgerpress.eventlog.log import NO_STREAM, StreamWrite
from scripts.engines.postgres import DATABASE, PostgresServer
from tests.contract.sample_events import sample_event
from tests.integration.postgres_appends import Book, everything, open_at, root_of


async def test_a_dump_restored_into_a_new_cluster_has_all_events_and_the_same_root(
    postgres_server: PostgresServer, tmp_path: Path
) -> None:
    database = postgres_server.new_database("dumped")
    book = Book()
    # The transaction number must be far higher than in a new cluster.
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
    new_cluster = PostgresServer()
    try:
        new_cluster.run(
            "psql",
            "-X",
            "-q",
            "-v",
            "ON_ERROR_STOP=1",
            "-d",
            new_cluster.address(database=DATABASE),
            text=dump,
        )
        restored = await open_at(new_cluster.url("daily"))
        assert await restored.head() == len(events) == 301
        restored_events = await everything(restored)
        assert restored_events == events
        assert root_of(restored_events) == root_of(events)
        assert restored_events[3].payload is None
        assert restored.publication == log.publication
        await book.append(restored, "later")
        assert book.positions["later"] == 304
        await restored.aclose()
        weekly = await open_at(new_cluster.url("weekly"))
        assert await weekly.head() == 3
        await weekly.aclose()
    finally:
        new_cluster.close()
