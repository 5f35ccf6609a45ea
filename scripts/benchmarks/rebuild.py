"""A rebuild of the views from a long log: decoding, rows per second and memory, against SQLite alone.

The log is that of a generated newsroom (`scripts/workloads/generated_log.py`), about nine events per post. Seconds are
processor time of the process, of all its threads, because other programs on the machine change the time of a clock. So
waiting for the disk does not count.

- Decoding: all events through the log's port (`read`, then `decode_all`), against a bare `SELECT` of the same columns
  of the same rows whose payloads msgspec decodes into the types of the events. The two alternate, batch by batch.
- Rows: all projectors applied to all events as in the server, including reads, decoding and checkpoints, in large
  batches; indexes that only readers use are created at the end. This is compared with `executemany` of the finished rows
  into the same tables with the same pragmas, in the same number of transactions; the rows are read before, and the same
  indexes are created at the end. Each transaction inserts an equal share of each table, in the order of the events that
  produced the rows, as a rebuild does. The two alternate, batch by batch, each in its own file.
- Memory: the peak memory of a new process that rebuilds from the whole log, against that for a tenth of the log.

Exits with 1 if a ratio misses its target.
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
"""Events per transaction."""
POSITIONS: Final = ("from_pos", "position", "pos", "last_position", "seq")
"""Columns with the position of the event that produced a row; the first one that a table has is used."""
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
"""The order of rows in tables with none of these columns; pages are numbered in the order of their first use."""
DECODING, ROWS, MEMORY = 0.5, 0.35, 1.2


class Measured(NamedTuple):
    """Seconds of the measured code and of the bare code that it is compared with."""

    subject: float
    bare: float

    @property
    def ratio(self) -> float:
        """The speed of the measured code as a fraction of the bare speed."""
        return self.bare / self.subject


def make_log(path: Path, events: int) -> None:
    """Write a generated log."""
    asyncio.run(write_copy(path, PUBLICATION, GeneratedLog().batches(events, BATCH)))


class Rebuild:
    """Views that are rebuilt one batch of events at a time, as by `ledgerpress rebuild`."""

    def __init__(self, log: SqliteEventLog, path: Path) -> None:
        self._log = log
        self._build = ViewsBuild.open(path, all_projectors(), began_at=0)

    async def step(self) -> bool:
        """Apply one batch, and return whether there was one."""
        until = min(await self._log.head(), self._build.position + BATCH)
        if until == self._build.position:
            return False
        await self._build.follow(self._log, event_codec(), until, batch=BATCH)
        return True

    def finish(self) -> None:
        """Create the indexes, and move everything from the write-ahead log to the file."""
        self._build.finish()
        self._build.db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        self._build.close()


class BareInserts:
    """Inserts the rows of finished views into new views, in equal shares of each table."""

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
        """Insert one share, and return the seconds that it took."""
        work = [(statement, next(rows)) for statement, rows in self._tables]
        started = time.process_time()
        self._db.execute("BEGIN IMMEDIATE")
        for statement, rows in work:
            self._db.executemany(statement, rows)
        self._db.execute("COMMIT")
        return time.process_time() - started

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
    """Create the indexes that only readers use, and move everything from the write-ahead log to the file."""
    for name, value in INDEXING_PRAGMAS.items():
        db.execute(f"PRAGMA {name} = {value}")
    db.execute("BEGIN IMMEDIATE")
    create_indexes(db, all_projectors())
    db.execute("COMMIT")
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    db.close()


def rebuild_once(log: Path, path: Path) -> tuple[float, int, int]:
    """Rebuild the views, and return the seconds, the number of rows, and the peak memory of the process in bytes."""

    async def run() -> float:
        source = await SqliteEventLog.open(log, create_as=None)
        started = time.process_time()
        views = Rebuild(source, path)
        while await views.step():
            pass
        views.finish()
        seconds = time.process_time() - started
        await source.aclose()
        return seconds

    seconds = uvloop.run(run())
    peak = peak_memory()
    with closing(sqlite3.connect(path)) as db:
        tables = db.execute("SELECT name FROM sqlite_schema WHERE type = 'table'").fetchall()
        rows = sum(db.execute(f"SELECT count(*) FROM {name}").fetchone()[0] for (name,) in tables)  # noqa: S608
    return seconds, rows, peak


def peak_memory() -> int:
    """Return the peak memory of this process in bytes.

    On Linux, `ru_maxrss` includes the memory of the parent before this program started; VmHWM does not.
    """
    status = Path("/proc/self/status")
    if status.exists():
        (line,) = [line for line in status.read_text("ascii").splitlines() if line.startswith("VmHWM:")]
        return int(line.split()[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def compare_rows(log: Path, finished: Path, folder: Path, events: int) -> Measured:
    """Rebuild the views and insert the finished rows, alternating batch by batch."""

    async def run() -> Measured:
        source = await SqliteEventLog.open(log, create_as=None)
        subject, inserts = Rebuild(source, folder / "rebuilt"), BareInserts(finished, folder / "bare", shares)
        spent, bare = 0.0, 0.0
        for number in range(shares):
            if number % 2:
                bare += inserts.step()
            started = time.process_time()
            await subject.step()
            spent += time.process_time() - started
            if not number % 2:
                bare += inserts.step()
        if await subject.step():
            raise SystemExit("the rebuild needed more batches than expected")
        started = time.process_time()
        subject.finish()
        spent, started = spent + time.process_time() - started, time.process_time()
        inserts.finish()
        bare += time.process_time() - started
        await source.aclose()
        return Measured(spent, bare)

    shares = -(-events // BATCH)
    measured = uvloop.run(run())
    if digest_of(folder / "rebuilt") != digest_of(folder / "bare"):
        raise SystemExit("the two files have different numbers of rows")
    for file in folder.iterdir():
        file.unlink()
    return measured


def digest_of(path: Path) -> list[int]:
    """Return the number of rows of each table."""
    with closing(sqlite3.connect(path)) as db:
        tables = db.execute("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name").fetchall()
        return [db.execute(f"SELECT count(*) FROM {name}").fetchone()[0] for (name,) in tables]  # noqa: S608


def compare_decoding(log: Path, events: int) -> Measured:
    """Read and decode the log through its port and by a bare SELECT, alternating batch by batch."""
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
                for uses_port in (False, True) if number % 2 else (True, False):
                    started = time.process_time()
                    if uses_port:
                        codec.decode_all(await source.read(after, BATCH))
                        spent += time.process_time() - started
                    else:
                        rows = db.execute(
                            event_reads_and_group_append.SELECT_AFTER, (after, BATCH)
                        ).fetchall()
                        _ = [decoders[row[type_at]](row[payload_at]) for row in rows]
                        bare += time.process_time() - started
        await source.aclose()
        return Measured(spent, bare)

    return uvloop.run(run())


def in_fresh_process(work: Callable[..., T], *arguments: object) -> T:
    """Return the result of `work` in a new process that does nothing else."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(work, *arguments).result()


