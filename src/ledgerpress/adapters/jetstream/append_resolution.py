"""Determines the result of an append attempt without a clear answer.

Either the events of the attempt are in the log, or other events are in their places.
"""

from typing import NamedTuple

from ledgerpress.adapters.jetstream.append_preparation import AppendAttempt
from ledgerpress.adapters.jetstream.log_stream_shared_objects import LogStream
from ledgerpress.adapters.jetstream.message_codec import read_body
from ledgerpress.adapters.jetstream.publisher import EXPECTED, EXPECTED_HEAD, Message
from ledgerpress.adapters.jetstream.stream_leader_api import StoredMessage
from ledgerpress.eventlog.envelope import Header


class _RecordedEvent(NamedTuple):
    """The event that is recorded in the place of an attempt's event.

    The payload commitment identifies the attempt. Event ids do not: two nodes give one command the same event ids.
    """

    position: int
    commitment: str

    @classmethod
    def of_message(cls, message: StoredMessage) -> "_RecordedEvent":
        return cls(message.sequence, read_body(message.sequence, message.data).payload_commitment)

    @classmethod
    def of_withdrawn(cls, header: Header) -> "_RecordedEvent":
        return cls(header.position, header.payload_commitment)


class AppendResolution:
    """Determines the results of attempts to append to one publication's log.

    Only recorded events are proof, since the server that answers may no longer be the leader. An attempt is recorded as
    a whole. Each of its events has a place that no other event can have: a version of its stream or, if the message
    requires a certain head of the log, a position.
    """

    def __init__(self, stream: LogStream) -> None:
        self._leader = stream.leader
        self._names = stream.names
        self._withdrawals = stream.withdrawals

    async def of(self, attempt: AppendAttempt) -> int | None:
        """Return the position of the attempt's last event.

        Returns 0 if the attempt can never be recorded, and `None` if the result is not known yet.
        """
        streams = set[str]()
        for index, message in enumerate(attempt.messages):
            stream = self._names.stream_of(message.subject)
            if stream in streams:
                continue
            streams.add(stream)
            expected_head = message.headers.get(EXPECTED_HEAD)
            recorded = await (
                self._at_version(stream, message)
                if expected_head is None
                else self._at_position(int(expected_head) + 1)
            )
            if recorded is not None:
                is_ours = recorded.commitment == read_body(0, message.body).payload_commitment
                return recorded.position + len(attempt.messages) - 1 - index if is_ours else 0
        return None

    async def _at_position(self, position: int) -> _RecordedEvent | None:
        if (message := await self._leader.at(position)) is not None:
            return _RecordedEvent.of_message(message)
        await self._withdrawals.refresh()
        header = self._withdrawals.get(position)
        return None if header is None else _RecordedEvent.of_withdrawn(header)

    async def _at_version(self, stream: str, message: Message) -> _RecordedEvent | None:
        version = read_body(0, message.body).stream_version
        next_message = await self._leader.next_of(message.subject, int(message.headers[EXPECTED]))
        if (
            next_message is not None
            and read_body(next_message.sequence, next_message.data).stream_version == version
        ):
            return _RecordedEvent.of_message(next_message)
        # The event may have been withdrawn since.
        await self._withdrawals.refresh()
        for header in self._withdrawals.of_stream(stream):
            if header.stream_version == version:
                return _RecordedEvent.of_withdrawn(header)
        return None
