"""Copies the file of a log, which may be in use, to create or restore a backup.

SQLite's backup copies page by page. By default it restarts whenever another process writes, so it never ends under
constant writes. Here the copy runs inside one read transaction of the source, which is a consistent snapshot. Writers
continue meanwhile, but the write-ahead log cannot be emptied before the copy is finished. (VACUUM INTO would end too,
but it rebuilds every index and reports no progress.)

The copy is written under another name in the target's folder, synced and checked. After that it gets its own name
(`atomic_file`).
"""

import asyncio
import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Final, TypeAlias

from ledgerpress.adapters.sqlite_log.event_reads_and_group_append import read_head
from ledgerpress.adapters.sqlite_log.log_file import check_format, is_log
from ledgerpress.eventlog.errors import LogUnusable
from ledgerpress.sqlite.atomic_file import SIDE_FILES, check_free, give_name, sync, unfinished
from ledgerpress.sqlite.connection import BUSY_TIMEOUT, uri

Progress: TypeAlias = Callable[[int, int], None]
"""Takes the number of pages copied so far, and the number of all pages."""

STEP_PAGES: Final = 256
"""Pages copied between two reports of progress."""


async def copy_log_file(source: Path, target: Path, *, progress: Progress | None = None) -> int:
    """Copy the log at `source`, which may be in use, to the new file `target`; return the head of the copy.

    Every event acknowledged before the call is in the copy. Raises `LogUnusable` if `source` is not a log or is
    damaged, if `target` or one of its side files exists, or if `target` cannot be written; then no file remains.
    """
    return await _in_thread(partial(_copy, source, target), progress)


class _Cancelled(Exception):
    """The caller was cancelled."""


async def _in_thread(work: Callable[[Progress], int], progress: Progress | None) -> int:
    """Run `work` in a thread, and call `progress` in the event loop.

    If the caller is cancelled, the next report of progress raises an exception, which ends the work.
    """
    loop = asyncio.get_running_loop()
    cancelled = threading.Event()

    def report(copied: int, pages: int) -> None:
        if cancelled.is_set():
            raise _Cancelled
        if progress is not None:
            loop.call_soon_threadsafe(progress, copied, pages)

    try:
        return await asyncio.to_thread(work, report)
    except asyncio.CancelledError:
        cancelled.set()
        raise


def _copy(source: Path, target: Path, report: Progress) -> int:
    if not is_log(source):
        raise LogUnusable(f"there is no log at {source}")
    try:
        # A deleted log of the same name may have left side files, which SQLite would apply to the copy.
        check_free(target, *(target.with_name(target.name + suffix) for suffix in SIDE_FILES))
    except FileExistsError as error:
        raise LogUnusable(str(error)) from error
    try:
        with unfinished(target) as copy:
            pages = _copy_pages(source, copy, report)
            sync(copy)
            head = _check(copy, source)
            report(pages, pages)
            give_name(copy, target)
    except sqlite3.Error as error:
        raise LogUnusable(f"{source} cannot be copied to {target}: {error}") from error
    except FileExistsError as error:
        raise LogUnusable(f"{target} exists already; it was not changed") from error
    except OSError as error:
        raise LogUnusable(f"{target} cannot be written: {error.strerror}") from error
    return head


def _copy_pages(source: Path, copy: Path, report: Progress) -> int:
    def step(_status: int, remaining: int, pages: int) -> None:
        report(pages - remaining, pages)

    # The source is opened for writing although nothing is written to it. So SQLite removes its side files if no other
    # process has the log open. This works for a read-only file too.
    with (
        closing(
            sqlite3.connect(uri(source, mode="rw"), uri=True, isolation_level=None, timeout=BUSY_TIMEOUT)
        ) as db,
        closing(sqlite3.connect(uri(copy, mode="rw"), uri=True, isolation_level=None)) as target_db,
    ):
        db.execute("PRAGMA query_only = ON")
        target_db.execute("PRAGMA synchronous = OFF")
        db.execute("BEGIN")
        read_head(db)
        _check_size(db, source)
        db.backup(target_db, pages=STEP_PAGES, progress=step)
        db.execute("COMMIT")
        # The copy has no side files, so that it can be moved, and read from read-only storage.
        target_db.execute("PRAGMA journal_mode = DELETE")
        return int(target_db.execute("PRAGMA page_count").fetchone()[0])


def _check_size(db: sqlite3.Connection, source: Path) -> None:
    """Raise `LogUnusable` if the file is too short or too long: SQLite would fill a truncated last page with zeros.

    MUST be called in a read transaction. Does nothing if the write-ahead log is not empty: pages may be only there.
    """
    source = source.resolve()  # the side files are next to the file itself
    write_ahead_log = source.with_name(f"{source.name}-wal")
    if write_ahead_log.exists() and write_ahead_log.stat().st_size:
        return
    pages, page_size = (db.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "page_size"))
    if (size := source.stat().st_size) != pages * page_size:
        raise LogUnusable(
            f"{source} is damaged: it has {size:,} bytes instead of {pages * page_size:,}; "
            "it may have been truncated when it was copied"
        )


def _check(copy: Path, source: Path) -> int:
    """Return the head of the log in `copy`. Raises `LogUnusable` if it is damaged."""
    # No other process knows this file: `immutable` avoids the side files that a write-ahead log would need.
    with closing(sqlite3.connect(uri(copy, mode="ro", immutable=1), uri=True)) as db:
        check_format(db, source)
        findings = [finding for (finding,) in db.execute("PRAGMA integrity_check(3)")]
        if findings != ["ok"]:
            raise LogUnusable(f"{source} is damaged: {'; '.join(findings)}")
        events, first, head = db.execute(
            "SELECT count(*), coalesce(min(position), 1), coalesce(max(position), 0) FROM event"
        ).fetchone()
    if first != 1 or events != head:
        raise LogUnusable(f"{source} has a gap: {events} events from position {first} to {head}")
    return int(head)
