"""Two servers in memory that both respond as the leader of a log: the new leader, and a deposed one.

The new leader has all committed messages. The deposed leader has the messages that were committed up to some moment,
and learns of its deposition after a limited number of requests. Until then, either server may respond to a request.
Published messages reach both. The deposed leader may reject a message or not respond, before the new leader records
the same message or while the message is still on its way.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from random import Random
from typing import Final, NamedTuple, TypeAlias

import msgspec
from nats.aio.client import Client
from nats.aio.msg import Msg

from ledgerpress.adapters.jetstream.connection_and_request_reply import Connection, Unanswered
from ledgerpress.adapters.jetstream.publisher import EXPECTED, EXPECTED_HEAD, EXPECTED_ON, MESSAGE_ID, Message
from ledgerpress.adapters.jetstream.stream_leader_api import StoredMessage

BATCH_ID: Final = "Nats-Batch-Id"
BATCH_COMMIT: Final = "Nats-Batch-Commit"
ROLLUP: Final = "Nats-Rollup"

MISSING_STEPS: Final = (0, 0, 1, 2, 4, 6)
"""Choices of the number of latest steps that a deposed leader lacks."""
MAX_REQUESTS: Final = 4
"""The maximum number of requests after which a leader knows that it is deposed."""


class RecordedMessage(NamedTuple):
    """A step of the log: a message was recorded at a position."""

    position: int
    message: Message


class Erased(NamedTuple):
    """A step of the log: the message at a position was erased."""

    position: int


Step: TypeAlias = RecordedMessage | Erased


class MessageRequest(msgspec.Struct, frozen=True):
    """A request for one message."""

    seq: int = 0
    last_by_subj: str = ""
    next_by_subj: str = ""


class View:
    """The log as seen by a server that has these steps."""

    def __init__(self, steps: Sequence[Step]) -> None:
        self.head = 0
        self.messages: dict[int, Message] = {}
        for step in steps:
            if isinstance(step, RecordedMessage):
                self.head = step.position
                self.messages[step.position] = step.message
            else:
                self.messages.pop(step.position, None)

    def last(self, pattern: str) -> int:
        """Return the position of the last message on matching subjects, or 0 if there is none."""
        return max(
            (position for position, message in self.messages.items() if is_on(message.subject, pattern)),
            default=0,
        )

    def state(self, filter_: Mapping[str, str]) -> dict[str, object]:
        """Return the state of the stream and the message counts of the requested subjects."""
        subjects = (message.subject for message in self.messages.values())
        counts = Counter(
            subject for subject in subjects if is_on(subject, filter_.get("subjects_filter", ""))
        )
        erased = sorted({*range(1, self.head + 1)} - self.messages.keys())
        return {
            "messages": len(self.messages),
            "first_seq": 1,
            "last_seq": self.head,
            "deleted": erased,
            "subjects": counts,
        }

    def get(self, request: MessageRequest) -> StoredMessage | None:
        position = request.seq
        if request.last_by_subj:
            position = self.last(request.last_by_subj)
        elif request.next_by_subj:
            later = (seq for seq, message in self.messages.items() if seq >= request.seq)
            position = min(
                (seq for seq in later if is_on(self.messages[seq].subject, request.next_by_subj)), default=0
            )
        message = self.messages.get(position)
        return None if message is None else StoredMessage(message.subject, position, message.body)


class LeaderPair:
    """The two servers and the faults between them."""

    def __init__(self, chance: Random) -> None:
        self.chance = chance
        self.steps: list[Step] = []
        self.trace: list[str] = []
        """The steps of the run, to diagnose a failure."""
        self.meanwhile: Callable[[], None] = lambda: None
        """Called before each request, to run the actions of other clients."""
        self.loss_rate = 0.1
        """The share of responses to published messages that are lost; of other responses, half as many."""
        self._delayed: list[list[Message]] = []
        self._deposed_at: int | None = None
        self._requests_left = 0

    @property
    def log(self) -> View:
        """The log with all committed messages."""
        return View(self.steps)

    @property
    def recorded(self) -> list[RecordedMessage]:
        """All recorded messages, including erased ones."""
        return [step for step in self.steps if isinstance(step, RecordedMessage)]

    def note(self, text: str) -> None:
        self.trace.append(text)

    def advance(self) -> None:
        """Advance: depose a leader or let it know that it is deposed, deliver messages, run other clients."""
        if self._deposed_at is not None and self._requests_left <= 0:
            self._deposed_at = None
            self.note("the deposed leader knows")
        elif self._deposed_at is None and self.chance.random() < 0.25:
            self._deposed_at = max(0, len(self.steps) - self.chance.choice(MISSING_STEPS))
            self._requests_left = self.chance.randint(1, MAX_REQUESTS)
            self.note(f"a leader is deposed that has {self._deposed_at} of {len(self.steps)} steps")
        self._deliver(0.2)
        self.meanwhile()

    def deliver_all(self) -> None:
        """Deliver all messages that are on their way to the new leader."""
        while self._delayed:
            self.record(self._delayed.pop(0), "very late")

    def record(self, messages: Sequence[Message], how: str) -> dict[str, object]:
        """Let the new leader record all of the messages or none; return its response."""
        rejection = self._rejection(messages)
        guards = ", ".join(
            f"{message.subject.split('.', 3)[3]} after {message.headers[EXPECTED]}" for message in messages
        )
        if rejection is None:
            head = self.log.head
            self.steps += [
                RecordedMessage(position, message) for position, message in enumerate(messages, head + 1)
            ]
            self.note(f"recorded {how} at {head + 1}: {guards}")
            return {"seq": head + len(messages)}
        self.note(f"rejected {how}: {guards}: {rejection}")
        return rejection

    def erase(self, position: int) -> None:
        self.steps.append(Erased(position))

    def respond(self, kind: str, data: bytes) -> object:
        """Return the response of one of the servers. Raises `Unanswered` if the response is lost."""
        if self.chance.random() < self.loss_rate / 2:
            raise Unanswered("no answer in time")
        log = self.log
        server = "the new leader"
        if self._deposed_at is not None:
            self._requests_left -= 1
            if self.chance.random() < 0.5:
                log, server = View(self.steps[: self._deposed_at]), "the deposed leader"
        if kind == "INFO":
            self.note(f"{server} has {log.head}")
            return {"config": {}, "state": log.state(msgspec.json.decode(data) if data else {})}
        message = log.get(msgspec.json.decode(data, type=MessageRequest))
        self.note(f"{server}, asked for {data.decode()}, has {message and message.sequence}")
        return _error(404, 10037) if message is None else {"message": message}

    def publish(self, messages: list[Message]) -> object:
        """Return the response to published messages. Raises `Unanswered` if there is none."""
        if ROLLUP in messages[0].headers:
            return {"seq": 1, "duplicate": True} if self._is_known(messages) else _error(400, 10111)
        if MESSAGE_ID not in messages[0].headers:  # a fence, which no log accepts
            return _error(400, 10071)
        # Messages that are on their way often arrive before the new ones.
        self._deliver(0.6)
        luck = self.chance.random()
        if self._deposed_at is not None and luck < 0.6:
            responds = self.chance.random() < 0.6
            self.note("the deposed leader rejects" if responds else "the deposed leader does not respond")
            if luck < 0.3:
                self._delay(messages)
            else:
                self.record(messages, "by the new leader")
            if not responds:
                raise Unanswered("no answer in time")
            return _error(400, 10071)
        if self.chance.random() >= self.loss_rate:
            return self.record(messages, "at once")
        if self.chance.random() < 0.5:
            self._delay(messages)
        else:
            self.record(messages, "with a lost response")
        raise Unanswered("no answer in time")

    def _deliver(self, share: float) -> None:
        for messages in list(self._delayed):
            if self.chance.random() < share:
                self._delayed.remove(messages)
                self.record(messages, "late")

    def _delay(self, messages: list[Message]) -> None:
        self.note(f"on its way: {messages[0].subject} after {messages[0].headers[EXPECTED]}")
        self._delayed.append(messages)

    def _is_known(self, messages: Sequence[Message]) -> bool:
        ids = {step.message.headers[MESSAGE_ID] for step in self.recorded}
        return any(message.headers[MESSAGE_ID] in ids for message in messages)

    def _rejection(self, messages: Sequence[Message]) -> dict[str, object] | None:
        if self._is_known(messages):
            return _error(400, 10201)
        log = self.log
        for message in messages:
            if int(message.headers.get(EXPECTED_HEAD, log.head)) != log.head:
                return _error(400, 10071)
            if int(message.headers[EXPECTED]) != log.last(message.headers[EXPECTED_ON]):
                return _error(400, 10071)
        return None


class PairConnection(Connection):
    """A connection of a node to the pair."""

    def __init__(self, pair: LeaderPair) -> None:
        self._client = Client()
        self._pair = pair
        self._batches: dict[str, list[Message]] = {}
        self.reconnects = 0

    async def wait_connected(self, timeout: float) -> bool:
        return True

    async def flush(self) -> None:
        pass

    async def send(
        self, subject: str, data: bytes, headers: Mapping[str, str] | None = None, reply: str = ""
    ) -> None:
        if headers is not None:
            self._batches.setdefault(headers[BATCH_ID], []).append(Message(subject, dict(headers), data))

    async def request(
        self, subject: str, data: bytes, headers: Mapping[str, str] | None = None, *, timeout: float
    ) -> Msg:
        await asyncio.sleep(0)
        self._pair.advance()
        if headers is None:
            kind = subject.removeprefix("$JS.API.STREAM.").split(".")[0]
            response = self._pair.respond(kind, data)
        else:
            before = self._batches.pop(headers[BATCH_ID]) if BATCH_COMMIT in headers else []
            response = self._pair.publish([*before, Message(subject, dict(headers), data)])
        return Msg(self._client, data=msgspec.json.encode(response))


def is_on(subject: str, pattern: str) -> bool:
    """Return whether a subject matches a pattern of NATS."""
    tokens, parts = subject.split("."), pattern.split(".")
    if parts[-1] == ">":
        parts.pop()
        if len(tokens) <= len(parts):
            return False
    elif len(tokens) != len(parts):
        return False
    return all(part in ("*", token) for token, part in zip(tokens, parts, strict=False))


def _error(code: int, err_code: int) -> dict[str, object]:
    return {"error": {"code": code, "err_code": err_code, "description": "no"}}
