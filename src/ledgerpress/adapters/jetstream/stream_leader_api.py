"""Requests to the leader of a stream, which has everything that was ever acknowledged. Other replicas may lag.

A request without an answer is retried for a limited time, since a cluster without a leader elects one within seconds.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from itertools import chain
from typing import Final, TypeVar

import msgspec

from ledgerpress.adapters.jetstream.connection_and_request_reply import Connection, NotSent, Unanswered
from ledgerpress.eventlog.errors import EventLogError, LogUnavailable

T = TypeVar("T")

REQUEST_TIMEOUT: Final = 2.0
"""Seconds to wait for an answer."""
RETRY_TIMEOUT: Final = 5.0
"""Seconds for which a request is retried."""
RETRY_DELAY: Final = 0.1
"""Seconds between two attempts."""
MAX_POLLS: Final = 5
"""Number of polls that must report something as missing, since a leader may not know yet that it was deposed."""
POLL_INTERVAL: Final = 0.2
"""Seconds between two such polls."""
NO_MESSAGE: Final = 10037
NO_STREAM: Final = 10059
NAME_IN_USE: Final = 10058
_TRANSIENT: Final = frozenset({10008, 10009, 10023, 10077})
"""Error codes of a cluster that has no leader or not enough resources at the moment."""


async def polls() -> AsyncIterator[None]:
    """Yield once for each poll of something that the leader may not have yet; wait between two polls."""
    for number in range(MAX_POLLS):
        if number:
            await asyncio.sleep(POLL_INTERVAL)
        yield


async def retry_request(connection: Connection, attempt: Callable[[], Awaitable[T]], *, failure: str) -> T:
    """Call `attempt` until it raises neither `NotSent` nor `Unanswered`.

    Raises `LogUnavailable` after `RETRY_TIMEOUT`, with a message that begins with `failure`.
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + RETRY_TIMEOUT
    while True:
        try:
            return await attempt()
        except (NotSent, Unanswered) as error:
            if (remaining := deadline - loop.time()) <= 0:
                raise LogUnavailable(f"{failure}: {error}") from error
        await connection.wait_connected(remaining)
        await asyncio.sleep(RETRY_DELAY)


class ApiError(msgspec.Struct, frozen=True):
    err_code: int = 0
    description: str = ""


class RequestRefused(EventLogError):
    """The servers answered with a permanent error."""

    def __init__(self, error: ApiError) -> None:
        super().__init__(f"NATS reports: {error.description} ({error.err_code})")
        self.code = error.err_code


class StoredMessage(msgspec.Struct, frozen=True, rename={"sequence": "seq"}):
    """A message of a stream, as the leader returns it."""

    subject: str
    sequence: int
    data: bytes = b""


class StreamState(msgspec.Struct, frozen=True):
    messages: int
    first_seq: int
    last_seq: int
    deleted: tuple[int, ...] = ()
    """The deleted sequences after `first_seq`, if they were requested."""
    subjects: dict[str, int] = {}
    """The number of messages on each of the requested subjects."""

    def lacks(self, sequence: int) -> bool:
        """Return whether the message at `sequence` (at most `last_seq`) was deleted. Needs the requested `deleted`."""
        return sequence < self.first_seq or sequence in self.deleted


class StreamInfo(msgspec.Struct, frozen=True):
    """The leader's information about the stream. `ts` is the time of the server's clock (RFC 3339)."""

    config: dict[str, object]
    state: StreamState
    ts: str = ""

    @property
    def replicas(self) -> int:
        replicas = self.config.get("num_replicas", 1)
        return replicas if isinstance(replicas, int) else 1


class _Answer(msgspec.Struct, frozen=True):
    error: ApiError | None = None


class _MessageAnswer(msgspec.Struct, frozen=True):
    message: StoredMessage


_decode_answer: Final = msgspec.json.Decoder(_Answer).decode
_decode_message: Final = msgspec.json.Decoder(_MessageAnswer).decode
_decode_info: Final = msgspec.json.Decoder(StreamInfo).decode


class LeaderRequests:
    def __init__(self, connection: Connection, stream: str) -> None:
        self._connection = connection
        self._stream = stream

    async def info(self) -> StreamInfo:
        """Return the stream's configuration and state. Raises `RequestRefused` (`NO_STREAM`) if it does not exist."""
        return _decode_info(await self.send_request("STREAM.INFO", None))

    async def deleted(self) -> Iterable[int]:
        """Return the sequences of all deleted messages, up to the last sequence of the stream."""
        state = await self._state({"deleted_details": True})
        return chain(range(1, min(state.first_seq, state.last_seq + 1)), state.deleted)

    async def state_of(self, subjects: str) -> StreamState:
        """Return the state of the stream, with the deleted sequences and the number of messages on each subject."""
        return await self._state({"subjects_filter": subjects, "deleted_details": True})

    async def head(self) -> int:
        """Return the sequence of the last message, 0 if there is none."""
        return (await self.info()).state.last_seq

    async def last_of(self, subject: str) -> StoredMessage | None:
        """Return the last message on a subject, except erased messages; `None` if there is none."""
        return await self._message({"last_by_subj": subject})

    async def next_of(self, subject: str, after: int) -> StoredMessage | None:
        """Return the first message on a subject (wildcards are allowed) with a sequence greater than `after`."""
        return await self._message({"seq": after + 1, "next_by_subj": subject})

    async def at(self, sequence: int) -> StoredMessage | None:
        return await self._message({"seq": sequence})

    async def send_request(self, kind: str, request: object) -> bytes:
        """Send a request to the JetStream API and return the answer.

        Raises `RequestRefused`, `Denied` and `LogUnavailable`.
        """
        subject = f"$JS.API.{kind}.{self._stream}"
        data = b"" if request is None else msgspec.json.encode(request)

        async def attempt() -> bytes:
            answer = (await self._connection.request(subject, data, timeout=REQUEST_TIMEOUT)).data
            error = _decode_answer(answer).error
            if error is None:
                return answer
            if error.err_code in _TRANSIENT:
                raise Unanswered(error.description)
            raise RequestRefused(error)

        return await retry_request(self._connection, attempt, failure="NATS does not answer")

    async def _state(self, request: object) -> StreamState:
        return _decode_info(await self.send_request("STREAM.INFO", request)).state

    async def _message(self, request: object) -> StoredMessage | None:
        try:
            return _decode_message(await self.send_request("STREAM.MSG.GET", request)).message
        except RequestRefused as error:
            if error.code == NO_MESSAGE:
                return None
            raise
