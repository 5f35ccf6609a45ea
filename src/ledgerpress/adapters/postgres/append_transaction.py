"""The transaction that records a group of commands."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import asyncpg

from ledgerpress.adapters.postgres import connection as connections
from ledgerpress.adapters.postgres import event_rows
from ledgerpress.adapters.postgres.connection import Connection
from ledgerpress.eventlog.envelope import Row
from ledgerpress.eventlog.errors import ClockRejected, LogUnavailable
from ledgerpress.eventlog.group_commit import AppendGroup, AppendRequest
from ledgerpress.eventlog.write_probe import probe_writes

MAX_CLOCK_DIFFERENCE: Final = 5.0
"""The maximum difference, in seconds, between the clocks of this machine and of the server; above it, appends fail."""

PROBE_LOCK_TIMEOUT: Final = 1
"""Seconds for which a probe waits for a lock. This is short, because appends of this node wait for the probe."""

# Every later read sees the state after the lock. Without parameters, BEGIN and this lock need only one round trip.
_LOCK: Final = "SELECT FROM ledgerpress.log_head WHERE log = {log} FOR UPDATE"
_SELECT_STATE: Final = f"""
SELECT ({event_rows.SELECT_HEAD}),
       extract(epoch FROM clock_timestamp())::float8,
       ARRAY(
           SELECT coalesce((
               SELECT e.stream_version FROM ledgerpress.event AS e
               WHERE e.log = $1 AND e.stream = asked.stream ORDER BY e.stream_version DESC LIMIT 1
           ), 0)
           FROM unnest($2::text[]) WITH ORDINALITY AS asked (stream, n) ORDER BY n
       ),
       ARRAY(SELECT e.event_id::text FROM ledgerpress.event AS e WHERE e.log = $1 AND e.event_id = ANY ($3::uuid[]))
"""  # noqa: S608
_SELECT_RECORDED: Final = """
SELECT event_id::text, payload_commitment FROM ledgerpress.event WHERE log = $1 AND position > $2 ORDER BY position LIMIT $3
"""


class ClocksDiffer(ClockRejected):
    """The clock of this machine differs too much from the clock of the server."""


@dataclass(slots=True)
class CachedPlans:
    """The query plans that the server caches for the session of a writer.

    While the table is small and has no statistics, all its indexes seem equally good. So a trigger may look for the
    predecessor of an event in all events of the log. Its query has no parameters, so the server caches the first plan,
    and keeps it until it has collected statistics, which may take minutes.
    """

    _head: int = 0

    async def renew(self, connection: Connection, head: int) -> None:
        """Make the server plan again if the log will be twice as long as the last time, with its head at `head`.

        A new connection has plans that are newer still.
        """
        if head >= 2 * self._head:
            await connection.execute("DISCARD PLANS")
            self._head = head


async def begin(connection: Connection, log: int) -> None:
    """Begin a transaction and lock the head of the log; wait until no other transaction appends to the log."""
    await connection.execute(f"BEGIN; {_LOCK.format(log=int(log))}")


async def lock(connection: Connection, log: int) -> None:
    await connection.execute(_LOCK.format(log=int(log)))


async def load_group(
    connection: Connection, log: int, commands: Sequence[AppendRequest], clock: Callable[[], float]
) -> AppendGroup:
    """Return an empty group with the state that is needed to admit `commands`. Raises `ClocksDiffer`."""
    streams = list({write.stream for command in commands for write in command.writes})
    ids = [event.event_id for command in commands for write in command.writes for event in write.events]
    before = clock()
    row = await connection.fetchrow(_SELECT_STATE, log, streams, ids)
    after = clock()
    if row is None:
        raise LogUnavailable("the server returned no row")
    head, server_time, versions, recorded = row
    difference = before - server_time if before > server_time else min(0.0, after - server_time)
    if abs(difference) > MAX_CLOCK_DIFFERENCE:
        raise ClocksDiffer(
            f"this machine's clock is {abs(difference):.1f} seconds {'ahead of' if difference > 0 else 'behind'} the "
            "database server's clock, so nothing is recorded: synchronize both clocks with NTP"
        )
    return AppendGroup(
        head,
        version_of=dict(zip(streams, versions, strict=True)).__getitem__,
        is_recorded=frozenset(recorded).__contains__,
    )


async def probe(connection: Connection, plans: CachedPlans, log: int, clock: Callable[[], float]) -> None:
    """Do what an append of the largest event does, roll it back, and commit nothing else than the lock of the head.

    The commit waits for the disk and for synchronous replicas, as that of an append does. Raises the errors of an append.
    """
    await connection.execute(
        f"BEGIN; SET LOCAL lock_timeout = '{PROBE_LOCK_TIMEOUT}s'; {_LOCK.format(log=int(log))}"
    )
    command = AppendRequest.of(probe_writes())
    group = await load_group(connection, log, [command], clock)
    group.admit(command)
    await connection.execute("SAVEPOINT probe")
    await write(connection, plans, log, group.before, group.rows)
    await connection.execute("ROLLBACK TO SAVEPOINT probe")
    await commit(connection)


async def write(connection: Connection, plans: CachedPlans, log: int, head: int, rows: Sequence[Row]) -> None:
    """Insert `rows` after `head`, which the transaction has locked."""
    await plans.renew(connection, head + len(rows))
    status = await connection.execute(event_rows.INSERT, log, head, *event_rows.columns(rows))
    if status != f"INSERT 0 {len(rows)}":
        raise LogUnavailable(f"the server did not record exactly the rows that were sent: {status}")


async def commit(connection: Connection) -> None:
    """Commit, and return when the commit is durable. Raises `LogUnavailable` if the server does not confirm it in time.

    The commit is never cancelled on the server: that would end its wait for synchronous replicas, not the commit. If
    another session cancels it, the server sends a warning and confirms a commit that may not be on any replica.
    """
    warnings: list[str] = []

    def collect_warning(_: object, message: asyncpg.PostgresLogMessage) -> None:
        if message.severity_en == "WARNING":
            warnings.append(str(message))

    connection.add_log_listener(collect_warning)
    commit = asyncio.ensure_future(connection.execute("COMMIT", timeout=10 * connections.COMMAND_TIMEOUT))
    try:
        await asyncio.wait([commit], timeout=connections.COMMAND_TIMEOUT)
    finally:
        if not commit.done():
            connection.terminate()
            await asyncio.wait([commit])
    try:
        status = commit.result()
        connection.remove_log_listener(collect_warning)
    except Exception as error:
        raise LogUnavailable(f"the commit was not confirmed: {str(error) or type(error).__name__}") from error
    if warnings:
        raise LogUnavailable(f"the commit was confirmed with a warning: {'; '.join(warnings)}")
    if status != "COMMIT":
        raise LogUnavailable("the server rolled back the transaction instead of committing it")


async def was_recorded(connection: Connection, log: int, head: int, rows: Sequence[Row]) -> bool:
    """Return whether the events of `rows` are recorded directly after `head`.

    Their ids alone do not prove it: another node may have recorded the same command with other salts.
    """
    records = await connection.fetch(_SELECT_RECORDED, log, head, len(rows))
    return [tuple(record) for record in records] == [
        (row[event_rows.EVENT_ID], row[event_rows.COMMITMENT]) for row in rows
    ]
