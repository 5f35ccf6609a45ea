"""Appends to a log in JetStream while a deposed leader still responds: the reported outcomes are right.

The code under test is the real one, down to its requests; the servers are in memory (see `leader_pair`). Time is
skipped.
"""

import asyncio
import os
from collections import Counter
from collections.abc import Callable, Sequence
from math import inf
from random import Random
from typing import Final, TypeAlias

import msgspec
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from ledgerpress.adapters.jetstream import append_resolution, appender, stream_leader_api, withdrawal_index
from ledgerpress.adapters.jetstream.append_resolution import AppendResolution
from ledgerpress.adapters.jetstream.appender import Appender
from ledgerpress.adapters.jetstream.head_and_pause_broadcast import HeadBroadcast
from ledgerpress.adapters.jetstream.log_stream_shared_objects import LogStream
from ledgerpress.adapters.jetstream.message_codec import Body, body_of, header_of, read_body
from ledgerpress.adapters.jetstream.publisher import EXPECTED, EXPECTED_ON, MESSAGE_ID, Message
from ledgerpress.adapters.jetstream.stream_heads import StreamHead, StreamHeads
from ledgerpress.adapters.jetstream.stream_leader_api import StoredMessage
from ledgerpress.adapters.jetstream.subject_names import SubjectNames
from ledgerpress.eventlog.envelope import Header, NewEvent
from ledgerpress.eventlog.errors import AppendUnresolved, EventLogError
from ledgerpress.eventlog.log import ANY_VERSION, NO_STREAM, StreamWrite
from tests.contract.sample_events import PUBLICATION, sample_event
from tests.property.leader_pair import LeaderPair, PairConnection
from tests.time_skipping_loop import now, run_skipping

EXAMPLES: Final = int(os.environ.get("LEDGERPRESS_TEST_EXAMPLES", "500"))
SEEDS: Final = 300
"""The maximum number of worlds to detect a fault; the rarest fault shows in one world of fifteen."""
ROUNDS: Final = 6
STREAMS: Final = ("post.a", "post.b", "tax")
KINDS: Final = ("one", "two", "batch", "fence", "any", "same", "race", "withdraw")
RETRY_TIMEOUT: Final = 0.1
"""Seconds of skipped time for which appends and requests are retried."""
LOSS_RATES: Final = (0.1, 0.1, 0.1, 0.7)
"""Choices of the share of responses that are lost in a round."""


class Node:
    """The appender of one process."""

    def __init__(self, pair: LeaderPair, names: SubjectNames, *, may_be_deposed: bool) -> None:
        connection = PairConnection(pair)
        stream = LogStream(connection, names, PUBLICATION)
        self.heads = stream.heads
        self.appender = Appender(
            stream,
            HeadBroadcast(connection, names.head_broadcast, lambda _: None),
            may_be_deposed=may_be_deposed,
        )


class Command:
    """An append of one node and its outcome."""

    def __init__(self, node: Node, writes: Sequence[StreamWrite], withdraws: Header | None = None) -> None:
        self.node = node
        self.writes = writes
        self.withdraws = withdraws
        self.outcome: int | EventLogError = 0

    @property
    def events(self) -> list[NewEvent]:
        return [event for write in self.writes for event in write.events]

    async def run(self) -> None:
        try:
            self.outcome = await self.node.appender.append(self.writes, self.withdraws)
        except EventLogError as error:
            self.outcome = error

    def on(self, node: Node) -> "Command":
        """Return the same command on another node, with the same event ids but other salts."""
        return Command(
            node,
            [
                StreamWrite(write.stream, write.expected, tuple(map(with_other_salt, write.events)))
                for write in self.writes
            ],
        )

    def wrong(self, recorded: Sequence[int]) -> str | None:
        """Return what is wrong with the outcome if the events are recorded at these positions."""
        if isinstance(self.outcome, int):
            last = self.outcome
            if list(recorded) != list(range(last - len(self.events) + 1, last + 1)):
                return f"the outcome is {last}, but it is recorded at {recorded}"
        elif recorded and not isinstance(self.outcome, AppendUnresolved):
            return f"it is recorded at {recorded}, but the outcome is {self.outcome!r}"
        return None


