"""The event log in a NATS JetStream stream, which any number of nodes can share."""

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Final

from nats.aio.msg import Msg

from ledgerpress.adapters.jetstream.appender import Appender
from ledgerpress.adapters.jetstream.clock_check import ClockCheck
from ledgerpress.adapters.jetstream.connection_and_request_reply import Connection, Denied
from ledgerpress.adapters.jetstream.head_and_pause_broadcast import HeadBroadcast
from ledgerpress.adapters.jetstream.lease_compare_and_set import JetStreamLeaseRegister
from ledgerpress.adapters.jetstream.log_stream_shared_objects import LogStream
from ledgerpress.adapters.jetstream.payload_erasure import PayloadEraser
from ledgerpress.adapters.jetstream.publisher import MAX_BATCH
from ledgerpress.adapters.jetstream.reader import Reader
from ledgerpress.adapters.jetstream.stream_config import damage_of, open_stream, publication_of
from ledgerpress.adapters.jetstream.stream_leader_api import LeaderRequests, StreamInfo
from ledgerpress.adapters.jetstream.subject_names import SubjectNames
from ledgerpress.adapters.jetstream.sync_check import check_servers
from ledgerpress.adapters.jetstream.url import NatsUrl
from ledgerpress.eventlog.envelope import StoredEvent
from ledgerpress.eventlog.errors import LogClosed, LogDamaged, LogUnusable
from ledgerpress.eventlog.head_notifier import HeadNotifier
from ledgerpress.eventlog.log import StreamWrite, check_writes

DEPOSED_LEADER_TIMEOUT: Final = 30.0
"""Seconds after which a leader that lost its cluster no longer answers; it checks every ten seconds."""
POLL_INTERVAL: Final = 0.25
"""Seconds between two polls of the head while a caller waits. The broadcast is usually faster."""

_UNSYNCED: Final = (
    "unsynced: the NATS servers acknowledge events before they are on disk, as allow_unsynced=true permits; "
    "set sync_interval: always in the jetstream section of each server's configuration"
)
_TOO_FEW_REPLICAS: Final = (
    "replicas: the log has {has} of {wanted} replicas; change this with "
    "`nats stream update {stream} --replicas {wanted}`, or set replicas={has} in the URL"
)


