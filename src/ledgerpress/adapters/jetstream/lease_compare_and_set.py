"""The registers of the leases, in a stream next to the log. The last message on a lease's subject is its content."""

import asyncio
from time import monotonic
from typing import Final

import msgspec

from ledgerpress.adapters.jetstream.connection_and_request_reply import Connection
from ledgerpress.adapters.jetstream.publisher import EXPECTED, Acknowledgement, Message, Publisher, Unclear
from ledgerpress.adapters.jetstream.stream_leader_api import (
    NAME_IN_USE,
    NO_STREAM,
    LeaderRequests,
    RequestRefused,
    StoredMessage,
)
from ledgerpress.adapters.jetstream.subject_names import SubjectNames
from ledgerpress.eventlog.envelope import MAX_PAYLOAD_BYTES
from ledgerpress.eventlog.errors import EventLogError, LogUnavailable
from ledgerpress.eventlog.lease_compare_and_set import LeaseRecord

RETRY_TIMEOUT: Final = 8.0
"""Seconds for which a write is retried."""
_RETRY_DELAY: Final = 0.1
_PROBE: Final = "write-probe"
"""The name of the register of `probe`."""


class _Value(msgspec.Struct, frozen=True):
    """The content of a message. `mark` is unique to a call of `write`, which recognizes its own message by it."""

    revision: int
    holder: str
    mark: str


_decode: Final = msgspec.json.Decoder(_Value).decode


class JetStreamLeaseRegister:
    """A `LeaseRegister` whose compare-and-set the server does: each write carries the expected last sequence."""

    def __init__(self, connection: Connection, names: SubjectNames, replicas: int) -> None:
        self._leader = LeaderRequests(connection, names.leases_stream)
        self._publisher = Publisher(connection)
        self._names = names
        self._replicas = replicas
        self._client = connection.client

    async def read(self, name: str) -> LeaseRecord | None:
        last = await self._last_message(name)
        if last is None:
            return None
        value = _decode(last.data)
        return LeaseRecord(value.revision, value.holder)

    async def write(self, name: str, holder: str, *, previous: int) -> LeaseRecord | None:
        new = _Value(previous + 1, holder, self._client.new_inbox().rpartition(".")[2])
        body = msgspec.json.encode(new)
        deadline = monotonic() + RETRY_TIMEOUT
        unclear = False
        while True:
            last = await self._last_message(name)
            current = _decode(last.data) if last is not None else _Value(0, "", "")
            if current.mark == new.mark:
                return LeaseRecord(new.revision, holder)
            if current.revision != previous:
                return None
            guard = last.sequence if last is not None else 0
            answer = await self._publisher.publish(
                [Message(self._names.lease(name), {EXPECTED: str(guard)}, body)]
            )
            if isinstance(answer, Acknowledgement):
                return LeaseRecord(new.revision, holder)
            unclear = unclear or isinstance(answer, Unclear)
            if monotonic() > deadline:
                raise LogUnavailable(f"NATS did not confirm whether the lease {name} was written")
            await asyncio.sleep(_RETRY_DELAY if unclear else 0)

    async def probe(self) -> None:
        """Store a message of the size of the largest event in a register of its own, and replace it by a small one.

        Raises `LogUnavailable` if the servers do not store it, for example because their disk is full.
        """
        for holder in ("0" * MAX_PAYLOAD_BYTES, ""):
            record = await self.read(_PROBE)
            # `None` means that another node has just written to the register.
            await self.write(_PROBE, holder, previous=record.revision if record else 0)

    async def create(self) -> None:
        """Create the stream, unless it exists."""
        try:
            await self._leader.send_request(
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
            )
        except RequestRefused as error:
            if error.code != NAME_IN_USE:
                raise EventLogError(
                    f"the stream {self._names.leases_stream} cannot be created: {error}"
                ) from error

    async def _last_message(self, name: str) -> StoredMessage | None:
        try:
            return await self._leader.last_of(self._names.lease(name))
        except RequestRefused as error:
            if error.code != NO_STREAM:
                raise
        await self.create()
        return await self._leader.last_of(self._names.lease(name))
