"""The event log of a publication in PostgreSQL, shared by any number of nodes."""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from ledgerpress.adapters.postgres import event_rows
from ledgerpress.adapters.postgres.appender import Appender
from ledgerpress.adapters.postgres.connection import Server, retry_while_unavailable
from ledgerpress.adapters.postgres.errors import log_errors
from ledgerpress.adapters.postgres.lease_compare_and_set import PostgresLeaseRegister
from ledgerpress.adapters.postgres.log_registry import LogLocation, open_location
from ledgerpress.adapters.postgres.notifications import HeadNotifications
from ledgerpress.adapters.postgres.payload_erasure import vacuum
from ledgerpress.adapters.postgres.reconnecting_connections import OtherLog, ReadPool, ReconnectingConnection
from ledgerpress.eventlog.envelope import StoredEvent
from ledgerpress.eventlog.errors import EventLogError, LogClosed
from ledgerpress.eventlog.group_commit import AppendRequest, GroupCommit
from ledgerpress.eventlog.head_notifier import HeadNotifier
from ledgerpress.eventlog.log import StreamWrite, check_writes

POLL_INTERVAL: Final = 1.0
"""Seconds between two polls of the head while a caller waits, because notifications may be lost."""


class PostgresEventLog:
    """An `EventLog` in PostgreSQL. A lock on the head of the log orders the appends: only its holder can commit.

    It belongs to the event loop in which it was opened. Reads have their own connections, which also lead to the
    primary: a replica may show events that a failover loses. Reads never miss an acknowledged event.
    """

    notices = ()
    """Always empty: a server without durable commits is rejected."""
    staleness = 0.0
    detects_replacement = False
    max_events = None

    def __init__(
        self, connection: ReconnectingConnection, location: LogLocation, clock: Callable[[], float]
    ) -> None:
        self._server = connection.server
        self._location = location
        self._read_pool = ReadPool(connection.server, location)
        self._head_notifier = HeadNotifier(self.head, POLL_INTERVAL)
        self._notifications = HeadNotifications(connection.server, location, self._head_notifier.announce)
        self._appender = Appender(connection, location, clock)
        self._commits = GroupCommit(self._appender, self._committed)
        self.publication = location.publication
        self.leases = PostgresLeaseRegister(self._read_pool, location)
        self._closed = False

    @classmethod
    async def open(
        cls,
        server: Server,
        name: str,
        *,
        create_as: Callable[[], str] | None,
        clock: Callable[[], float] = time.time,  # noqa: TID251 - only compared with the server's clock
    ) -> "PostgresEventLog":
        """Open the log `name`; if there is none, create one for the publication that `create_as` returns.

        Raises `LogUnusable` if there is no log and no `create_as`, if the log is incomplete or was written by a newer
        LedgerPress, or if the server is too old or does not sync. Raises `LogUnavailable` if it cannot be reached.
        """

        async def attempt() -> "PostgresEventLog":
            connection = await server.connect()
            try:
                with log_errors(server.shown):
                    location = await open_location(connection, server, name, create_as)
            except BaseException:
                connection.terminate()
                raise
            return cls(ReconnectingConnection(server, location, connection), location, clock)

        return await retry_while_unavailable(attempt)

    async def aclose(self) -> None:
        if self._closed:
            return
        self._closed = True
        try:
            await self._head_notifier.close()
            await self._commits.finish()
        finally:
            await self._notifications.close()
            await self._read_pool.close()
            await self._appender.close()

    @property
    def counts(self) -> Mapping[str, int]:
        reconnects = self._appender.reconnects + self._read_pool.reconnects
        return {
            "reconnects": reconnects,
            "resolved": self._appender.resolved,
            "groups": self._commits.groups,
        }

    async def current_publication(self) -> str:
        """Return the UUID of the publication whose log now has this name. See `OpenedLog`."""
        try:
            location = await self._read_pool.run(
                lambda connection: open_location(connection, self._server, self._location.name, None)
            )
            return location.publication
        except OtherLog as other:
            if other.publication is None:
                raise
            return other.publication

    async def append(self, writes: Sequence[StreamWrite]) -> int:
        self._check_open()
        check_writes(writes)
        return await self._commits.record(AppendRequest.of(writes))

    async def withdraw(self, position: int, writes: Sequence[StreamWrite]) -> int:
        """Do the same as `EventLog.withdraw`; this needs the role that owns the tables.

        `payload_erasure` documents which copies may remain.
        """
        self._check_open()
        if writes:
            check_writes(writes)
        commands = [AppendRequest.of(writes)] if writes else []
        last_position = 0
        for result in await self._appender.record(commands, erase=position):
            if isinstance(result, EventLogError):
                raise result
            last_position = result
        self._committed(last_position)
        await vacuum(self._server, position)
        return last_position or await self.head()

    async def check_writable(self) -> None:
        """Do the same as `OpenedLog.check_writable`: record an event, and roll it back."""
        self._check_open()
        await self._appender.probe()

    async def head(self) -> int:
        return await self._read_pool.run(
            lambda connection: event_rows.read_head(connection, self._location.log)
        )

    async def read(self, after: int, limit: int) -> list[StoredEvent]:
        return await self._read_pool.run(
            lambda connection: event_rows.read_after(connection, self._location, after, limit)
        )

    async def read_stream(self, stream: str, after: int = 0) -> list[StoredEvent]:
        return await self._read_pool.run(
            lambda connection: event_rows.read_stream(connection, self._location, stream, after)
        )

    async def wait_beyond(self, position: int, timeout: float) -> bool:
        return await self._head_notifier.wait_beyond(position, timeout)

    def _check_open(self) -> None:
        if self._closed:
            raise LogClosed("the log was closed")

    def _committed(self, head: int) -> None:
        self._head_notifier.advance(head)
        self._notifications.notify(head)
