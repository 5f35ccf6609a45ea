"""One connection that is kept, and made anew when it is lost."""

from ledgerpress.adapters.postgres.connection import Connection, Server, close
from ledgerpress.adapters.postgres.errors import failure
from ledgerpress.adapters.postgres.log_registry import LogLocation, find
from ledgerpress.eventlog.errors import LogRefuses, LogUnusable


class OtherLog(LogUnusable):
    """There is another log in the place of the one that was opened: that of `publication`, if it is one."""

    def __init__(self, publication: str | None, message: str) -> None:
        super().__init__(message)
        self.publication = publication


class ReconnectingConnection:
    """A connection to the server of a log, for one user at a time."""

    def __init__(self, server: Server, place: LogLocation, connection: Connection | None = None) -> None:
        self.server = server
        self._place = place
        self._connection = connection
        self._was_connected = connection is not None
        self.reconnects = 0

    async def connection(self) -> Connection:
        """Return the connection; where it is lost, connect again, once. Raises `EventLogError`."""
        if self._connection is None or self._connection.is_closed():
            self._connection = None
            try:
                connection = await self.server.connect()
            except LogUnusable as error:
                # It was usable when it was opened: somebody may put it right without a restart.
                raise LogRefuses(str(error)) from error
            try:
                await self._check(connection)
            except BaseException as error:
                connection.terminate()
                if isinstance(error, Exception):
                    raise failure(error, self.server.shown) from error
                raise
            self._connection = connection
            self.reconnects += self._was_connected
            self._was_connected = True
        return self._connection

    def drop(self) -> None:
        """Let go of the connection at once, whatever it is doing."""
        if self._connection is not None:
            self._connection.terminate()
            self._connection = None

    async def close(self) -> None:
        """Take leave of the server."""
        if self._connection is not None:
            connection, self._connection = self._connection, None
            await close(connection)

    async def _check(self, connection: Connection) -> None:
        """A server that comes back may have been restored from another one's backup."""
        found = await find(connection, self.server, self._place.name)
        if found != self._place:
            raise OtherLog(
                found.publication if found and found.complete else None,
                f"the log {self._place.name!r} at {self.server.shown} is not the one that was opened: restart",
            )
