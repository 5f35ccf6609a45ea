"""The event log in a stream of NATS JetStream, shared by any number of nodes."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from nats.aio.msg import Msg

from ledgerpress.adapters.jetstream.appender import Appender
from ledgerpress.adapters.jetstream.batched_get import BatchedReads
from ledgerpress.adapters.jetstream.clock_check import ClockCheck
from ledgerpress.adapters.jetstream.connection import Connection
from ledgerpress.adapters.jetstream.head_broadcast import HeadBroadcast
from ledgerpress.adapters.jetstream.leader_requests import LeaderRequests, StreamInfo
from ledgerpress.adapters.jetstream.lease_register import JetStreamLeaseRegister
from ledgerpress.adapters.jetstream.payload_erasure import PayloadEraser
from ledgerpress.adapters.jetstream.reader import Reader
from ledgerpress.adapters.jetstream.stream_config import check_whole, open_stream, publication_of
from ledgerpress.adapters.jetstream.stream_heads import StreamHeads
from ledgerpress.adapters.jetstream.sync_check import look_at_servers
from ledgerpress.adapters.jetstream.url import NatsUrl, SubjectNames
from ledgerpress.adapters.jetstream.withdrawal_index import WithdrawalIndex
from ledgerpress.eventlog.envelope import StoredEvent
from ledgerpress.eventlog.errors import LogClosed
from ledgerpress.eventlog.head_notifier import HeadNotifier
from ledgerpress.eventlog.log import StreamWrite, check_writes

DEPOSED: Final = 30.0
"""Seconds after which a server that lost its fellows has noticed, and answers for the stream no more: it looks every ten."""
POLL: Final = 0.25
"""Seconds between two looks at the head while somebody waits: mostly the bell is faster."""

_UNSYNCED: Final = (
    "unsynced: the NATS servers acknowledge events that are not on their disks yet, and allow_unsynced=true allows it; "
    "set sync_interval: always in their jetstream section"
)


_TOO_FEW: Final = (
    "replicas: the log has {has} of the {wanted} replicas that it should have; set them with "
    "`nats stream update {stream} --replicas {wanted}`, or say replicas={has} in the URL"
)


class JetStreamEventLog:
    """An `EventLog` whose order is that of one stream's sequence. It belongs to the event loop in which it was opened."""

    def __init__(
        self,
        connection: Connection,
        names: SubjectNames,
        info: StreamInfo,
        publication: str,
        *,
        unsynced: bool,
        replicas: int,
    ) -> None:
        """`replicas`: how many the stream should have."""
        self._connection = connection
        self._names = names
        self._publication = publication
        self._leader = LeaderRequests(connection, names.stream)
        self._withdrawals = WithdrawalIndex(self._leader, names)
        self._watch = HeadNotifier(self.head, POLL)
        self._bell = HeadBroadcast(connection, names.bell, self._watch.hear)
        states = StreamHeads(self._leader, names, self._withdrawals)
        self._appender = Appender(
            connection,
            self._leader,
            names,
            self._withdrawals,
            states,
            self._bell,
            may_be_deposed=info.replicas > 1,
        )
        self._eraser = PayloadEraser(
            self._leader, names, self._withdrawals, self._appender, publication, self._grown
        )
        self._reader = Reader(
            BatchedReads(connection, names),
            self._leader,
            names,
            self._withdrawals,
            states,
            publication,
        )
        self._replicas = info.replicas
        self._leases = JetStreamLeaseRegister(connection, names, info.replicas)
        self._clock = ClockCheck(self._leader)
        self._clock.look(info)
        self._appending = 0
        self._finished = asyncio.Event()
        self._closed = False
        self.unsynced = unsynced
        """Whether the operator allowed servers that acknowledge what is not on their disks."""
        self._too_few = (
            [_TOO_FEW.format(has=info.replicas, wanted=replicas, stream=names.stream)]
            if info.replicas < replicas
            else []
        )

    @classmethod
    async def open(cls, address: NatsUrl, *, create_as: Callable[[], str] | None) -> "JetStreamEventLog":
        """Open the log; where there is none, make one for the publication that `create_as` names.

        Raises `LogUnusable` for a missing log that is not to be made, a stream that is something else or of which
        somebody has taken something out, and servers that are too old or acknowledge what is not on their disks; `LogUnavailable` where none answers.
        """
        names = SubjectNames(address.publication)
        connection = await Connection.open(address, address.login, f"ledgerpress {address.publication}")
        try:
            replicas, unsynced = await look_at_servers(address, connection)
            info, publication, made = await open_stream(
                LeaderRequests(connection, names.stream), names, replicas, create_as
            )
            log = cls(connection, names, info, publication, unsynced=unsynced, replicas=replicas)
            await check_whole(info, log._leader, names, log._withdrawals)
            if made:
                await log._leases.make()
            await log._bell.listen()
            await connection.subscribe(names.leader_elected, log._has_new_leader)
        except BaseException:
            await connection.close()
            raise
        return log

    async def aclose(self) -> None:
        """Finish what was accepted and let go of the log. Whatever is asked later raises `LogClosed`."""
        if self._closed:
            return
        self._closed = True
        try:
            await self._watch.close()
            if self._appending:
                await self._finished.wait()
            await self._bell.close()
            await self._clock.close()
        finally:
            await self._connection.close()

    @property
    def publication(self) -> str:
        """The UUID of the publication whose log this is."""
        return self._publication

    @property
    def staleness(self) -> float:
        """A server that led goes on answering until it knows that it leads no more."""
        return DEPOSED if self._replicas > 1 else 0.0

    @property
    def leases(self) -> JetStreamLeaseRegister:
        """Where it is kept who holds which lease."""
        return self._leases

    @property
    def notices(self) -> Sequence[str]:
        """That servers acknowledge what is not on their disks, where the operator allowed that; too few replicas."""
        return ([_UNSYNCED] if self.unsynced else []) + self._too_few

    @property
    def counts(self) -> Mapping[str, int]:
        """What has been counted since it was opened, as `OpenedLog` says."""
        return {"reconnects": self._connection.reconnects, "resolved": self._appender.resolved}

    async def whose(self) -> str:
        """Return the UUID of the publication whose log is in the stream now, as `OpenedLog` says."""
        self._check_open()
        return publication_of(await self._leader.info(), self._names)

    async def append(self, writes: Sequence[StreamWrite]) -> int:
        """Record all the events of `writes`, in their order, and return the position of the last.

        A cancelled caller does not learn whether they were recorded. Raises what `EventLog.append` raises, and
        `InvalidEnvelope` for more than 1,000 events.
        """
        self._check_open()
        check_writes(writes)
        self._appending += 1
        try:
            await self._clock.check()
            position = await self._appender.append(writes)
        finally:
            self._done()
        self._grown(position)
        return position

    async def withdraw(self, position: int, writes: Sequence[StreamWrite]) -> int:
        """Record `writes` and erase the payload and salt of the event at `position`.

        Returns the position of the last event recorded, or the head where `writes` is empty. Raises as
        `EventLog.withdraw` does, and `EventLogError` where this user may not erase.
        """
        self._check_open()
        if writes:
            check_writes(writes)
        self._appending += 1
        try:
            if writes:
                await self._clock.check()
            recorded = await self._eraser.withdraw(position, writes)
        finally:
            self._done()
        return await self.head() if recorded is None else recorded

    async def head(self) -> int:
        """Return the position of the last event recorded, 0 for an empty log."""
        self._check_open()
        return await self._leader.head()

    async def read(self, after: int, limit: int) -> list[StoredEvent]:
        """Return up to `limit` events, in order, with positions greater than `after`; fewer if they are large."""
        self._check_open()
        return await self._reader.read(after, limit)

    async def read_stream(self, stream: str, after: int = 0) -> list[StoredEvent]:
        """Return the events of a stream with versions greater than `after`, in order."""
        self._check_open()
        return await self._reader.read_stream(stream, after)

    async def wait_beyond(self, position: int, timeout: float) -> bool:
        """Wait until the head is beyond `position`; return whether it is. `timeout` is in seconds."""
        self._check_open()
        return await self._watch.beyond(position, timeout)

    def _check_open(self) -> None:
        if self._closed:
            raise LogClosed("the log was closed")

    async def _has_new_leader(self, _: Msg) -> None:
        # What the former leader had not answered, it never will.
        self._connection.give_up_waiting("the stream has a new leader")

    def _grown(self, position: int) -> None:
        self._watch.advance(position)
        self._bell.ring(position)

    def _done(self) -> None:
        """Closing waits for what was begun."""
        self._appending -= 1
        if not self._appending and self._closed:
            self._finished.set()
