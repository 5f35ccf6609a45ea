"""Who holds which lease, in a table beside the events of a log."""

from typing import Final

from ledgerpress.adapters.postgres.connection import Connection
from ledgerpress.adapters.postgres.log_registry import LogLocation
from ledgerpress.adapters.postgres.read_pool import ReadPool
from ledgerpress.eventlog.leases.lease_register import Held

_READ: Final = "SELECT revision, holder FROM ledgerpress.lease WHERE log = $1 AND name = $2"
_FIRST: Final = (
    "INSERT INTO ledgerpress.lease VALUES ($1, $2, 1, $3) ON CONFLICT DO NOTHING RETURNING revision"
)
_SET: Final = """
UPDATE ledgerpress.lease SET revision = revision + 1, holder = $3 WHERE log = $1 AND name = $2 AND revision = $4
RETURNING revision
"""


class PostgresLeaseRegister:
    """A `LeaseRegister` in the log's own database."""

    def __init__(self, connections: ReadPool, place: LogLocation) -> None:
        self._connections = connections
        self._log = place.log

    async def read(self, name: str) -> Held | None:
        """Return what the register holds, `None` where it was never written."""

        async def work(connection: Connection) -> Held | None:
            found = await connection.fetchrow(_READ, self._log, name)
            return Held(*found) if found else None

        return await self._connections.run(work)

    async def write(self, name: str, holder: str, *, previous: int) -> Held | None:
        """Set the register where its revision is `previous`, and return what it holds now; else `None`."""

        async def work(connection: Connection) -> Held | None:
            if previous:
                revision = await connection.fetchval(_SET, self._log, name, holder, previous)
            else:
                revision = await connection.fetchval(_FIRST, self._log, name, holder)
            return Held(revision, holder) if revision else None

        return await self._connections.run(work)
