"""Measure a log and its views at one size: bytes, and the time of work that depends on the length of the log.

Each function runs in its own process, so that the measured memory is only that of the work.
"""

import os
import random
import sqlite3
import statistics
import threading
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Final, TypeVar

import uvloop

from ledgerpress.adapters.sqlite_log.backup import copy_log_file
from ledgerpress.adapters.sqlite_log.event_log import SqliteEventLog
from ledgerpress.features.registry import all_projectors, event_codec
from ledgerpress.operator.verify import verify_log, verify_views
from ledgerpress.operator.withdraw import withdraw
from ledgerpress.server.data_directory import LOG_FILE
from ledgerpress.views.files.build import ViewsBuild
from ledgerpress.views.files.comparison import table_digests
from ledgerpress.views.files.views_directory import ViewsDirectory
from ledgerpress.views.projection.checkpoints import BOOKKEEPING
from scripts.benchmarks.log import CLIENTS, STREAMS, Clients
from scripts.benchmarks.rebuild import peak_memory

T = TypeVar("T")

TEXTS: Final = ("body", "content")
BATCH: Final = 10_000
COLD_BATCHES: Final = 3
"""Number of batches of a rebuild before which the views are dropped from the operating system's cache."""


def shape(data: Path) -> dict[str, float]:
    """Return the bytes of the log and the numbers of its posts and publications."""
    with closing(sqlite3.connect(data / LOG_FILE)) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        (payloads,) = db.execute("SELECT sum(length(payload)) FROM event").fetchone()
        kinds = dict(db.execute("SELECT type, count(*) FROM event GROUP BY type").fetchall())
        objects = bytes_by_object(db)
    return {
        "posts": kinds["post.created"],
        "publications": kinds["post.published"],
        "payload_bytes": payloads,
        "log_bytes": sum(objects.values()),
        "log_index_bytes": sum(size for name, size in objects.items() if "autoindex" in name),
    }


def bytes_by_object(db: sqlite3.Connection) -> dict[str, int]:
    """Return the bytes of each table and index (https://sqlite.org/dbstat.html)."""
    return dict(db.execute("SELECT name, sum(pgsize) FROM dbstat GROUP BY name").fetchall())