class World:
    """Two nodes, another writer and an operator who withdraws payloads, connected to the pair."""

    def __init__(self, seed: int, *, may_be_deposed: bool) -> None:
        self.chance = Random(seed)
        self.pair = LeaderPair(self.chance)
        self.pair.meanwhile = self.run_other_clients
        self.names = SubjectNames("daily")
        self.nodes = [Node(self.pair, self.names, may_be_deposed=may_be_deposed) for _ in range(2)]
        self.rivals: list[NewEvent] = []
        """Events that the other writer may also record."""
        self.counts = Counter[str]()

    async def run(self) -> str | None:
        """Run all rounds. Return the first problem, if there is one."""
        for _ in range(ROUNDS):
            kind = self.chance.choice(KINDS)
            self.pair.note(f"-- {kind}")
            self.pair.loss_rate = self.chance.choice(LOSS_RATES)
            commands = self.commands(kind)
            is_contested = self.chance.random() < 0.2
            self.rivals = [event for command in commands if is_contested for event in command.events]
            await asyncio.gather(*(command.run() for command in commands))
            self.pair.deliver_all()
            for command in commands:
                outcome = command.outcome
                name = "recorded" if isinstance(outcome, int) else type(outcome).__name__
                self.counts[name] += 1
                self.pair.note(f"{kind}: {name}: {outcome}")
                if command.withdraws is not None and self.recorded(command):
                    self.pair.erase(command.withdraws.position)
            wrong = [command.wrong(self.recorded(command)) for command in commands]
            moved = [self.expectation_wrong(command) for command in commands]
            for problem in (*wrong, *moved, self.versions_wrong()):
                if problem is not None:
                    return problem
        return None

    def commands(self, kind: str) -> list[Command]:
        """Return the commands that the nodes run at the same time."""
        node, other = self.nodes
        a, b = self.chance.sample(STREAMS, 2)
        if kind == "withdraw":
            header = self.withdrawable()
            return [] if header is None else [Command(node, [withdrawal_of(header)], header)]
        writes = {
            "two": [self.write(a, 2)],
            "batch": [self.write(a, 2), self.write(b)],
            "fence": [self.write(a, 0), self.write(b)],
            "any": [StreamWrite(a, ANY_VERSION, (sample_event(),)), self.write(b)],
        }.get(kind, [self.write(a)])
        command = Command(node, writes)
        if kind in ("same", "any"):
            return [command, command.on(other)]
        return [command, Command(other, [self.write(a)])] if kind == "race" else [command]

    def write(self, stream: str, events: int = 1) -> StreamWrite:
        """Return a write at the current version of the stream, or sometimes at the previous one."""
        version = max(0, self.version(stream) - (self.chance.random() < 0.1))
        return StreamWrite(stream, version, tuple(sample_event() for _ in range(events)))

    def run_other_clients(self) -> None:
        """Run the actions of other clients, at random."""
        if self.chance.random() < 0.12:
            self.other_writes(self.chance.choice(STREAMS))
        if self.chance.random() < 0.2:
            self.operator_withdraws()
        if self.chance.random() < 0.15:
            self.node_reads()

    def other_writes(self, stream: str) -> None:
        is_rival = self.rivals and self.chance.random() < 0.3
        event = with_other_salt(self.chance.choice(self.rivals)) if is_rival else sample_event()
        self.pair.record([self.message(stream, event)], "from another writer")

    def operator_withdraws(self) -> None:
        header = self.withdrawable()
        if header is not None:
            write = withdrawal_of(header)
            self.pair.record([self.message(write.stream, write.events[0], header)], "from the operator")
            self.pair.erase(header.position)
            if self.chance.random() < 0.5:
                self.other_writes(header.stream)

    def node_reads(self) -> None:
        """Let the views of a node report an event that they read from a replica."""
        if messages := self.pair.log.messages:
            position = self.chance.choice(list(messages)[-3:])
            stream = self.names.stream_of(messages[position].subject)
            version = read_body(position, messages[position].body).stream_version
            self.chance.choice(self.nodes).heads.note(stream, StreamHead(version, position))
            self.pair.note(f"a node reads {position}")

    def withdrawable(self) -> Header | None:
        """Return the header of one of the last events that can be withdrawn."""
        events = [
            position for position, message in self.pair.log.messages.items() if message.subject.endswith(".e")
        ]
        if not events:
            return None
        position = self.chance.choice(events[-2:])
        message = self.pair.log.messages[position]
        stream = self.names.stream_of(message.subject)
        return header_of(read_body(position, message.body), PUBLICATION, position, stream)

    def message(self, stream: str, event: NewEvent, withdraws: Header | None = None) -> Message:
        """Return a message from a writer that knows all committed messages."""
        guarded = self.names.guarded(stream)
        subject = self.names.subject(stream, withdraws.stream if withdraws else "")
        guard = {EXPECTED: str(self.pair.log.last(guarded)), EXPECTED_ON: guarded}
        body = body_of(event, self.version(stream) + 1, 0, withdraws)
        return Message(subject, {MESSAGE_ID: event.event_id, **guard}, body)

    def version(self, stream: str, before: float = inf) -> int:
        """Return the version of a stream, now or before a position."""
        return sum(
            at < before and self.names.stream_of(message.subject) == stream
            for at, message in self.pair.recorded
        )

    def recorded(self, command: Command) -> list[int]:
        """Return the positions of the command's events."""
        commitments = {event.payload.commitment() for event in command.events}
        return [
            at
            for at, message in self.pair.recorded
            if read_body(at, message.body).payload_commitment in commitments
        ]

    def expectation_wrong(self, command: Command) -> str | None:
        """Return a message if the command is recorded although a stream was not at its expected version."""
        if recorded := self.recorded(command):
            for write in command.writes:
                version = self.version(write.stream, recorded[0])
                if write.expected not in (ANY_VERSION, version):
                    return f"{write.stream} was at {version}, not {write.expected}, before {recorded[0]}"
        return None

    def versions_wrong(self) -> str | None:
        versions = Counter[str]()
        for at, message in self.pair.recorded:
            stream = self.names.stream_of(message.subject)
            versions[stream] += 1
            version = read_body(at, message.body).stream_version
            if version != versions[stream]:
                return f"position {at} has version {version} of {stream}, not {versions[stream]}"
        return None


