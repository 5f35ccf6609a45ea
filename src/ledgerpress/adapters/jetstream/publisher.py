"""Sends a command to the log: one event as a plain message, several as an atomic batch, and says what came of it.

Headers by https://docs.nats.io/nats-concepts/jetstream/headers and ADR-50 of NATS (atomic batch publishing).
"""

import asyncio
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from typing import Final, NamedTuple, TypeAlias

import msgspec

from ledgerpress.adapters.jetstream.connection import Connection, NotSent, Unanswered
from ledgerpress.adapters.jetstream.leader_requests import ApiError

ANSWER_SECONDS: Final = 2.0
MAX_BATCH: Final = 1_000
"""Messages of a batch: the server's own bound."""
BATCHES: Final = 12
"""Batches that a node has in flight. The server allows 50 a stream, of all nodes."""
_BURST: Final = 4 * 1024 * 1024

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
"""Too large a message or header or batch; a sealed stream; no batches: said before anything is stored."""
_STORE_FAILED: Final = 10077
_LIMIT: Final = "maximum "
"""How the server's words for a limit of the stream begin; it looks at the limits before it stores."""
_BUSY: Final = frozenset({10158, 10210})
"""A message with the same id is on its way; too many batches are open."""


_AT_ONCE: Final = nullcontext()


class Message(NamedTuple):
    """A message to be recorded."""

    subject: str
    headers: dict[str, str]
    body: bytes


class Recorded(NamedTuple):
    """All is durable; `position` is that of the last message."""

    position: int


class Conflict(NamedTuple):
    """Another message came before, or is on its way. Nothing was recorded by this attempt."""


class Duplicate(NamedTuple):
    """A message with one of the ids is there already. Nothing was recorded by this attempt."""


class Busy(NamedTuple):
    """The servers did not take it. Nothing was recorded by this attempt."""

    why: str


class Unclear(NamedTuple):
    """It may have been recorded, or may yet be."""

    why: str


Answer: TypeAlias = Recorded | Conflict | Duplicate | Busy | Unclear


class _PublishAnswer(msgspec.Struct, frozen=True):
    seq: int = 0
    duplicate: bool = False
    error: ApiError | None = None


_decode: Final = msgspec.json.Decoder(_PublishAnswer).decode


class Publisher:
    """Sends messages to the log's stream."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._batches = asyncio.Semaphore(BATCHES)
        self._prefix = connection.client.new_inbox().rpartition(".")[2]
        self._count = 0

    def room(self, count: int) -> AbstractAsyncContextManager[None]:
        """Wait until that many messages may be sent. Only then the guards may be looked up, lest they grow old."""
        return self._batches if count > 1 else _AT_ONCE

    async def publish(self, messages: Sequence[Message]) -> Answer:
        """Send `messages`, all or none of which are recorded."""
        return await (self._send_last(messages[0]) if len(messages) == 1 else self._batch(messages))

    async def is_known(self, subject: str, message_id: str) -> bool:
        """Whether a message with this id was recorded of late: the server's duplicate window.

        Asked with a message that no log takes, after the id was looked at: one that would take the place of others.
        """
        answer = await self._send_last(Message(subject, {MESSAGE_ID: message_id, _ROLLUP: "never"}, b""))
        return isinstance(answer, Duplicate)

    async def _batch(self, messages: Sequence[Message]) -> Answer:
        # A batch of another attempt or node must never have the same id: its messages would mix with these.
        self._count += 1
        batch = f"{self._prefix}.{self._count}"
        waiting = 0
        try:
            for number, (subject, headers, body) in enumerate(messages[:-1], 1):
                await self._connection.send(
                    subject, body, {**headers, _BATCH_ID: batch, _BATCH_SEQUENCE: str(number)}
                )
                waiting += len(body)
                if waiting > _BURST:
                    waiting = 0
                    await self._connection.flush()
        except NotSent as failed:
            return Busy(str(failed))
        subject, headers, body = messages[-1]
        commit = {_BATCH_ID: batch, _BATCH_SEQUENCE: str(len(messages)), _BATCH_COMMIT: "1"}
        return await self._send_last(Message(subject, {**headers, **commit}, body))

    async def _send_last(self, message: Message) -> Answer:
        subject, headers, body = message
        try:
            answer = _decode(
                (await self._connection.ask(subject, body, headers, seconds=ANSWER_SECONDS)).data
            )
        except NotSent as failed:
            return Busy(str(failed))
        except (Unanswered, msgspec.MsgspecError) as failed:
            return Unclear(str(failed))
        if answer.error is None:
            return Duplicate() if answer.duplicate else Recorded(answer.seq)
        code = answer.error.err_code
        if code in _WRONG_SEQUENCE:
            return Conflict()
        if code == _DUPLICATE:
            return Duplicate()
        limit = code == _STORE_FAILED and answer.error.description.startswith(_LIMIT)
        if code in _BUSY or code in _REFUSED or limit:
            return Busy(f"{answer.error.description} ({code})")
        return Unclear(f"{answer.error.description} ({code})")