def rebuild(data: Path, events: int, back: int) -> dict[str, float]:
    """Build views up to `back` events before the end, make them the current views, and return the measurements.

    Before each of the last batches, the views are dropped from the operating system's cache. So the measurement shows
    how many bytes of the views a batch reads.
    """
    directory = ViewsDirectory(data, all_projectors())
    path = directory.vacant()

    async def run() -> dict[str, float]:
        log = await SqliteEventLog.open(data / LOG_FILE, create_as=None)
        build = ViewsBuild.open(path, all_projectors(), began_at=events)
        apart = min(COLD_BATCHES * BATCH, events // 2)
        until = events - back - apart
        started = time.process_time()
        await build.follow(log, event_codec(), until, batch=BATCH)
        processor_seconds = time.process_time() - started
        measured = {"cold_read_bytes": 0.0}
        step = apart // COLD_BATCHES
        for number in range(COLD_BATCHES):
            drop_cache(path)
            read = read_bytes()
            await build.follow(log, event_codec(), until + (number + 1) * step, batch=step)
            measured["cold_read_bytes"] += (read_bytes() - read) / (COLD_BATCHES * step)
        measured["rebuild"] = processor_seconds * events / until
        measured |= {"rebuild_indexes": timed(build.finish)}
        measured["rebuild_digests"] = timed(lambda: table_digests(build.db, BOOKKEEPING))
        measured["rebuild_peak_bytes"] = peak_memory()
        build.db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        objects = bytes_by_object(build.db)
        measured["views_bytes"] = sum(objects.values()) * events / (events - back)
        measured["text_bytes"] = sum(objects[name] for name in TEXTS) * events / (events - back)
        build.close()
        await log.aclose()
        return measured

    measured = uvloop.run(run())
    directory.switch(path)
    return measured


def timed(work: Callable[[], object]) -> float:
    """Return the processor seconds of `work`, which hardly depend on other work on the machine."""
    started = time.process_time()
    work()
    return time.process_time() - started


def clocked(work: Callable[[], object]) -> float:
    """Return the wall-clock seconds of `work`, for work that waits for the disk."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def drop_cache(file: Path) -> None:
    """Write a file and its write-ahead log to disk, and drop them from the operating system's cache."""
    for name in (file, Path(f"{file}-wal")):
        if name.exists():
            descriptor = os.open(name, os.O_RDONLY)
            os.fsync(descriptor)
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
            os.close(descriptor)


def read_bytes() -> int:
    """Return how many bytes the system has read from disk for this process (proc(5))."""
    line = next(
        line for line in Path("/proc/self/io").read_text().splitlines() if line.startswith("read_bytes")
    )
    return int(line.split()[1])


def page_read(data: Path) -> float:
    """Return the median wall-clock seconds for reading a random page of 4 KB of the log from disk."""
    times = []
    descriptor = os.open(data / LOG_FILE, os.O_RDONLY)
    os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_RANDOM)
    chance = random.Random(1)  # noqa: S311  # reproducible
    pages = (data / LOG_FILE).stat().st_size // 4096
    for _ in range(400):
        at = chance.randrange(pages) * 4096
        os.posix_fadvise(descriptor, at, 4096, os.POSIX_FADV_DONTNEED)
        started = time.perf_counter()
        os.pread(descriptor, 4096, at)
        times.append(time.perf_counter() - started)
    os.close(descriptor)
    return statistics.median(times)


def read_log(data: Path) -> float:
    """Return how many events one follower reads through the log's port per second of processor time."""

    async def run() -> int:
        log, after = await SqliteEventLog.open(data / LOG_FILE, create_as=None), 0
        while batch := await log.read(after, 1_000):
            after = batch[-1].position
        await log.aclose()
        return after

    started = time.process_time()
    events = uvloop.run(run())
    return events / (time.process_time() - started)


def check_log(data: Path) -> tuple[float, int]:
    """Return the processor seconds and the peak memory of `ledgerpress verify` for the log."""
    return timed(lambda: uvloop.run(verify_log(data))), peak_memory()


def check_views(data: Path) -> tuple[float, int]:
    """Return the processor seconds and the peak memory of `ledgerpress verify` for the views."""
    return timed(lambda: uvloop.run(verify_views(data))), peak_memory()


def back_up(data: Path) -> float:
    """Return the wall-clock seconds of a backup of the log with its check."""
    target = data / "backup.db"
    took = clocked(lambda: uvloop.run(copy_log_file(data / LOG_FILE, target)))
    target.unlink()
    return took


def withdraw_one(data: Path, position: int) -> tuple[float, int]:
    """Return the processor seconds of withdrawing one payload, and the peak size of the views' write-ahead log."""
    largest, done = 0, threading.Event()

    def watch() -> None:
        nonlocal largest
        while not done.wait(0.05):
            for file in data.glob("views-*-wal"):
                largest = max(largest, file.stat().st_size)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        took = timed(lambda: uvloop.run(withdraw(data, position, "measured")))
    finally:
        done.set()
        watcher.join()
    return took, largest


def append(log: Path, again: int) -> tuple[float, float]:
    """Return the appends per second of one client and of many to an existing log; `again` makes the streams unique."""
    ones, many = ([f"{stream}-{kind}-{again}" for stream in STREAMS] for kind in ("one", "many"))
    with closing(Clients(log, [ones])) as client:
        single = max(client.measure(200).rate for _ in range(2))
    with closing(Clients(log, [[name] for name in many])) as clients:
        several = max(clients.measure(CLIENTS * 8).rate for _ in range(2))
    return single, several