def with_other_salt(event: NewEvent) -> NewEvent:
    """Return the event as another node would build it, with another salt."""
    return msgspec.structs.replace(event, payload=sample_event().payload)


def withdrawal_of(header: Header) -> StreamWrite:
    event = sample_event(event_type="payload.withdrawn")
    return StreamWrite(f"withdrawal.{header.event_id}", NO_STREAM, (event,))


def world(seed: int, *, may_be_deposed: bool = True) -> tuple[str, Counter[str]]:
    """Run a world. Return its problem with the trace, or an empty text, and the counts of the outcomes."""

    async def run() -> tuple[str, Counter[str]]:
        instance = World(seed, may_be_deposed=may_be_deposed)
        problem = await instance.run()
        return "" if problem is None else "\n".join(
            (f"seed {seed}: {problem}", *instance.pair.trace)
        ), instance.counts

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(appender, "monotonic", now)
        patch.setattr(withdrawal_index, "monotonic", now)
        patch.setattr(appender, "RETRY_TIMEOUT", RETRY_TIMEOUT)
        patch.setattr(stream_leader_api, "RETRY_TIMEOUT", RETRY_TIMEOUT)
        return run_skipping(run())


@given(seed=st.integers(0, 2**32 - 1))
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    print_blob=True,
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
    suppress_health_check=[HealthCheck.too_slow],
)
def test_the_outcome_of_an_append_is_right_whichever_leader_responds(seed: int) -> None:
    problem, _ = world(seed)
    assert not problem, problem


