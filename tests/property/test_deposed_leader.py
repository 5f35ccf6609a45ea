"""Appends to a log in JetStream while a leader does not know yet that it is deposed: what is said of each of them holds.

What decides over an append is real, down to the questions; the servers are in memory (see `leader_pair`). Time is skipped.
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
"""How many worlds may be needed to find a fault: of the rarest, one world in fifteen tells."""
ROUNDS: Final = 6
STREAMS: Final = ("post.a", "post.b", "tax")
KINDS: Final = ("one", "two", "batch", "fence", "any", "same", "race", "withdraw")
RETRY_TIMEOUT: Final = 0.1
"""Seconds, of skipped time, for which an append is tried, and a question asked."""
LOSES: Final = (0.1, 0.1, 0.1, 0.7)
"""What share of the answers may be lost in a round."""


class Node:
    """What appends in one process."""

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
    """An append of one node, and what is said of it."""

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
        """The same command on another node: the ids of its events are the same, and their salts are not."""
        return Command(
            node,
            [
                StreamWrite(write.stream, write.expected, tuple(map(salted_anew, write.events)))
                for write in self.writes
            ],
        )

    def wrong(self, recorded: Sequence[int]) -> str | None:
        """Return what is wrong with what was said, where its events are recorded at these positions."""
        if isinstance(self.outcome, int):
            last = self.outcome
            if list(recorded) != list(range(last - len(self.events) + 1, last + 1)):
                return f"{last} was said, and it is recorded at {recorded}"
        elif recorded and not isinstance(self.outcome, AppendUnresolved):
            return f"it is recorded at {recorded}, though: {self.outcome!r}"
        return None


class World:
    """Two nodes, another writer and somebody who withdraws, before the pair."""

    def __init__(self, seed: int, *, may_be_deposed: bool) -> None:
        self.chance = Random(seed)
        self.pair = LeaderPair(self.chance)
        self.pair.meanwhile = self.others_do
        self.names = SubjectNames("daily")
        self.nodes = [Node(self.pair, self.names, may_be_deposed=may_be_deposed) for _ in range(2)]
        self.rivals: list[NewEvent] = []
        """Events of which the other writer has some too."""
        self.seen = Counter[str]()

    async def run(self) -> str | None:
        """Return what went wrong, if something did."""
        for _ in range(ROUNDS):
            kind = self.chance.choice(KINDS)
            self.pair.say(f"-- {kind}")
            self.pair.loses = self.chance.choice(LOSES)
            commands = self.commands(kind)
            is_contested = self.chance.random() < 0.2
            self.rivals = [event for command in commands if is_contested for event in command.events]
            await asyncio.gather(*(command.run() for command in commands))
            self.pair.all_arrive()
            for command in commands:
                outcome = command.outcome
                name = "recorded" if isinstance(outcome, int) else type(outcome).__name__
                self.seen[name] += 1
                self.pair.say(f"{kind}: {name}: {outcome}")
                if command.withdraws is not None and self.recorded(command):
                    self.pair.erase(command.withdraws.position)
            wrong = [command.wrong(self.recorded(command)) for command in commands]
            moved = [self.expectation_wrong(command) for command in commands]
            for what in (*wrong, *moved, self.versions_wrong()):
                if what is not None:
                    return what
        return None

    def commands(self, kind: str) -> list[Command]:
        """Make what the nodes are to do at the same moment."""
        one, other = self.nodes
        a, b = self.chance.sample(STREAMS, 2)
        if kind == "withdraw":
            gone = self.withdrawable()
            return [] if gone is None else [Command(one, [withdrawal_of(gone)], gone)]
        writes = {
            "two": [self.write(a, 2)],
            "batch": [self.write(a, 2), self.write(b)],
            "fence": [self.write(a, 0), self.write(b)],
            "any": [StreamWrite(a, ANY_VERSION, (sample_event(),)), self.write(b)],
        }.get(kind, [self.write(a)])
        command = Command(one, writes)
        if kind in ("same", "any"):
            return [command, command.on(other)]
        return [command, Command(other, [self.write(a)])] if kind == "race" else [command]

    def write(self, stream: str, events: int = 1) -> StreamWrite:
        """Write at the version at which the stream is, or now and then at the one before."""
        version = max(0, self.version(stream) - (self.chance.random() < 0.1))
        return StreamWrite(stream, version, tuple(sample_event() for _ in range(events)))

    def others_do(self) -> None:
        """What happens beside the commands."""
        if self.chance.random() < 0.12:
            self.other_writes(self.chance.choice(STREAMS))
        if self.chance.random() < 0.2:
            self.somebody_withdraws()
        if self.chance.random() < 0.15:
            self.node_reads()

    def other_writes(self, stream: str) -> None:
        is_rival = self.rivals and self.chance.random() < 0.3
        event = salted_anew(self.chance.choice(self.rivals)) if is_rival else sample_event()
        self.pair.take([self.message(stream, event)], "from another writer")

    def somebody_withdraws(self) -> None:
        gone = self.withdrawable()
        if gone is not None:
            write = withdrawal_of(gone)
            self.pair.take([self.message(write.stream, write.events[0], gone)], "from who withdraws")
            self.pair.erase(gone.position)
            if self.chance.random() < 0.5:
                self.other_writes(gone.stream)

    def node_reads(self) -> None:
        """A node's views tell of an event that they have from a replica."""
        if messages := self.pair.log.messages:
            position = self.chance.choice(list(messages)[-3:])
            stream = self.names.stream_of(messages[position].subject)
            version = read_body(position, messages[position].body).stream_version
            self.chance.choice(self.nodes).heads.note(stream, StreamHead(version, position))
            self.pair.say(f"a node reads {position}")

    def withdrawable(self) -> Header | None:
        """Return the header of one of the last events that can be withdrawn."""
        events = [at for at, one in self.pair.log.messages.items() if one.subject.endswith(".e")]
        if not events:
            return None
        position = self.chance.choice(events[-2:])
        message = self.pair.log.messages[position]
        stream = self.names.stream_of(message.subject)
        return header_of(read_body(position, message.body), PUBLICATION, position, stream)

    def message(self, stream: str, event: NewEvent, withdraws: Header | None = None) -> Message:
        """Return the message of somebody who knows all that is committed."""
        guarded = self.names.guarded(stream)
        subject = self.names.subject(stream, withdraws.stream if withdraws else "")
        guard = {EXPECTED: str(self.pair.log.last(guarded)), EXPECTED_ON: guarded}
        body = body_of(event, self.version(stream) + 1, 0, withdraws)
        return Message(subject, {MESSAGE_ID: event.event_id, **guard}, body)

    def version(self, stream: str, before: float = inf) -> int:
        """Return at which version a stream is, or was before a position."""
        return sum(
            at < before and self.names.stream_of(message.subject) == stream
            for at, message in self.pair.recorded
        )

    def recorded(self, command: Command) -> list[int]:
        """Return at which positions a command's events are."""
        commitments = {event.payload.commitment() for event in command.events}
        return [
            at
            for at, message in self.pair.recorded
            if read_body(at, message.body).payload_commitment in commitments
        ]

    def expectation_wrong(self, command: Command) -> str | None:
        """Return which stream was not at the version that a command expected, where it is recorded."""
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


