"""The event log of a publication in PostgreSQL, shared by any number of nodes."""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from ledgerpress.adapters.postgres import event_rows as log_rows
from ledgerpress.adapters.postgres.appender import Appender
from ledgerpress.adapters.postgres.connection import Connection, Server
from ledgerpress.adapters.postgres.errors import failure
from ledgerpress.adapters.postgres.lease_register import PostgresLeaseRegister
from ledgerpress.adapters.postgres.log_registry import LogLocation, open_location
from ledgerpress.adapters.postgres.notifications import HeadNotifications
from ledgerpress.adapters.postgres.payload_erasure import free_what_is_erased
from ledgerpress.adapters.postgres.read_pool import ReadPool
from ledgerpress.adapters.postgres.reconnecting_connection import OtherLog, ReconnectingConnection
from ledgerpress.adapters.postgres.retry import retry
from ledgerpress.eventlog.append_request import AppendRequest
from ledgerpress.eventlog.envelope import StoredEvent
from ledgerpress.eventlog.errors import EventLogError, LogClosed
from ledgerpress.eventlog.group_commit import GroupCommit
from ledgerpress.eventlog.head_notifier import HeadNotifier
from ledgerpress.eventlog.log import StreamWrite, check_writes

LOOK_SECONDS: Final = 1.0
"""While somebody waits, the head is looked at this often, in case that a signal was lost."""


class PostgresEventLog:
    """An `EventLog` whose order is that of the lock on the log's head: who holds it records, and commits, alone.

    It belongs to the event loop in which it was opened. Those who read have connections of their own, to the primary
    as well: a replica may show what is lost when another one takes over.
    """

    def __init__(self, link: ReconnectingConnection, place: LogLocation, clock: Callable[[], float]) -> None:
        self._server = link.server
        self._place = place
        self._readers = ReadPool(link.server, place)
        self._watch = HeadNotifier(self.head, LOOK_SECONDS)
        self._signals = HeadNotifications(link.server, place, self._watch.hear)
        self._appender = Appender(link, place, clock)
        self._commits = GroupCommit(self._appender, self._committed)
        self._leases = PostgresLeaseRegister(self._readers, place)
        self._closed = False

    @classmethod
    async def open(
        cls,
        server: Server,
        name: str,
        *,
        create_as: Callable[[], str] | None,
        clock: Callable[[], float] = time.time,  # noqa: TID251 - compared with the server's, and nothing else
    ) -> "PostgresEventLog":
        """Open the log `name`; where there is none, make one for the publication that `create_as` names.

        Raises `LogUnusable` for a missing log that is not to be made, for one that is not complete or was written by
        a newer LedgerPress, and for a server that is too old or does not sync; `LogUnavailable`.
        """

        async def attempt() -> "PostgresEventLog":
            connection = await server.connect()
            try:
                place = await open_location(connection, server, name, create_as)
            except BaseException as error:
                connection.terminate()
                if isinstance(error, Exception):
                    raise failure(error, server.shown) from error
                raise
            return cls(ReconnectingConnection(server, place, connection), place, clock)

        return await retry(attempt)

    async def aclose(self) -> None:
        """Finish what was accepted and leave the server. Whatever is asked later raises `LogClosed`."""
        if self._closed:
            return
        self._closed = True
        try:
            await self._watch.close()
            await self._commits.finish()
        finally:
            await self._signals.close()
            await self._readers.close()
            await self._appender.close()

    @property
    def publication(self) -> str:
        """The UUID of the publication whose log this is."""
        return self._place.publication

    @property
    def leases(self) -> PostgresLeaseRegister:
        """Where it is kept who holds which lease."""
        return self._leases

    @property
    def notices(self) -> Sequence[str]:
        """Nothing: a server that does not keep what it promises is refused."""
        return ()

    @property
    def counts(self) -> Mapping[str, int]:
        """What has been counted since it was opened, as `OpenedLog` says."""
        reconnects = self._appender.reconnects + self._readers.reconnects
        return {"reconnects": reconnects, "resolved": self._appender.resolved}

    async def whose(self) -> str:
        """Return the UUID of the publication whose log has the name now, as `OpenedLog` says."""

        async def work(connection: Connection) -> str:
            return (await open_location(connection, self._server, self._place.name, None)).publication

        try:
            return await self._readers.run(work)
        except OtherLog as another:
            if another.publication is None:
                raise
            return another.publication

    @property
    def staleness(self) -> float:
        """Never is anything missing: one server has it all."""
        return 0.0

    async def append(self, writes: Sequence[StreamWrite]) -> int:
        """Record all the events of `writes`, in their order, and return the position of the last.

        A cancelled caller does not learn whether they were recorded. Raises as `EventLog.append` does.
        """
        self._check_open()
        check_writes(writes)
        return await self._commits.record(AppendRequest.of(writes))

    async def withdraw(self, position: int, writes: Sequence[StreamWrite]) -> int:
        """Record `writes` and erase the payload and salt of the event at `position`, both or neither.

        Returns the position of the last event recorded, or the head where `writes` is empty. It takes the role that
        owns the tables. What may be left outside the tables is said in `withdrawal`. Raises as `EventLog.withdraw`
        does, and `LogUnusable` for a role that may not.
        """
        self._check_open()
        if writes:
            check_writes(writes)
        commands = [AppendRequest.of(writes)] if writes else []
        outcomes = await self._appender.record(commands, erase=position)
        for outcome in outcomes:
            if isinstance(outcome, EventLogError):
                raise outcome
        recorded = max([one for one in outcomes if isinstance(one, int)], default=0)
        self._committed(recorded)
        await free_what_is_erased(self._server, position)
        return recorded or await self.head()

    async def head(self) -> int:
        """Return the position of the last event recorded, 0 for an empty log."""
        return await self._readers.run(lambda connection: log_rows.read_head(connection, self._place.log))

    async def read(self, after: int, limit: int) -> list[StoredEvent]:
        """Return up to `limit` events, in order, with positions greater than `after`; fewer if they are large."""

        async def work(connection: Connection) -> list[StoredEvent]:
            return await log_rows.read_after(
                connection, self._place.log, self._place.publication, after, limit
            )

        return await self._readers.run(work)

    async def read_stream(self, stream: str, after: int = 0) -> list[StoredEvent]:
        """Return the events of a stream with versions greater than `after`, in order."""

        async def work(connection: Connection) -> list[StoredEvent]:
            return await log_rows.read_stream(
                connection, self._place.log, self._place.publication, stream, after
            )

        return await self._readers.run(work)

    async def wait_beyond(self, position: int, timeout: float) -> bool:
        """Wait until the head is beyond `position`; return whether it is. `timeout` is in seconds."""
        self._check_open()
        return await self._watch.beyond(position, timeout)

    def _check_open(self) -> None:
        if self._closed:
            raise LogClosed("the log was closed")

    def _committed(self, head: int) -> None:
        self._watch.advance(head)
        self._signals.tell(head)
