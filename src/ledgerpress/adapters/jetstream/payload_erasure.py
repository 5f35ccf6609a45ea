"""Withdraws payloads: records the withdrawal first, then overwrites the message and deletes it from the stream.

Erasure needs the permission to delete messages. Give it to the operator's NATS user, not to the user of the servers
that serve the publication.
"""

from collections.abc import Callable, Sequence
from typing import Final

from ledgerpress.adapters.jetstream.appender import Appender
from ledgerpress.adapters.jetstream.connection_and_request_reply import Denied
from ledgerpress.adapters.jetstream.log_stream_shared_objects import LogStream
from ledgerpress.adapters.jetstream.message_codec import WITHDRAWAL, header_of, payload_of, read_body
from ledgerpress.adapters.jetstream.stream_leader_api import (
    NO_MESSAGE,
    LeaderRequests,
    RequestRefused,
    StoredMessage,
)
from ledgerpress.eventlog.envelope import Header
from ledgerpress.eventlog.errors import EventLogError, InvalidEnvelope, LogUnavailable, WithdrawalUnfinished
from ledgerpress.eventlog.log import StreamWrite

_IMPOSSIBLE_SEQUENCE: Final = 2**60
"""A sequence that no stream reaches; deleting it tests whether this user may erase."""
_NOT_FOUND: Final = frozenset({10043, NO_MESSAGE, 10057})


class PayloadEraser:
    def __init__(self, stream: LogStream, appender: Appender, recorded: Callable[[int], None]) -> None:
        """Call `recorded` with the position of a withdrawal before the message is erased."""
        self._stream = stream
        self._appender = appender
        self._recorded = recorded

    async def withdraw(self, position: int, writes: Sequence[StreamWrite]) -> int | None:
        """Record `writes`, which the caller has checked, and erase the payload at `position`.

        Returns the position of the last recorded event; `None` if `writes` is empty.
        """
        message = await self._stream.leader.at(position)
        last_position = None
        if writes:
            header = await self._header(position, message)
            if not any(_records_withdrawal(write, header) for write in writes):
                raise InvalidEnvelope(f"no withdrawal of the event at position {position} is recorded")
            await self._check_permitted()
            last_position = await self._appender.append(writes, header)
            self._stream.withdrawals.add(header)
            self._recorded(last_position)
        elif await self._stream.withdrawals.find(position) is None:
            if message is None or payload_of(read_body(position, message.data)) is not None:
                raise InvalidEnvelope(f"no withdrawal of the event at position {position} is recorded")
            return None
        await self._erase(position)
        return last_position

    async def _header(self, position: int, message: StoredMessage | None) -> Header:
        if message is not None:
            stream = self._stream.names.stream_of(message.subject)
            return header_of(read_body(position, message.data), self._stream.publication, position, stream)
        header = await self._stream.withdrawals.find(position)
        if header is None:
            raise InvalidEnvelope(f"there is no event at position {position}")
        return header

    async def _check_permitted(self) -> None:
        """Raise `EventLogError`, before anything is recorded, if this user is not permitted to erase."""
        try:
            await erase(self._stream.leader, _IMPOSSIBLE_SEQUENCE)
        except Denied as error:
            raise EventLogError(
                "this NATS user is not permitted to erase messages, and nothing was recorded: withdraw with the "
                "operator's user in the URL of the log (docs/how-to/jetstream.md)"
            ) from error

    async def _erase(self, position: int) -> None:
        # Erase even if the message was not found: the server that answered may lack it.
        try:
            await erase(self._stream.leader, position)
        except (Denied, RequestRefused, LogUnavailable) as error:
            raise WithdrawalUnfinished(
                f"the payload at position {position} is withdrawn, but its bytes are not erased yet ({error}): "
                "withdraw it again"
            ) from error


async def erase(leader: LeaderRequests, sequence: int) -> None:
    """Overwrite a message on all servers and delete it from the stream, if it exists.

    Raises `Denied`, `RequestRefused` and `LogUnavailable`.
    """
    try:
        await leader.send_request("STREAM.MSG.DELETE", {"seq": sequence, "no_erase": False})
    except RequestRefused as error:
        if error.code not in _NOT_FOUND:
            raise


def _records_withdrawal(write: StreamWrite, header: Header) -> bool:
    return write.stream == f"withdrawal.{header.event_id}" and any(
        event.type == WITHDRAWAL for event in write.events
    )
