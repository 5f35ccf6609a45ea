"""The event log in one SQLite file, shared by any number of processes on one machine."""

import asyncio
import os
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TypeVar

from ledgerpress.adapters.sqlite_log import event_reads_and_group_append
from ledgerpress.adapters.sqlite_log.errors import log_error
from ledgerpress.adapters.sqlite_log.event_reads_and_group_append import GroupAppender, LastEvent
from ledgerpress.adapters.sqlite_log.lease_compare_and_set import SqliteLeaseRegister
from ledgerpress.adapters.sqlite_log.log_file import READER, open_log_file
from ledgerpress.adapters.sqlite_log.payload_erasure import withdraw
from ledgerpress.adapters.sqlite_log.short_reads import ShortReads
from ledgerpress.adapters.sqlite_log.write_probe import probe_write
from ledgerpress.eventlog.envelope import StoredEvent
from ledgerpress.eventlog.errors import LogClosed, LogReplaced, LogUnavailable, LogUnusable
from ledgerpress.eventlog.group_commit import AppendRequest, GroupCommit
from ledgerpress.eventlog.head_notifier import HeadNotifier
from ledgerpress.eventlog.log import StreamWrite, check_writes
from ledgerpress.sqlite.connection import SerialConnection, open_connection
from ledgerpress.system_errors import reason_of

T = TypeVar("T")


class SqliteEventLog:
    """An `EventLog` in a SQLite file.

    SQLite admits one writer at a time, which gives the appends their order (https://sqlite.org/wal.html). The log
    belongs to the event loop in which it was opened. Reads have their own connections and never wait for a commit. They
    never miss an acknowledged event.
    """

    notices = ()
    staleness = 0.0
    detects_replacement = True
    max_events = None

    def __init__(
        self,
        path: Path,
        writer: SerialConnection,
        reader: SerialConnection,
        short_reads: ShortReads,
        publication: str,
        last: LastEvent,
    ) -> None:
        self._path = path
        self._file = _identity(path)
        self._writer = writer
        self._reader = reader
        self._short_reads = short_reads
        self.publication = publication
        self._head_notifier = HeadNotifier(self.head, is_appending=lambda: self._commits.is_writing)
        self._commits = GroupCommit(
            GroupAppender(writer, path, self._check_file, last), self._head_notifier.advance
        )
        self._probe: asyncio.Task[None] | None = None
        self._closed = False
        self.leases = SqliteLeaseRegister(writer, path)

    @classmethod
    async def open(
        cls, path: Path, *, create_as: Callable[[], str] | None, may_be_read_only: bool = False
    ) -> "SqliteEventLog":
        """Open the log at `path`; if there is none, create one for the publication that `create_as` returns.

        If the log `may_be_read_only` and cannot be written to, every append fails.
        Raises `LogUnusable` if there is no log and no `create_as`, if the file is not a log or was written by a newer
        LedgerPress, or if the file cannot be written.
        """
        writer, publication = await open_log_file(path, create_as, may_be_read_only=may_be_read_only)
        reader: SerialConnection | None = None
        try:
            reader = await open_connection(path, read_only=True, pragmas=READER)
            short_reads = ShortReads(path, publication)
            last = await writer.run(event_reads_and_group_append.read_last_event)
        except BaseException as error:
            if reader is not None:
                await reader.close()
            await writer.close()
            if isinstance(error, sqlite3.Error):
                raise LogUnusable(f"{path} cannot be read: {reason_of(error)}") from error
            raise
        return cls(path, writer, reader, short_reads, publication, last)

    async def aclose(self) -> None:
        if self._closed:
            return
        self._closed = True
        try:
            await self._head_notifier.close()
            await self._commits.finish()
        finally:
            # The connection that is closed last merges the write-ahead log into the file, so it must be able to write.
            self._short_reads.close()
            await self._reader.close()
            await self._writer.close()

    @property
    def counts(self) -> Mapping[str, int]:
        return {"groups": self._commits.groups}

    async def current_publication(self) -> str:
        """Return the UUID of the publication. Raises `LogReplaced` if there is another file at the path now."""
        self._check_open()
        self._check_file()
        return await self._read(lambda db: str(db.execute("SELECT publication FROM log_meta").fetchone()[0]))

    async def append(self, writes: Sequence[StreamWrite]) -> int:
        self._check_open()
        check_writes(writes)
        return await self._commits.record(AppendRequest.of(writes))

    async def withdraw(self, position: int, writes: Sequence[StreamWrite]) -> int:
        self._check_open()
        if writes:
            check_writes(writes)
        command = AppendRequest.of(writes) if writes else None
        try:
            last_position = await self._writer.run(partial(withdraw, position=position, command=command))
        except sqlite3.Error as error:
            raise log_error(
                error, self._path, "the payload could not be withdrawn", appends=bool(writes)
            ) from error
        if last_position is None:
            return await self.head()
        self._head_notifier.advance(last_position)
        return last_position

    async def head(self) -> int:
        self._check_open()
        if (head := self._short_reads.head()) is not None:
            return head
        return await self._read(event_reads_and_group_append.read_head)

    async def read(self, after: int, limit: int) -> list[StoredEvent]:
        return await self._read(
            partial(
                event_reads_and_group_append.read_batch,
                publication=self.publication,
                after=after,
                limit=limit,
            )
        )

    async def read_stream(self, stream: str, after: int = 0) -> list[StoredEvent]:
        self._check_open()
        events, is_complete = self._short_reads.stream(stream, after)
        if is_complete:
            return events
        return events + await self._read(
            partial(
                event_reads_and_group_append.read_stream,
                publication=self.publication,
                stream=stream,
                after=events[-1].header.stream_version if events else after,
            )
        )

    async def wait_beyond(self, position: int, timeout: float) -> bool:
        return await self._head_notifier.wait_beyond(position, timeout)

    async def check_writable(self) -> None:
        """Do the same as `OpenedLog.check_writable`. Does not wait if an earlier write has not ended yet."""
        self._check_open()
        if self._commits.is_writing or (self._probe is not None and not self._probe.done()):
            raise LogUnavailable(f"{self._path}: an earlier write has not ended yet")
        self._probe = asyncio.create_task(self._writer.run(probe_write))
        self._probe.add_done_callback(_note_result)  # the caller may no longer wait for it
        try:
            await asyncio.shield(self._probe)
        except sqlite3.Error as error:
            raise log_error(error, self._path, "nothing can be recorded") from error
        self._check_file()

    def _check_file(self) -> None:
        if _identity(self._path) != self._file:
            raise LogReplaced(f"{self._path} is no longer the file that was opened")

    def _check_open(self) -> None:
        if self._closed:
            raise LogClosed("the log was closed")

    async def _read(self, work: Callable[[sqlite3.Connection], T]) -> T:
        self._check_open()
        try:
            return await self._reader.run(work)
        except sqlite3.Error as error:
            raise log_error(error, self._path, "the log could not be read") from error


def _note_result(task: asyncio.Task[None]) -> None:
    """Read the exception of a task, which asyncio would otherwise log as an error of the program."""
    if not task.cancelled():
        task.exception()


def _identity(path: Path) -> tuple[int, int] | None:
    """Return the device and inode of a file, which identify it, or `None` if there is no file."""
    try:
        status = os.stat(path)  # noqa: PTH116 - half the time of `Path.stat`, for each group
    except OSError:
        return None
    return status.st_dev, status.st_ino