def salted_anew(event: NewEvent) -> NewEvent:
    """Return the event as another node makes it."""
    return msgspec.structs.replace(event, payload=sample_event().payload)


def withdrawal_of(gone: Header) -> StreamWrite:
    event = sample_event(event_type="payload.withdrawn")
    return StreamWrite(f"withdrawal.{gone.event_id}", NO_STREAM, (event,))


def world(seed: int, *, may_be_deposed: bool = True) -> tuple[str, Counter[str]]:
    """Let all happen in a world; return what went wrong and the way to it, nothing if all is well, and what was said."""

    async def run() -> tuple[str, Counter[str]]:
        made = World(seed, may_be_deposed=may_be_deposed)
        wrong = await made.run()
        return "" if wrong is None else "\n".join((f"seed {seed}: {wrong}", *made.pair.trace)), made.seen

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
def test_what_is_said_of_an_append_holds_whoever_leads(seed: int) -> None:
    wrong, _ = world(seed)
    assert not wrong, wrong


def test_a_stream_that_is_only_guarded_is_where_it_was_expected(monkeypatch: pytest.MonkeyPatch) -> None:
    async def run() -> None:
        made = World(0, may_be_deposed=True)
        made.pair.take([made.message("post.a", sample_event())], "at once")
        fenced = Command(
            made.nodes[0], [StreamWrite("post.a", 0, ()), StreamWrite("post.b", 0, (sample_event(),))]
        )
        ask = made.pair.question
        nothing = {"error": {"code": 404, "err_code": 10037}}
        monkeypatch.setattr(made.pair, "go_on", lambda: None)
        monkeypatch.setattr(made.pair, "loses", 0)
        monkeypatch.setattr(
            made.pair, "question", lambda kind, data: ask(kind, data) if kind == "INFO" else nothing
        )
        await fenced.run()
        assert not made.recorded(fenced), "\n".join(made.pair.trace)

    monkeypatch.setattr(appender, "RETRY_TIMEOUT", RETRY_TIMEOUT)
    monkeypatch.setattr(stream_leader_api, "RETRY_TIMEOUT", RETRY_TIMEOUT)
    monkeypatch.setattr(appender, "monotonic", now)
    run_skipping(run())


