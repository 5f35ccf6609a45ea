"""Sends the events of a command to the log and returns the result.

One event is sent as a plain message, several events as an atomic batch. The headers are specified in
https://docs.nats.io/nats-concepts/jetstream/headers and in ADR-50 of NATS (atomic batch publishing).
"""

import asyncio
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from typing import Final, NamedTuple, TypeAlias

import msgspec

from ledgerpress.adapters.jetstream.connection_and_request_reply import Connection, NotSent, Unanswered
from ledgerpress.adapters.jetstream.stream_leader_api import ApiError

REQUEST_TIMEOUT: Final = 2.0
"""Seconds to wait for the server's answer."""
MAX_BATCH: Final = 1_000
"""Messages per batch. This is the server's limit."""
MAX_OPEN_BATCHES: Final = 12
"""Batches that a node sends at the same time. The server allows 50 per stream, for all nodes together."""
_FLUSH_BYTES: Final = 4 * 1024 * 1024

MESSAGE_ID: Final = "Nats-Msg-Id"
EXPECTED: Final = "Nats-Expected-Last-Subject-Sequence"
EXPECTED_ON: Final = "Nats-Expected-Last-Subject-Sequence-Subject"
EXPECTED_HEAD: Final = "Nats-Expected-Last-Sequence"
_ROLLUP: Final = "Nats-Rollup"
_BATCH_ID: Final = "Nats-Batch-Id"
_BATCH_SEQUENCE: Final = "Nats-Batch-Sequence"
_BATCH_COMMIT: Final = "Nats-Batch-Commit"

_WRONG_SEQUENCE: Final = frozenset({10071, 10164})
_DUPLICATE: Final = 10201
_REFUSED: Final = frozenset({10054, 10097, 10109, 10174, 10199})
"""A message, header or batch is too large, the stream is sealed, or it accepts no batches. Nothing was stored."""
_NO_SPACE: Final = frozenset({10002, 10023, 10028, 10047})
"""The account or the server has no storage left. It checks this before it stores a message."""
_STORE_FAILED: Final = 10077
_LIMIT: Final = "maximum "
"""The prefix of errors about limits of the stream, which the server checks before it stores a message."""
_BUSY: Final = frozenset({10158, 10210})
"""A message with the same id is pending, or too many batches are open."""

_IMPOSSIBLE: Final = str(2**63)
"""A sequence that no stream reaches."""
_NO_WAIT: Final = nullcontext()


class Message(NamedTuple):
    subject: str
    headers: dict[str, str]
    body: bytes


class Acknowledgement(NamedTuple):
    """All messages are durable. `position` is the position of the last message."""

    position: int


class Conflict(NamedTuple):
    """Another message was recorded first, or is pending. This attempt recorded nothing."""


class Duplicate(NamedTuple):
    """The log already contains a message with one of the ids. This attempt recorded nothing."""


class Busy(NamedTuple):
    """The servers did not accept the messages. This attempt recorded nothing."""

    reason: str


class Unclear(NamedTuple):
    """The messages may have been recorded, or may still be recorded."""

    reason: str


Answer: TypeAlias = Acknowledgement | Conflict | Duplicate | Busy | Unclear


class _PublishAnswer(msgspec.Struct, frozen=True):
    seq: int = 0
    duplicate: bool = False
    error: ApiError | None = None


_decode: Final = msgspec.json.Decoder(_PublishAnswer).decode


class Publisher:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._batches = asyncio.Semaphore(MAX_OPEN_BATCHES)
        self._prefix = connection.client.new_inbox().rpartition(".")[2]
        self._count = 0

    def slot_for(self, count: int) -> AbstractAsyncContextManager[None]:
        """Return a context that waits until `count` messages may be sent.

        Load the guards inside the context, so that they are not outdated.
        """
        return self._batches if count > 1 else _NO_WAIT

    async def publish(self, messages: Sequence[Message]) -> Answer:
        """Send `messages`. Either all or none of them are recorded."""
        return await (self._send_last(messages[0]) if len(messages) == 1 else self._batch(messages))

    async def is_known(self, subject: str, message_id: str) -> bool:
        """Return whether a message with this id was recorded within the server's duplicate window.

        Sends a message that no log accepts (a rollup). The server compares the id before it rejects the message.
        """
        answer = await self._send_last(Message(subject, {MESSAGE_ID: message_id, _ROLLUP: "never"}, b""))
        return isinstance(answer, Duplicate)

    async def fence(self, subject: str) -> Answer:
        """Send a message that no log accepts, because of its guard: the answer is `Conflict`.

        A server processes the messages of a connection to one stream in order, so it has then processed all earlier
        ones.
        """
        return await self._send_last(Message(subject, {EXPECTED: _IMPOSSIBLE}, b""))

    async def _batch(self, messages: Sequence[Message]) -> Answer:
        # The id must be unique among all attempts and nodes; otherwise the messages of two batches would mix.
        self._count += 1
        batch = f"{self._prefix}.{self._count}"
        unflushed = 0
        try:
            for number, (subject, headers, body) in enumerate(messages[:-1], 1):
                await self._connection.send(
                    subject, body, {**headers, _BATCH_ID: batch, _BATCH_SEQUENCE: str(number)}
                )
                unflushed += len(body)
                if unflushed > _FLUSH_BYTES:
                    unflushed = 0
                    await self._connection.flush()
        except (NotSent, Unanswered) as error:
            # A batch without its last message is never recorded.
            return Busy(str(error))
        subject, headers, body = messages[-1]
        commit = {_BATCH_ID: batch, _BATCH_SEQUENCE: str(len(messages)), _BATCH_COMMIT: "1"}
        return await self._send_last(Message(subject, {**headers, **commit}, body))

    async def _send_last(self, message: Message) -> Answer:
        subject, headers, body = message
        try:
            answer = _decode(
                (await self._connection.request(subject, body, headers, timeout=REQUEST_TIMEOUT)).data
            )
        except NotSent as error:
            return Busy(str(error))
        except (Unanswered, msgspec.MsgspecError) as error:
            return Unclear(str(error))
        if answer.error is None:
            return Duplicate() if answer.duplicate else Acknowledgement(answer.seq)
        code = answer.error.err_code
        if code in _WRONG_SEQUENCE:
            return Conflict()
        if code == _DUPLICATE:
            return Duplicate()
        limit = code == _STORE_FAILED and answer.error.description.startswith(_LIMIT)
        if code in _BUSY or code in _REFUSED or code in _NO_SPACE or limit:
            return Busy(f"{answer.error.description} ({code})")
        return Unclear(f"{answer.error.description} ({code})")
