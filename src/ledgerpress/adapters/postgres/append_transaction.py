"""The transaction that records a group of commands."""

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

import asyncpg

from ledgerpress.adapters.postgres import connection as server
from ledgerpress.adapters.postgres import event_rows as log_rows
from ledgerpress.adapters.postgres.connection import Connection
from ledgerpress.adapters.postgres.event_rows import Row
from ledgerpress.eventlog.append_request import AppendRequest, AppendResult
from ledgerpress.eventlog.envelope import NewEvent
from ledgerpress.eventlog.errors import DuplicateEvent, LogUnavailable, WrongExpectedVersion
from ledgerpress.eventlog.log import ANY_VERSION

MAX_CLOCK_DIFFERENCE: Final = 5.0
"""Seconds between the clock of a machine that writes and the server's; beyond them it does not write."""

# What is read afterwards is as of after the lock. Without a parameter it can be sent with BEGIN, in one round trip.
_LOCK: Final = "SELECT FROM ledgerpress.log_head WHERE log = {log} FOR UPDATE"
_LOOK: Final = f"""
SELECT ({log_rows.SELECT_HEAD}),
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


class ClocksDiffer(LogUnavailable):
    """The clock of this machine is too far from the server's."""


async def begin(connection: Connection, log: int) -> None:
    """Begin the transaction, and wait for whoever is recording in this log."""
    await connection.execute(f"BEGIN; {_LOCK.format(log=int(log))}")


async def lock(connection: Connection, log: int) -> None:
    """Wait for whoever is recording in this log, in the transaction under way."""
    await connection.execute(_LOCK.format(log=int(log)))


async def look(
    connection: Connection, log: int, commands: Sequence[AppendRequest], clock: Callable[[], float]
) -> "Group":
    """Return the group to admit `commands` to. Raises `ClocksDiffer`."""
    streams = list({write.stream for command in commands for write in command.writes})
    ids = [event.event_id for command in commands for event in events_of(command)]
    before = clock()
    found = await connection.fetchrow(_LOOK, log, streams, ids)
    after = clock()
    if found is None:
        raise LogUnavailable("the server found nothing, and not even its own time")
    head, theirs, versions, recorded = found
    difference = before - theirs if before > theirs else min(0.0, after - theirs)
    if abs(difference) > MAX_CLOCK_DIFFERENCE:
        raise ClocksDiffer(
            f"this machine's clock is {abs(difference):.1f} seconds {'ahead of' if difference > 0 else 'behind'} the "
            "database server's: nothing is written until they agree; have both set by NTP"
        )
    return Group(head, dict(zip(streams, versions, strict=True)), set(recorded))


async def write(connection: Connection, log: int, head: int, rows: Sequence[Row]) -> None:
    """Record `rows` after `head`, which the transaction has locked."""
    done = await connection.execute(log_rows.INSERT, log, head, *log_rows.columns(rows))
    if done != f"INSERT 0 {len(rows)}":
        raise LogUnavailable(f"the server recorded something else than it was asked to: {done}")


async def commit(connection: Connection) -> None:
    """Commit, and return when that is durable. Raises `LogUnavailable` where the server does not say so in time.

    It is never cancelled on the server: that would end its wait for synchronous replicas, and not the commit. Where
    somebody else has done so, the server warns, and confirms what may be on no replica.
    """
    warnings: list[str] = []

    def hear(_: object, message: asyncpg.PostgresLogMessage) -> None:
        if message.severity_en == "WARNING":
            warnings.append(str(message))

    connection.add_log_listener(hear)
    committing = asyncio.ensure_future(connection.execute("COMMIT", timeout=10 * server.ANSWER_SECONDS))
    try:
        await asyncio.wait([committing], timeout=server.ANSWER_SECONDS)
    finally:
        if not committing.done():
            connection.terminate()
            await asyncio.wait([committing])
    try:
        answer = committing.result()
        connection.remove_log_listener(hear)
    except Exception as error:
        raise LogUnavailable(f"the commit was not confirmed: {str(error) or type(error).__name__}") from error
    if warnings:
        raise LogUnavailable(f"the commit was confirmed with a warning: {'; '.join(warnings)}")
    if answer != "COMMIT":
        raise LogUnavailable("the server has rolled back what it was to commit")


async def was_recorded(connection: Connection, log: int, head: int, rows: Sequence[Row]) -> bool:
    """Return whether the very events of `rows` are recorded after `head`.

    Their ids alone do not say so: another node may have recorded the same command, with other salts.
    """
    found = await connection.fetch(_SELECT_RECORDED, log, head, len(rows))
    return [tuple(row) for row in found] == [
        (row[log_rows.EVENT_ID], row[log_rows.COMMITMENT]) for row in rows
    ]


class Group:
    """The rows of the commands admitted so far, on top of what the log holds."""

    def __init__(self, head: int, versions: Mapping[str, int], recorded: set[str]) -> None:
        """Begin after `head`, with the version of every stream named, and those of the event ids that are taken."""
        self.before = head
        self.rows: list[Row] = []
        self._versions = dict(versions)
        self._recorded = recorded

    def admit(self, command: AppendRequest) -> AppendResult:
        """Add the rows of `command`, all or none; return its last position, or why it is refused."""
        for each in command.writes:
            actual = self._versions[each.stream]
            if each.expected not in (ANY_VERSION, actual):
                return WrongExpectedVersion(stream=each.stream, expected=each.expected, actual=actual)
        if (known := self._known(command)) is not None:
            return DuplicateEvent(event_id=known)
        commitments = iter(command.commitments)
        for each in command.writes:
            version = self._versions[each.stream]
            for event in each.events:
                version += 1
                self.rows.append(log_rows.new_row(event, next(commitments), each.stream, version))
            self._versions[each.stream] = version
        return self.before + len(self.rows)

    def _known(self, command: AppendRequest) -> str | None:
        own: set[str] = set()
        for event in events_of(command):
            if event.event_id in self._recorded or event.event_id in own:
                return event.event_id
            own.add(event.event_id)
        self._recorded |= own
        return None


def events_of(command: AppendRequest) -> Iterator[NewEvent]:
    """Yield the events of a command, in their order."""
    for each in command.writes:
        yield from each.events