def meets_target(label: str, ratio: float, *, least: float | None = None, most: float | None = None) -> bool:
    met = (least is None or ratio >= least) and (most is None or ratio <= most)
    target = f"at least {least}" if least is not None else f"at most {most}"
    print(f"  {label:<44} {ratio:5.2f}   target: {target}: {'met' if met else 'MISSED'}")
    return met


def measure(folder: Path, events: int, rounds: int) -> bool:
    """Measure, print the results, and return whether every target is met."""
    few, views = events // 10, folder / "views"
    views.mkdir()
    print(f"writing logs of {events:,} and {few:,} events", flush=True)
    in_fresh_process(make_log, folder / "log", events)
    in_fresh_process(make_log, folder / "short-log", few)

    print("decoding", flush=True)
    decoding = [in_fresh_process(compare_decoding, folder / "log", events) for _ in range(rounds)]
    for measured in decoding:
        print(
            f"  port {events / measured.subject:9,.0f} events/s   bare {events / measured.bare:9,.0f}   "
            f"{measured.ratio:.2f}"
        )

    print("rebuilding in a new process", flush=True)
    _, _, small = in_fresh_process(rebuild_once, folder / "short-log", folder / "short")
    seconds, rows, large = in_fresh_process(rebuild_once, folder / "log", folder / "finished")
    print(
        f"  {events:,} events, {rows:,} rows in {seconds:.1f} s of processor time: {rows / seconds:,.0f} rows/s"
    )
    print(f"  peak memory {large / 2**20:.0f} MiB; with {few:,} events {small / 2**20:.0f} MiB")

    print("rebuild and bare inserts, alternating", flush=True)
    inserting = []
    for _ in range(rounds):
        measured = in_fresh_process(compare_rows, folder / "log", folder / "finished", views, events)
        inserting.append(measured)
        print(
            f"  rebuild {rows / measured.subject:9,.0f} rows/s   bare {rows / measured.bare:9,.0f}   "
            f"{measured.ratio:.2f}",
            flush=True,
        )

    print("ratios, worst round")
    met = [
        meets_target(
            "decoding / bare SELECT with msgspec", min(round_.ratio for round_ in decoding), least=DECODING
        ),
        meets_target(
            "rows of the rebuild / bare inserts", min(round_.ratio for round_ in inserting), least=ROWS
        ),
        meets_target(f"peak memory, {events:,} events / {few:,}", large / small, most=MEMORY),
    ]
    return all(met)


def main() -> None:
    """Measure, and exit with 1 if a target is missed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--events", type=int, default=1_000_000, help="events in the log (1,000,000)")
    parser.add_argument("--rounds", type=int, default=5, help="rounds of each measurement (5)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix=".bench-", dir=CHECKOUT) as folder:
        sys.exit(0 if measure(Path(folder), options.events, options.rounds) else 1)


if __name__ == "__main__":
    main()
