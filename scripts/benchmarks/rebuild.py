"""A rebuild of the views from a long log: decoding, rows per second and memory, against SQLite alone.

The log is that of a generated newsroom (`scripts/workloads/generated_log.py`), about ten events a post.

- Decoding: every event through the log's port (`read`, then `decode_all`), against a bare `SELECT` of the same
  columns of the same rows, each payload decoded by msgspec into the event's own type. The two take turns, batch by batch.
- Rows: all projectors over all events as the server applies them, reading, decoding and checkpoints included, in large
  batches, with the indexes that only readers use made last; against `executemany` of the finished rows, read
  beforehand, into the same tables, with the same pragmas, in as many transactions, and the same indexes made last.
  Every transaction of those has an equal share of each table, in the order of the events that the rows come from, as
  a rebuild has them, too. The two take turns, batch by batch, each in a file of its own.
- Memory: the most that a fresh process ever held while it rebuilt the whole log, against one that rebuilt a tenth of it.

Exits with 1 where a ratio misses what is promised.
"""

import argparse
import asyncio
import multiprocessing
import resource
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeVar

import msgspec
import uvloop

from ledgerpress.adapters.sqlite_log import event_reads_and_group_append
from ledgerpress.adapters.sqlite_log.event_log import SqliteEventLog
from ledgerpress.eventlog.codec import PayloadBody
from ledgerpress.features.registry import EVENT_TYPES, all_projectors, event_codec
from ledgerpress.views.files.build import ViewsBuild
from ledgerpress.views.files.tables import INDEXING_PRAGMAS, create_indexes, create_tables
from ledgerpress.views.files.views_file_connections import WRITER_PRAGMAS
from ledgerpress.views.projection.checkpoints import BOOKKEEPING
from scripts.workloads.generated_log import PUBLICATION, GeneratedLog
from tests.written_log import write_copy

T = TypeVar("T")

CHECKOUT: Final = Path(__file__).resolve().parent.parent.parent
BATCH: Final = 10_000
"""Events in a transaction."""
POSITIONS: Final = ("from_pos", "position", "pos", "last_position", "seq")
"""Columns, of which a table's first among these tells the event from which a row comes."""
ORDERS: Final = {
    "change_key": "k",
    "merkle_subtree": "id",
    "listing": "k",
    "listed_category": "k",
    "listed_author": "k",
    "listed": "(SELECT seq FROM post WHERE post.id = listed.id)",
    "page_row": "page, published_at DESC, post DESC, from_pos DESC",
    "page_counter": "last",
}
"""The order of the tables that have none of these; pages are numbered as they come into use."""
DECODING, ROWS, MEMORY = 0.5, 0.35, 1.2


class Measured(NamedTuple):
    """Seconds of what is measured, and of what it is measured against."""

    subject: float
    bare: float

    @property
    def ratio(self) -> float:
        """The subject's speed as a part of the bare speed."""
        return self.bare / self.subject


def make_log(path: Path, events: int) -> None:
    """Write a generated log."""
    asyncio.run(write_copy(path, PUBLICATION, GeneratedLog().batches(events, BATCH)))


class Rebuild:
    """Views that are made anew, one batch of events at a time, as `ledgerpress rebuild` makes them."""

    def __init__(self, log: SqliteEventLog, path: Path) -> None:
        self._log = log
        self._build = ViewsBuild.open(path, all_projectors(), began_at=0)

    async def step(self) -> bool:
        """Apply one batch; return whether there was one."""
        until = min(await self._log.head(), self._build.position + BATCH)
        if until == self._build.position:
            return False
        await self._build.follow(self._log, event_codec(), until, batch=BATCH)
        return True

    def finish(self) -> None:
        """Make the indexes, and bring everything from the write-ahead log into the file."""
        self._build.finish()
        self._build.db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        self._build.close()