def test_an_append_comes_to_all_that_it_can_come_to() -> None:
    seen = sum((world(seed)[1] for seed in range(100)), Counter[str]())
    assert {
        "recorded",
        "WrongExpectedVersion",
        "DuplicateEvent",
        "LogUnavailable",
        "AppendUnresolved",
    } <= seen.keys(), seen


async def first_after_the_guard(self: AppendResolution, stream: str, message: Message) -> object:
    """Whatever comes after the guard is what took the place."""
    found = await self._leader.next_of(message.subject, int(message.headers[EXPECTED]))
    return (
        await taken_at_version(self, stream, message)
        if found is None
        else append_resolution._RecordedEvent.of_message(found)
    )


taken_at_version: Final = AppendResolution._at_version


async def last_as_it_is_said(self: StreamHeads, stream: str, last: StoredMessage) -> int:
    """The last event is the one that the leader says, or one that was withdrawn."""
    event = await self._leader.last_of(self._names.subject(stream))
    versions = [0 if event is None else read_body(event.sequence, event.data).stream_version]
    await self._withdrawals.refresh()
    return max(*versions, *(header.stream_version for header in self._withdrawals.of_stream(stream)), 0)


def by_event_id(position: int, data: bytes) -> Body:
    """Whose an event is, its id tells."""
    body = read_body(position, data)
    return msgspec.structs.replace(body, payload_commitment=body.event_id)


async def looked_once(self: Appender, progress: appender._AppendProgress) -> int | None:
    """What is not found at the first look was not recorded."""
    position = await resolve(self, progress)
    progress.unresolved.clear()
    return position


resolve: Final = Appender._resolve

Fault: TypeAlias = Callable[[pytest.MonkeyPatch], None]
FAULTS: Final[dict[str, Fault]] = {
    "the first after the guard": lambda patch: patch.setattr(
        AppendResolution, "_at_version", first_after_the_guard
    ),
    "the last as it is said": lambda patch: patch.setattr(StreamHeads, "_version", last_as_it_is_said),
    "whose by event id": lambda patch: patch.setattr(append_resolution, "read_body", by_event_id),
    "one look": lambda patch: patch.setattr(Appender, "_resolve", looked_once),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_with_a_fault_it_would_go_wrong(fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    FAULTS[fault](monkeypatch)
    assert any(world(seed)[0] for seed in range(SEEDS))


def test_if_refusals_were_believed_it_would_go_wrong() -> None:
    assert any(world(seed, may_be_deposed=False)[0] for seed in range(SEEDS))