class JetStreamEventLog:
    """An `EventLog` in the order of one stream's sequence. It belongs to the event loop in which it was opened."""

    detects_replacement = False
    max_events = MAX_BATCH

    def __init__(self, stream: LogStream, info: StreamInfo, *, unsynced: bool, replicas: int) -> None:
        """Open the log in a stream that should have `replicas` replicas.

        `unsynced` means that the servers may acknowledge events before they are on disk.
        """
        self._stream = stream
        self.publication = stream.publication
        self._head_notifier = HeadNotifier(self.head, POLL_INTERVAL)
        self._broadcast = HeadBroadcast(
            stream.connection, stream.names.head_broadcast, self._head_notifier.announce
        )
        self._appender = Appender(stream, self._broadcast, may_be_deposed=info.replicas > 1)
        self._eraser = PayloadEraser(stream, self._appender, self._committed)
        self._reader = Reader(stream)
        # A deposed leader continues to answer until it knows that it is no longer the leader.
        self.staleness = DEPOSED_LEADER_TIMEOUT if info.replicas > 1 else 0.0
        self.leases = JetStreamLeaseRegister(stream.connection, stream.names, info.replicas)
        self._clock = ClockCheck(stream.leader)
        self._clock.compare(info)
        self._withdrawn = 0
        """The number of missing messages when all of them were known to be withdrawn."""
        self._pending_appends = 0
        self._appends_finished = asyncio.Event()
        self._closed = False
        self.notices = [_UNSYNCED] if unsynced else []
        if info.replicas < replicas:
            self.notices.append(
                _TOO_FEW_REPLICAS.format(has=info.replicas, wanted=replicas, stream=stream.names.stream)
            )

    @classmethod
    async def open(cls, url: NatsUrl, *, create_as: Callable[[], str] | None) -> "JetStreamEventLog":
        """Open the log; if there is none, create one for the publication that `create_as` returns.

        Raises `LogUnusable` if there is neither a log nor `create_as`, if the stream is not a log or lacks messages,
        or if the servers are too old or acknowledge events before they are on disk. Raises `LogUnavailable` if no
        server answers.
        """
        names = SubjectNames(url.publication)
        connection = await Connection.open(url, url.login, f"ledgerpress {url.publication}")
        try:
            replicas, unsynced = await check_servers(url, connection)
            info, publication, created = await open_stream(
                LeaderRequests(connection, names.stream), names, replicas, create_as
            )
            stream = LogStream(connection, names, publication)
            log = cls(stream, info, unsynced=unsynced, replicas=replicas)
            if (damage := await log._new_damage(info)) is not None:
                raise LogUnusable(damage)
            if created:
                await log.leases.create()
            await log._broadcast.listen()
            await connection.subscribe(names.leader_elected, log._on_new_leader)
        except BaseException:
            await connection.close()
            raise
        return log

    async def aclose(self) -> None:
        if self._closed:
            return
        self._closed = True
        try:
            await self._head_notifier.close()
            if self._pending_appends:
                await self._appends_finished.wait()
            await self._broadcast.close()
            await self._clock.close()
        finally:
            await self._stream.connection.close()

    @property
    def counts(self) -> Mapping[str, int]:
        return {"reconnects": self._stream.connection.reconnects, "resolved": self._appender.resolved}

    async def current_publication(self) -> str:
        """Do the same as `OpenedLog.current_publication`; also raise `LogDamaged` if the log lost an event."""
        self._check_open()
        info = await self._stream.leader.info()
        publication = publication_of(info, self._stream.names)
        if publication == self.publication and (damage := await self._new_damage(info)) is not None:
            raise LogDamaged(damage)
        return publication

    async def append(self, writes: Sequence[StreamWrite]) -> int:
        """Append as `EventLog.append` does; also raise `InvalidEnvelope` for more than 1,000 events."""
        self._check_open()
        check_writes(writes)
        with self._pending_append():
            await self._clock.check()
            position = await self._appender.append(writes)
        self._committed(position)
        return position

    async def withdraw(self, position: int, writes: Sequence[StreamWrite]) -> int:
        """Withdraw as `EventLog.withdraw` does; also raise `EventLogError` if this user is not permitted to erase."""
        self._check_open()
        if writes:
            check_writes(writes)
        with self._pending_append():
            if writes:
                await self._clock.check()
            recorded = await self._eraser.withdraw(position, writes)
        return await self.head() if recorded is None else recorded

    async def check_writable(self) -> None:
        """Do the same as `OpenedLog.check_writable`.

        No message can be stored in the log and removed again. So this sends a message that the log must reject, and
        stores a message of the largest size in the stream of the lease registers, on the same servers.
        """
        self._check_open()
        await self._appender.check_writable()
        with suppress(Denied):
            await self.leases.probe()

    async def head(self) -> int:
        self._check_open()
        return await self._stream.leader.head()

    async def read(self, after: int, limit: int) -> list[StoredEvent]:
        self._check_open()
        return await self._reader.read(after, limit)

    async def read_stream(self, stream: str, after: int = 0) -> list[StoredEvent]:
        self._check_open()
        return await self._reader.read_stream(stream, after)

    async def wait_beyond(self, position: int, timeout: float) -> bool:
        return await self._head_notifier.wait_beyond(position, timeout)

    async def _new_damage(self, info: StreamInfo) -> str | None:
        """Return how the log is damaged. Looks for lost events only if other messages are missing than the last time."""
        missing = info.state.last_seq - info.state.messages
        if missing == self._withdrawn:
            return None
        stream = self._stream
        damage = await damage_of(info, stream.leader, stream.names, stream.withdrawals)
        if damage is None:
            self._withdrawn = missing
        return damage

    def _check_open(self) -> None:
        if self._closed:
            raise LogClosed("the log was closed")

    async def _on_new_leader(self, _: Msg) -> None:
        # The former leader no longer answers pending requests.
        self._appender.note_new_leader()
        self._stream.connection.fail_pending("the stream has a new leader")

    def _committed(self, position: int) -> None:
        self._head_notifier.advance(position)
        self._broadcast.send(position)

    @contextmanager
    def _pending_append(self) -> Iterator[None]:
        """Make `aclose` wait for the append in this context."""
        self._pending_appends += 1
        try:
            yield
        finally:
            self._pending_appends -= 1
            if not self._pending_appends and self._closed:
                self._appends_finished.set()