def test_a_stream_that_an_append_only_guards_has_the_expected_version(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def run() -> None:
        instance = World(0, may_be_deposed=True)
        instance.pair.record([instance.message("post.a", sample_event())], "at once")
        fenced = Command(
            instance.nodes[0], [StreamWrite("post.a", 0, ()), StreamWrite("post.b", 0, (sample_event(),))]
        )
        respond = instance.pair.respond
        not_found = {"error": {"code": 404, "err_code": 10037}}
        monkeypatch.setattr(instance.pair, "advance", lambda: None)
        monkeypatch.setattr(instance.pair, "loss_rate", 0)
        monkeypatch.setattr(
            instance.pair, "respond", lambda kind, data: respond(kind, data) if kind == "INFO" else not_found
        )
        await fenced.run()
        assert not instance.recorded(fenced), "\n".join(instance.pair.trace)

    monkeypatch.setattr(appender, "RETRY_TIMEOUT", RETRY_TIMEOUT)
    monkeypatch.setattr(stream_leader_api, "RETRY_TIMEOUT", RETRY_TIMEOUT)
    monkeypatch.setattr(appender, "monotonic", now)
    run_skipping(run())


def test_every_outcome_of_an_append_occurs() -> None:
    counts = sum((world(seed)[1] for seed in range(100)), Counter[str]())
    assert {
        "recorded",
        "WrongExpectedVersion",
        "DuplicateEvent",
        "LogUnavailable",
        "AppendUnresolved",
    } <= counts.keys(), counts


async def first_message_after_guard(self: AppendResolution, stream: str, message: Message) -> object:
    """Treat the first message after the guard as the one that took its version."""
    next_message = await self._leader.next_of(message.subject, int(message.headers[EXPECTED]))
    return (
        await taken_at_version(self, stream, message)
        if next_message is None
        else append_resolution._RecordedEvent.of_message(next_message)
    )


taken_at_version: Final = AppendResolution._at_version


async def last_event_of_leader(self: StreamHeads, stream: str, last: StoredMessage) -> int:
    """Trust the leader for the last event, except for withdrawn ones."""
    event = await self._leader.last_of(self._names.subject(stream))
    versions = [0 if event is None else read_body(event.sequence, event.data).stream_version]
    await self._withdrawals.refresh()
    return max(*versions, *(header.stream_version for header in self._withdrawals.of_stream(stream)), 0)


def by_event_id(position: int, data: bytes) -> Body:
    """Identify events by id instead of by payload commitment."""
    body = read_body(position, data)
    return msgspec.structs.replace(body, payload_commitment=body.event_id)


async def checked_once(self: Appender, progress: appender._AppendProgress) -> int | None:
    """Treat a message that the first check does not find as not recorded."""
    position = await resolve(self, progress)
    progress.unresolved.clear()
    return position


resolve: Final = Appender._resolve

Fault: TypeAlias = Callable[[pytest.MonkeyPatch], None]
FAULTS: Final[dict[str, Fault]] = {
    "the first message after the guard": lambda patch: patch.setattr(
        AppendResolution, "_at_version", first_message_after_guard
    ),
    "the last event of the leader": lambda patch: patch.setattr(
        StreamHeads, "_version", last_event_of_leader
    ),
    "ownership by event id": lambda patch: patch.setattr(append_resolution, "read_body", by_event_id),
    "a single check": lambda patch: patch.setattr(Appender, "_resolve", checked_once),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_in_the_code_is_detected(fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    FAULTS[fault](monkeypatch)
    assert any(world(seed)[0] for seed in range(SEEDS))


def test_trusting_rejections_of_a_deposed_leader_is_detected() -> None:
    assert any(world(seed, may_be_deposed=False)[0] for seed in range(SEEDS))
