"""Batched direct gets: one request for many messages, which any replica may answer.

https://docs.nats.io/reference/reference-protocols/nats_api_reference and ADR-31 of NATS.
"""

from typing import Final, NamedTuple

import msgspec

from ledgerpress.adapters.jetstream import stream_leader_api
from ledgerpress.adapters.jetstream.connection import Connection
from ledgerpress.adapters.jetstream.message_codec import Body, read_body
from ledgerpress.adapters.jetstream.stream_leader_api import StoredMessage, retry_request
from ledgerpress.adapters.jetstream.subject_names import SubjectNames
from ledgerpress.eventlog.errors import EventLogError

MAX_MESSAGES: Final = 1_000
"""Messages per request."""
_END: Final = "204"
_NOTHING: Final = "404"
_SEQUENCE: Final = "Nats-Sequence"
_SUBJECT: Final = "Nats-Subject"
_PENDING: Final = "Nats-Num-Pending"


class ReadMessage(NamedTuple):
    """A message of the log, decoded."""

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
    ) -> tuple[list[ReadMessage], bool]:
        """Return messages after a position, and whether there are more, as far as the answering replica has them.

        Raises `LogUnavailable`.
        """
        request: dict[str, object] = {
            "seq": after + 1,
            "batch": min(limit, MAX_MESSAGES),
            "max_bytes": max_bytes,
        }
        if subject is not None:
            request["next_by_subj"] = subject
        data = msgspec.json.encode(request)
        answers, end = await retry_request(
            self._connection,
            lambda: self._connection.request_batch(
                self._subject, data, timeout=stream_leader_api.REQUEST_TIMEOUT
            ),
            timeout=stream_leader_api.RETRY_TIMEOUT,
            failure="the log in NATS cannot be read",
        )
        if end.get("Status") not in (_END, _NOTHING):
            raise EventLogError(f"the log in NATS cannot be read: {end.get('Description', end)}")
        messages = [
            self._read_message(int(headers[_SEQUENCE]), headers[_SUBJECT], answer.data)
            for answer in answers
            if (headers := answer.headers) is not None
        ]
        return messages, bool(messages) and int(end.get(_PENDING, 0)) > 0

    def of_leader(self, message: StoredMessage) -> ReadMessage:
        """Return a message that was requested from the leader."""
        return self._read_message(message.sequence, message.subject, message.data)

    def _read_message(self, position: int, subject: str, data: bytes) -> ReadMessage:
        return ReadMessage(position, self._names.stream_of(subject), read_body(position, data), len(data))
