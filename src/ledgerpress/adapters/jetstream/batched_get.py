"""Many messages with one question: a batched direct get, which any replica may answer.

https://docs.nats.io/reference/reference-protocols/nats_api_reference and ADR-31 of NATS.
"""

import asyncio
from typing import Final, NamedTuple

import msgspec
from nats.aio.msg import Msg

from ledgerpress.adapters.jetstream.connection import Connection, NotSent, Unanswered
from ledgerpress.adapters.jetstream.leader_requests import ANSWER_SECONDS, PATIENCE, PAUSE, StoredMessage
from ledgerpress.adapters.jetstream.message_codec import Body, read_body
from ledgerpress.adapters.jetstream.url import SubjectNames
from ledgerpress.eventlog.errors import EventLogError, LogUnavailable

MAX_MESSAGES: Final = 1_000
"""Messages of one question."""
_END: Final = "204"
_NOTHING: Final = "404"
_SEQUENCE: Final = "Nats-Sequence"
_SUBJECT: Final = "Nats-Subject"
_PENDING: Final = "Nats-Num-Pending"


class Found(NamedTuple):
    """A message that was read."""

    position: int
    stream: str
    body: Body
    size: int

    @property
    def end(self) -> int:
        """The position of the last message of its command."""
        return self.position + self.body.more


class BatchedReads:
    """Reads the messages of one publication's log."""

    def __init__(self, connection: Connection, names: SubjectNames) -> None:
        self._connection = connection
        self._names = names
        self._subject = f"$JS.API.DIRECT.GET.{names.stream}"

    async def read(
        self, after: int, limit: int, max_bytes: int, subject: str | None = None
    ) -> tuple[list[Found], bool]:
        """Return messages after a position, and whether there are more; as far as the replica has come that answers.

        Raises `LogUnavailable`.
        """
        request: dict[str, object] = {
            "seq": after + 1,
            "batch": min(limit, MAX_MESSAGES),
            "max_bytes": max_bytes,
        }
        if subject is not None:
            request["next_by_subj"] = subject
        messages, end = await self._ask(msgspec.json.encode(request))
        if end.get("Status") not in (_END, _NOTHING):
            raise EventLogError(f"the log in NATS cannot be read: {end.get('Description', end)}")
        found = [
            self.found(int(headers[_SEQUENCE]), headers[_SUBJECT], message.data)
            for message in messages
            if (headers := message.headers) is not None
        ]
        return found, bool(found) and int(end.get(_PENDING, 0)) > 0

    async def _ask(self, data: bytes) -> tuple[list[Msg], dict[str, str]]:
        loop = asyncio.get_running_loop()
        give_up = loop.time() + PATIENCE
        while True:
            try:
                return await self._connection.collect(self._subject, data, seconds=ANSWER_SECONDS)
            except (NotSent, Unanswered) as failed:
                if (left := give_up - loop.time()) <= 0:
                    raise LogUnavailable(f"the log in NATS cannot be read: {failed}") from failed
                await self._connection.connected(left)
                await asyncio.sleep(PAUSE)

    def found(self, position: int, subject: str, data: bytes) -> Found:
        """Return what a message holds."""
        return Found(position, self._names.stream_of(subject), read_body(position, data), len(data))

    def given(self, message: StoredMessage) -> Found:
        """Return what a message holds that the leader gave."""
        return self.found(message.sequence, message.subject, message.data)
