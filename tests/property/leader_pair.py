"""Two servers in memory that both answer as the leader of a log: one that is, and one that does not know yet that it is none.

The new leader has all that is committed. The deposed one has what was committed up to some moment, and only so many
questions go by until it knows. Meanwhile either answers what is asked. What is published reaches both: the deposed one
may refuse it, or say nothing, before the new one records the same message, or while that is still on its way.
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

LACKS: Final = (0, 0, 1, 2, 4, 6)
"""How many of the last steps a deposed leader may lack."""
QUESTIONS: Final = 4
"""For how many questions in a row one may not know that it is deposed."""


class Recorded(NamedTuple):
    """A step of the log: a message got its position."""

    position: int
    message: Message


class Erased(NamedTuple):
    """A step of the log: the message at a position was taken out."""

    position: int


Step: TypeAlias = Recorded | Erased


class Wanted(msgspec.Struct, frozen=True):
    """Which message is asked for."""

    seq: int = 0
    last_by_subj: str = ""
    next_by_subj: str = ""


class View:
    """The log as a server has it that has these steps."""

    def __init__(self, steps: Sequence[Step]) -> None:
        self.head = 0
        self.messages: dict[int, Message] = {}
        for step in steps:
            if isinstance(step, Recorded):
                self.head = step.position
                self.messages[step.position] = step.message
            else:
                self.messages.pop(step.position, None)

    def last(self, pattern: str) -> int:
        """The position of the last message on subjects, 0 where there is none."""
        return max((at for at, one in self.messages.items() if is_on(one.subject, pattern)), default=0)

    def state(self, asked: Mapping[str, str]) -> dict[str, object]:
        """What is said of the stream as a whole, and of the subjects that are asked for."""
        there = (one.subject for one in self.messages.values())
        on = Counter(one for one in there if is_on(one, asked.get("subjects_filter", "")))
        erased = sorted({*range(1, self.head + 1)} - self.messages.keys())
        return {
            "messages": len(self.messages),
            "first_seq": 1,
            "last_seq": self.head,
            "deleted": erased,
            "subjects": on,
        }

    def get(self, wanted: Wanted) -> StoredMessage | None:
        position = wanted.seq
        if wanted.last_by_subj:
            position = self.last(wanted.last_by_subj)
        elif wanted.next_by_subj:
            later = (at for at, one in self.messages.items() if at >= wanted.seq)
            position = min(
                (at for at in later if is_on(self.messages[at].subject, wanted.next_by_subj)), default=0
            )
        found = self.messages.get(position)
        return None if found is None else StoredMessage(found.subject, position, found.body)


class LeaderPair:
    """The servers, and what goes wrong between them."""

    def __init__(self, chance: Random) -> None:
        self.chance = chance
        self.steps: list[Step] = []
        self.trace: list[str] = []
        """What happened, for whoever looks into a failure."""
        self.meanwhile: Callable[[], None] = lambda: None
        """Called before each question, and does what others do in between."""
        self.loses = 0.1
        """What share of the answers to what is published is lost; of other questions it is half as many."""
        self._on_its_way: list[list[Message]] = []
        self._deposed_at: int | None = None
        self._questions_left = 0

    @property
    def log(self) -> View:
        """All that is committed."""
        return View(self.steps)

    @property
    def recorded(self) -> list[Recorded]:
        """All that was ever recorded, what was erased since as well."""
        return [step for step in self.steps if isinstance(step, Recorded)]

    def say(self, what: str) -> None:
        self.trace.append(what)

    def go_on(self) -> None:
        """Let a moment pass."""
        if self._deposed_at is not None and self._questions_left <= 0:
            self._deposed_at = None
            self.say("the deposed leader knows")
        elif self._deposed_at is None and self.chance.random() < 0.25:
            self._deposed_at = max(0, len(self.steps) - self.chance.choice(LACKS))
            self._questions_left = self.chance.randint(1, QUESTIONS)
            self.say(f"a leader is deposed that has {self._deposed_at} of {len(self.steps)} steps")
        self._arrive(0.2)
        self.meanwhile()

    def all_arrive(self) -> None:
        """Let the new leader have all that is on its way to it."""
        while self._on_its_way:
            self.take(self._on_its_way.pop(0), "very late")

    def take(self, messages: Sequence[Message], how: str) -> dict[str, object]:
        """Have the new leader record messages, all or none of them; return its answer."""
        refusal = self._refusal(messages)
        guards = ", ".join(
            f"{one.subject.split('.', 3)[3]} after {one.headers[EXPECTED]}" for one in messages
        )
        if refusal is None:
            head = self.log.head
            self.steps += [Recorded(at, one) for at, one in enumerate(messages, head + 1)]
            self.say(f"recorded {how} at {head + 1}: {guards}")
            return {"seq": head + len(messages)}
        self.say(f"refused {how}: {guards}: {refusal}")
        return refusal

    def erase(self, position: int) -> None:
        self.steps.append(Erased(position))

    def question(self, kind: str, data: bytes) -> object:
        """Answer a question, as whoever is asked sees the log. Raises `Unanswered` where no answer comes."""
        if self.chance.random() < self.loses / 2:
            raise Unanswered("no answer in time")
        log = self.log
        who = "the new leader"
        if self._deposed_at is not None:
            self._questions_left -= 1
            if self.chance.random() < 0.5:
                log, who = View(self.steps[: self._deposed_at]), "the deposed leader"
        if kind == "INFO":
            self.say(f"{who} has {log.head}")
            return {"config": {}, "state": log.state(msgspec.json.decode(data) if data else {})}
        found = log.get(msgspec.json.decode(data, type=Wanted))
        self.say(f"{who}, asked for {data.decode()}, has {found and found.sequence}")
        return _error(404, 10037) if found is None else {"message": found}

    def publish(self, messages: list[Message]) -> object:
        """Take messages to be recorded. Raises `Unanswered` where no answer comes."""
        if ROLLUP in messages[0].headers:
            return {"seq": 1, "duplicate": True} if self._is_known(messages) else _error(400, 10111)
        # What comes next is often sent behind what is on its way.
        self._arrive(0.6)
        luck = self.chance.random()
        if self._deposed_at is not None and luck < 0.6:
            answers = self.chance.random() < 0.6
            self.say("the deposed leader refuses" if answers else "the deposed leader says nothing to")
            if luck < 0.3:
                self._send_on(messages)
            else:
                self.take(messages, "by the new leader")
            if not answers:
                raise Unanswered("no answer in time")
            return _error(400, 10071)
        if self.chance.random() >= self.loses:
            return self.take(messages, "at once")
        if self.chance.random() < 0.5:
            self._send_on(messages)
        else:
            self.take(messages, "without an answer that arrives")
        raise Unanswered("no answer in time")

    def _arrive(self, share: float) -> None:
        for messages in list(self._on_its_way):
            if self.chance.random() < share:
                self._on_its_way.remove(messages)
                self.take(messages, "late")

    def _send_on(self, messages: list[Message]) -> None:
        self.say(f"on its way: {messages[0].subject} after {messages[0].headers[EXPECTED]}")
        self._on_its_way.append(messages)

    def _is_known(self, messages: Sequence[Message]) -> bool:
        ids = {one.message.headers[MESSAGE_ID] for one in self.recorded}
        return any(one.headers[MESSAGE_ID] in ids for one in messages)

    def _refusal(self, messages: Sequence[Message]) -> dict[str, object] | None:
        if self._is_known(messages):
            return _error(400, 10201)
        log = self.log
        for one in messages:
            if int(one.headers.get(EXPECTED_HEAD, log.head)) != log.head:
                return _error(400, 10071)
            if int(one.headers[EXPECTED]) != log.last(one.headers[EXPECTED_ON]):
                return _error(400, 10071)
        return None


class PairConnection(Connection):
    """A node's connection to the pair."""

    def __init__(self, pair: LeaderPair) -> None:
        self._client = Client()
        self._pair = pair
        self._batches: dict[str, list[Message]] = {}

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
        self._pair.go_on()
        if headers is None:
            kind = subject.removeprefix("$JS.API.STREAM.").split(".")[0]
            answer = self._pair.question(kind, data)
        else:
            before = self._batches.pop(headers[BATCH_ID]) if BATCH_COMMIT in headers else []
            answer = self._pair.publish([*before, Message(subject, dict(headers), data)])
        return Msg(self._client, data=msgspec.json.encode(answer))


def is_on(subject: str, pattern: str) -> bool:
    """Whether a subject is one of those that a pattern means."""
    tokens, wanted = subject.split("."), pattern.split(".")
    if wanted[-1] == ">":
        wanted.pop()
        if len(tokens) <= len(wanted):
            return False
    elif len(tokens) != len(wanted):
        return False
    return all(one in ("*", token) for token, one in zip(tokens, wanted, strict=False))


def _error(code: int, err_code: int) -> dict[str, object]:
    return {"error": {"code": code, "err_code": err_code, "description": "no"}}
