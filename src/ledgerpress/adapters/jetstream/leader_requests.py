"""Questions to the leader of a stream, which has everything that was ever acknowledged; a replica may lag.

A question that gets no answer is asked again for a bounded time, since a cluster without a leader elects one in seconds.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from itertools import chain
from typing import Final, TypeVar

import msgspec

from ledgerpress.adapters.jetstream.connection import Connection, NotSent, Unanswered
from ledgerpress.eventlog.errors import EventLogError, LogUnavailable

T = TypeVar("T")

ANSWER_SECONDS: Final = 2.0
PATIENCE: Final = 5.0
"""Seconds for which a question is asked again."""
PAUSE: Final = 0.1
LOOKS: Final = 5
"""How often the leader must say that something is not there: one that was deposed a moment ago may not know it yet."""
LOOK_PAUSE: Final = 0.2
"""Seconds between two such looks."""
NO_MESSAGE: Final = 10037
NO_STREAM: Final = 10059
_PASSING: Final = frozenset({10008, 10009, 10023, 10077})
"""The cluster has no leader now, or not the means: error codes that pass."""


async def polls() -> AsyncIterator[None]:
    """Come up once for each look at what the leader may not have yet, with a pause before each but the first."""
    for look in range(LOOKS):
        if look:
            await asyncio.sleep(LOOK_PAUSE)
        yield


class ApiError(msgspec.Struct, frozen=True):
    """What a server says that went wrong."""

    code: int
    err_code: int = 0
    description: str = ""


class RequestRefused(EventLogError):
    """The servers answered with an error that does not pass by itself."""

    def __init__(self, error: ApiError) -> None:
        super().__init__(f"NATS says: {error.description} ({error.err_code})")
        self.code = error.err_code


class StoredMessage(msgspec.Struct, frozen=True, rename={"sequence": "seq"}):
    """A message as the leader gives it."""

    subject: str
    sequence: int
    time: str
    data: bytes = b""


class StreamState(msgspec.Struct, frozen=True):
    messages: int
    first_seq: int
    last_seq: int
    deleted: tuple[int, ...] = ()
    """The sequences after the first one that were taken out, where they were asked for."""
    subjects: dict[str, int] = {}
    """How many messages are on each of the subjects that were asked for."""

    def lacks(self, sequence: int) -> bool:
        """Whether the message with a sequence up to the last one was taken out; the deleted ones must have been asked for."""
        return sequence < self.first_seq or sequence in self.deleted


class Cluster(msgspec.Struct, frozen=True):
    leader: str = ""


class StreamInfo(msgspec.Struct, frozen=True):
    """What the leader says of the stream. `ts` is the server's clock (RFC 3339)."""

    config: dict[str, object]
    state: StreamState
    ts: str = ""
    cluster: Cluster | None = None

    @property
    def replicas(self) -> int:
        """How many servers hold the stream."""
        found = self.config.get("num_replicas", 1)
        return found if isinstance(found, int) else 1


class _Answer(msgspec.Struct, frozen=True):
    error: ApiError | None = None


class _Got(msgspec.Struct, frozen=True):
    message: StoredMessage


_answer: Final = msgspec.json.Decoder(_Answer).decode
_got: Final = msgspec.json.Decoder(_Got).decode
_info: Final = msgspec.json.Decoder(StreamInfo).decode


class LeaderRequests:
    """The leader of one stream."""

    def __init__(self, connection: Connection, stream: str, *, patience: float = PATIENCE) -> None:
        self._connection = connection
        self._stream = stream
        self._patience = patience

    async def info(self) -> StreamInfo:
        """Return the stream's configuration and state. Raises `RequestRefused` (`NO_STREAM`) where there is none."""
        return await self.ask("STREAM.INFO", None, _info)

    async def missing(self) -> Iterable[int]:
        """Return the sequences up to the last one whose messages were taken out."""
        state = (await self.ask("STREAM.INFO", {"deleted_details": True}, _info)).state
        return chain(range(1, min(state.first_seq, state.last_seq + 1)), state.deleted)

    async def on(self, subjects: str) -> StreamState:
        """Return the state of the stream, with how many messages are on each of the subjects, and which were taken out."""
        asked = {"subjects_filter": subjects, "deleted_details": True}
        return (await self.ask("STREAM.INFO", asked, _info)).state

    async def head(self) -> int:
        """Return the sequence of the last message, 0 where there is none."""
        return (await self.info()).state.last_seq

    async def last_of(self, subject: str) -> StoredMessage | None:
        """Return the last message on a subject that is not erased."""
        return await self._get({"last_by_subj": subject})

    async def next_of(self, subject: str, after: int) -> StoredMessage | None:
        """Return the first message on a subject (which may have wildcards) with a sequence greater than `after`."""
        return await self._get({"seq": after + 1, "next_by_subj": subject})

    async def at(self, sequence: int) -> StoredMessage | None:
        """Return the message with a sequence."""
        return await self._get({"seq": sequence})

    async def ask(self, kind: str, request: object, decode: Callable[[bytes], T]) -> T:
        """Ask the API for `kind`, and return the answer. Raises `RequestRefused`, `Denied`, and `LogUnavailable`."""
        subject = f"$JS.API.{kind}.{self._stream}"
        data = b"" if request is None else msgspec.json.encode(request)
        loop = asyncio.get_running_loop()
        give_up = loop.time() + self._patience
        while True:
            why: str
            try:
                answer = (await self._connection.ask(subject, data, seconds=ANSWER_SECONDS)).data
                error = _answer(answer).error
                if error is None:
                    return decode(answer)
                if error.err_code not in _PASSING:
                    raise RequestRefused(error)
                why = error.description
            except (NotSent, Unanswered) as failed:
                why = str(failed)
            left = give_up - loop.time()
            if left <= 0:
                raise LogUnavailable(f"NATS does not answer: {why}")
            await self._connection.connected(left)
            await asyncio.sleep(PAUSE)

    async def _get(self, request: object) -> StoredMessage | None:
        try:
            return (await self.ask("STREAM.MSG.GET", request, _got)).message
        except RequestRefused as refused:
            if refused.code == NO_MESSAGE:
                return None
            raise
