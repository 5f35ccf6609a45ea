"""What became of an attempt that got no clear answer: its events are in the log, or others are in their places."""

from typing import NamedTuple

from ledgerpress.adapters.jetstream.append_messages import AppendAttempt
from ledgerpress.adapters.jetstream.leader_requests import LeaderRequests, StoredMessage
from ledgerpress.adapters.jetstream.message_codec import read_body
from ledgerpress.adapters.jetstream.publisher import EXPECTED, EXPECTED_HEAD, Message
from ledgerpress.adapters.jetstream.url import SubjectNames
from ledgerpress.adapters.jetstream.withdrawal_index import WithdrawalIndex
from ledgerpress.eventlog.envelope import Header


class _Taken(NamedTuple):
    """What is recorded in a place. The commitment tells whose it is: two nodes give one command the same event ids."""

    position: int
    commitment: str

    @classmethod
    def by(cls, message: StoredMessage) -> "_Taken":
        return cls(message.sequence, read_body(message.sequence, message.data).payload_commitment)

    @classmethod
    def by_withdrawn(cls, header: Header) -> "_Taken":
        return cls(header.position, header.payload_commitment)


class AppendResolution:
    """Finds out what became of attempts to append to one publication's log.

    Only what is there proves anything, since whoever answers may lead no more. An attempt is recorded as a whole, and
    each of its events has a place that no other can have: a version of its stream, or a position where it is bound to one.
    """

    def __init__(self, leader: LeaderRequests, names: SubjectNames, withdrawals: WithdrawalIndex) -> None:
        self._leader = leader
        self._names = names
        self._withdrawals = withdrawals

    async def of(self, attempt: AppendAttempt) -> int | None:
        """Return the position of the attempt's last event, 0 where it can never be recorded; `None`: not known yet."""
        streams = set[str]()
        for index, message in enumerate(attempt.messages):
            stream = self._names.stream_of(message.subject)
            if stream in streams:
                continue
            streams.add(stream)
            bound_to = message.headers.get(EXPECTED_HEAD)
            taken = await (
                self._at_version(stream, message) if bound_to is None else self._at(int(bound_to) + 1)
            )
            if taken is not None:
                is_ours = taken.commitment == read_body(0, message.body).payload_commitment
                return taken.position + len(attempt.messages) - 1 - index if is_ours else 0
        return None

    async def _at(self, position: int) -> _Taken | None:
        if (found := await self._leader.at(position)) is not None:
            return _Taken.by(found)
        await self._withdrawals.refresh()
        header = self._withdrawals.get(position)
        return None if header is None else _Taken.by_withdrawn(header)

    async def _at_version(self, stream: str, message: Message) -> _Taken | None:
        version = read_body(0, message.body).stream_version
        found = await self._leader.next_of(message.subject, int(message.headers[EXPECTED]))
        if found is not None and read_body(found.sequence, found.data).stream_version == version:
            return _Taken.by(found)
        # It may have been withdrawn since.
        await self._withdrawals.refresh()
        for header in self._withdrawals.of_stream(stream):
            if header.stream_version == version:
                return _Taken.by_withdrawn(header)
        return None