class BareInserts:
    """The rows of finished views, put into new ones in equal shares of each table."""

    def __init__(self, finished: Path, path: Path, shares: int) -> None:
        self._source = sqlite3.connect(f"{finished.as_uri()}?mode=ro", uri=True)
        self._db = new_views(path)
        self._db.execute("DELETE FROM page_counter")
        tables = self._source.execute("SELECT name FROM sqlite_schema WHERE type = 'table'").fetchall()
        self._tables = [self._table(name, shares) for (name,) in tables if name not in BOOKKEEPING]

    def _table(self, name: str, shares: int) -> tuple[str, Iterator[list[tuple[Any, ...]]]]:
        (rows,) = self._source.execute(f"SELECT count(*) FROM {name}").fetchone()  # noqa: S608
        columns = [column for _, column, *_ in self._source.execute(f"PRAGMA table_info({name})")]
        order = ORDERS.get(name) or next(column for column in POSITIONS if column in columns)
        cursor = self._source.execute(f"SELECT * FROM {name} ORDER BY {order}")  # noqa: S608
        places = ", ".join("?" for _ in cursor.description)
        share = -(-rows // shares)
        return f"INSERT INTO {name} VALUES ({places})", iter(lambda: cursor.fetchmany(share), None)  # noqa: S608

    def step(self) -> float:
        """Insert one share, and return how many seconds that took."""
        work = [(statement, next(rows)) for statement, rows in self._tables]
        started = time.perf_counter()
        self._db.execute("BEGIN IMMEDIATE")
        for statement, rows in work:
            self._db.executemany(statement, rows)
        self._db.execute("COMMIT")
        return time.perf_counter() - started

    def finish(self) -> None:
        finish(self._db)
        self._source.close()


def new_views(path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(path, isolation_level=None)
    for name, value in WRITER_PRAGMAS.items():
        db.execute(f"PRAGMA {name} = {value}")
    create_tables(db, all_projectors(), indexes=False)
    return db


def finish(db: sqlite3.Connection) -> None:
    """Make the indexes that only readers use, and bring everything from the write-ahead log into the file."""
    for name, value in INDEXING_PRAGMAS.items():
        db.execute(f"PRAGMA {name} = {value}")
    db.execute("BEGIN IMMEDIATE")
    create_indexes(db, all_projectors())
    db.execute("COMMIT")
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    db.close()


def rebuild_once(log: Path, path: Path) -> tuple[float, int, int]:
    """Rebuild; return the seconds, the rows, and the most memory that the process ever held, in bytes."""

    async def run() -> float:
        source = await SqliteEventLog.open(log, create_as=None)
        started = time.perf_counter()
        views = Rebuild(source, path)
        while await views.step():
            pass
        views.finish()
        seconds = time.perf_counter() - started
        await source.aclose()
        return seconds

    seconds = uvloop.run(run())
    peak = peak_memory()
    with closing(sqlite3.connect(path)) as db:
        tables = db.execute("SELECT name FROM sqlite_schema WHERE type = 'table'").fetchall()
        rows = sum(db.execute(f"SELECT count(*) FROM {name}").fetchone()[0] for (name,) in tables)  # noqa: S608
    return seconds, rows, peak


def peak_memory() -> int:
    """Return the most memory that this process ever held, in bytes.

    Linux counts what the parent held before this program began into `ru_maxrss`, but not into VmHWM.
    """
    status = Path("/proc/self/status")
    if status.exists():
        (line,) = [line for line in status.read_text("ascii").splitlines() if line.startswith("VmHWM:")]
        return int(line.split()[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def compare_rows(log: Path, finished: Path, folder: Path, events: int) -> Measured:
    """Rebuild, and insert the finished rows, in turn."""

    async def run() -> Measured:
        source = await SqliteEventLog.open(log, create_as=None)
        subject, inserts = Rebuild(source, folder / "rebuilt"), BareInserts(finished, folder / "bare", shares)
        spent, bare = 0.0, 0.0
        for number in range(shares):
            if number % 2:
                bare += inserts.step()
            started = time.perf_counter()
            await subject.step()
            spent += time.perf_counter() - started
            if not number % 2:
                bare += inserts.step()
        if await subject.step():
            raise SystemExit("a batch was cut short")
        started = time.perf_counter()
        subject.finish()
        spent, started = spent + time.perf_counter() - started, time.perf_counter()
        inserts.finish()
        bare += time.perf_counter() - started
        await source.aclose()
        return Measured(spent, bare)

    shares = -(-events // BATCH)
    measured = uvloop.run(run())
    if digest_of(folder / "rebuilt") != digest_of(folder / "bare"):
        raise SystemExit("the two files have different rows")
    for file in folder.iterdir():
        file.unlink()
    return measured


def digest_of(path: Path) -> list[int]:
    """Return how many rows each table has."""
    with closing(sqlite3.connect(path)) as db:
        tables = db.execute("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name").fetchall()
        return [db.execute(f"SELECT count(*) FROM {name}").fetchone()[0] for (name,) in tables]  # noqa: S608


def compare_decoding(log: Path, events: int) -> Measured:
    """Read and decode the log through its port, and by a bare SELECT, in turn."""
    decoders = {
        name: msgspec.json.Decoder(PayloadBody[type_]).decode  # type: ignore[valid-type]
        for name, _, type_, _ in EVENT_TYPES
    }
    type_at, payload_at = (
        event_reads_and_group_append.COLUMNS.split(", ").index(name) for name in ("type", "payload")
    )

    async def run() -> Measured:
        codec, source = event_codec(), await SqliteEventLog.open(log, create_as=None)
        spent, bare = 0.0, 0.0
        with closing(sqlite3.connect(log)) as db:
            for number, after in enumerate(range(0, events, BATCH)):
                for which in (0, 1) if number % 2 else (1, 0):
                    started = time.perf_counter()
                    if which:
                        codec.decode_all(await source.read(after, BATCH))
                        spent += time.perf_counter() - started
                    else:
                        rows = db.execute(
                            event_reads_and_group_append.SELECT_AFTER, (after, BATCH)
                        ).fetchall()
                        _ = [decoders[row[type_at]](row[payload_at]) for row in rows]
                        bare += time.perf_counter() - started
        await source.aclose()
        return Measured(spent, bare)

    return uvloop.run(run())


def in_fresh_process(work: Callable[..., T], *arguments: object) -> T:
    """Return what `work` returns in a process that has done nothing else."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(work, *arguments).result()


def keeps(what: str, ratio: float, *, least: float | None = None, most: float | None = None) -> bool:
    kept = (least is None or ratio >= least) and (most is None or ratio <= most)
    promise = f"at least {least}" if least is not None else f"at most {most}"
    print(f"  {what:<44} {ratio:5.2f}   {promise}: {'kept' if kept else 'MISSED'}")
    return kept


def measure(folder: Path, events: int, rounds: int) -> bool:
    """Measure, print, and return whether every promise is kept."""
    few, views = events // 10, folder / "views"
    views.mkdir()
    print(f"writing logs of {events:,} and {few:,} events", flush=True)
    in_fresh_process(make_log, folder / "log", events)
    in_fresh_process(make_log, folder / "short-log", few)

    print("decoding", flush=True)
    decoding = [in_fresh_process(compare_decoding, folder / "log", events) for _ in range(rounds)]
    for one in decoding:
        print(
            f"  port {events / one.subject:9,.0f} events/s   bare {events / one.bare:9,.0f}   {one.ratio:.2f}"
        )

    print("rebuilding in a fresh process", flush=True)
    _, _, small = in_fresh_process(rebuild_once, folder / "short-log", folder / "short")
    seconds, rows, large = in_fresh_process(rebuild_once, folder / "log", folder / "finished")
    print(f"  {events:,} events, {rows:,} rows in {seconds:.1f} s: {rows / seconds:,.0f} rows/s")
    print(f"  at most {large / 2**20:.0f} MiB, with {few:,} events {small / 2**20:.0f} MiB")

    print("rebuilding and bare inserts in turn", flush=True)
    inserting = []
    for _ in range(rounds):
        one = in_fresh_process(compare_rows, folder / "log", folder / "finished", views, events)
        inserting.append(one)
        print(
            f"  rebuild {rows / one.subject:9,.0f} rows/s   bare {rows / one.bare:9,.0f}   {one.ratio:.2f}",
            flush=True,
        )

    print("ratios, the worst of the rounds")
    kept = [
        keeps("decoding / bare SELECT with msgspec", min(one.ratio for one in decoding), least=DECODING),
        keeps("rows of the rebuild / of bare inserts", min(one.ratio for one in inserting), least=ROWS),
        keeps(f"peak memory, {events:,} events / {few:,}", large / small, most=MEMORY),
    ]
    return all(kept)


def main() -> None:
    """Measure, and exit with 1 where a promise is missed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--events", type=int, default=1_000_000, help="events in the log (1,000,000)")
    parser.add_argument("--rounds", type=int, default=2, help="times that each is measured (2)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix=".bench-", dir=CHECKOUT) as folder:
        sys.exit(0 if measure(Path(folder), options.events, options.rounds) else 1)


if __name__ == "__main__":
    main()
