"""Who holds which lease: a stream beside the log, with one subject a lease, whose last message is what it holds."""

import asyncio
from time import monotonic
from typing import Final

import msgspec

from ledgerpress.adapters.jetstream.connection import Connection
from ledgerpress.adapters.jetstream.leader_requests import (
    NO_STREAM,
    LeaderRequests,
    RequestRefused,
    StoredMessage,
)
from ledgerpress.adapters.jetstream.publisher import EXPECTED, Message, Publisher, Recorded, Unclear
from ledgerpress.adapters.jetstream.url import SubjectNames
from ledgerpress.eventlog.errors import EventLogError, LogUnavailable
from ledgerpress.eventlog.leases.lease_register import Held

PATIENCE: Final = 8.0
_PAUSE: Final = 0.1
_IN_USE: Final = 10058


class _Value(msgspec.Struct, frozen=True):
    """What a message holds. `mark` is of one attempt to write alone, so that a writer knows his own again."""

    revision: int
    holder: str
    mark: str


_decode: Final = msgspec.json.Decoder(_Value).decode


class JetStreamLeaseRegister:
    """A `LeaseRegister` whose comparing and setting is the server's: the last sequence of the subject is expected."""

    def __init__(self, connection: Connection, names: SubjectNames, replicas: int) -> None:
        self._leader = LeaderRequests(connection, names.leases_stream)
        self._publisher = Publisher(connection)
        self._names = names
        self._replicas = replicas
        self._client = connection.client

    async def read(self, name: str) -> Held | None:
        """Return what the register holds, as the leader has it; `None` where it was never written."""
        last = await self._last(name)
        return None if last is None else Held(*_value(last)[:2])

    async def write(self, name: str, holder: str, *, previous: int) -> Held | None:
        """Set the register where its revision is `previous`, and return what it holds now; else `None`."""
        mark = self._client.new_inbox().rpartition(".")[2]
        body = msgspec.json.encode(_Value(previous + 1, holder, mark))
        give_up = monotonic() + PATIENCE
        unclear = False
        while True:
            last = await self._last(name)
            revision, _, found = _value(last) if last is not None else (0, "", "")
            if found == mark:
                return Held(previous + 1, holder)
            if revision != previous:
                return None
            guard = last.sequence if last is not None else 0
            answer = await self._publisher.publish(
                [Message(self._names.lease(name), {EXPECTED: str(guard)}, body)]
            )
            if isinstance(answer, Recorded):
                return Held(previous + 1, holder)
            unclear = unclear or isinstance(answer, Unclear)
            if monotonic() > give_up:
                raise LogUnavailable(f"NATS did not say whether the lease {name} was written")
            await asyncio.sleep(_PAUSE if unclear else 0)

    async def make(self) -> None:
        """Make the stream, unless it is there."""
        try:
            await self._leader.ask(
                "STREAM.CREATE",
                {
                    "name": self._names.leases_stream,
                    "subjects": [self._names.leases_subjects],
                    "retention": "limits",
                    "storage": "file",
                    "discard": "old",
                    "max_msgs_per_subject": 1,
                    "num_replicas": self._replicas,
                    "deny_purge": True,
                    "allow_direct": False,
                },
                lambda answer: answer,
            )
        except RequestRefused as refused:
            if refused.code != _IN_USE:
                raise EventLogError(
                    f"the stream {self._names.leases_stream} cannot be made: {refused}"
                ) from refused

    async def _last(self, name: str) -> StoredMessage | None:
        try:
            return await self._leader.last_of(self._names.lease(name))
        except RequestRefused as refused:
            if refused.code != NO_STREAM:
                raise
        await self.make()
        return await self._leader.last_of(self._names.lease(name))


def _value(message: StoredMessage) -> tuple[int, str, str]:
    value = _decode(message.data)
    return value.revision, value.holder, value.mark
