"""The lease registers, in a table next to the events of the logs."""

from typing import Final

from ledgerpress.adapters.postgres.log_registry import LogLocation
from ledgerpress.adapters.postgres.reconnecting_connections import ReadPool
from ledgerpress.eventlog.lease_compare_and_set import LeaseRecord

_SELECT: Final = "SELECT revision, holder FROM ledgerpress.lease WHERE log = $1 AND name = $2"
_INSERT: Final = (
    "INSERT INTO ledgerpress.lease VALUES ($1, $2, 1, $3) ON CONFLICT DO NOTHING RETURNING revision"
)
_UPDATE: Final = """
UPDATE ledgerpress.lease SET revision = revision + 1, holder = $3 WHERE log = $1 AND name = $2 AND revision = $4
RETURNING revision
"""


class PostgresLeaseRegister:
    """A `LeaseRegister` in the database of the log."""

    def __init__(self, connections: ReadPool, location: LogLocation) -> None:
        self._connections = connections
        self._log = location.log

    async def read(self, name: str) -> LeaseRecord | None:
        row = await self._connections.run(lambda connection: connection.fetchrow(_SELECT, self._log, name))
        return LeaseRecord(*row) if row else None

    async def write(self, name: str, holder: str, *, previous: int) -> LeaseRecord | None:
        statement, revisions = (_UPDATE, (previous,)) if previous else (_INSERT, ())
        revision = await self._connections.run(
            lambda connection: connection.fetchval(statement, self._log, name, holder, *revisions)
        )
        return LeaseRecord(revision, holder) if revision else None
