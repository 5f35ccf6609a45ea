"""What every engine's log in the making does: it takes events as they are, and is nobody's log before it is finished."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import msgspec
import pytest

from ledgerpress.eventlog.clock_randomness_ids import uuid8
from ledgerpress.eventlog.copy_target import CopyTarget
from ledgerpress.eventlog.envelope import SealedPayload, StoredEvent
from ledgerpress.eventlog.errors import EventLogError, LogExists, LogUnusable
from ledgerpress.eventlog.log import NO_STREAM, StreamWrite
from ledgerpress.server.log_factory import open_copy_target, open_log
from ledgerpress.server.log_url import LogUrl
from tests.contract.sample_events import ACTOR, everything, sample_event

PUBLICATION = uuid8("publication of replicas")

Alter = Callable[[list[StoredEvent]], StoredEvent]


class Place:
    """Where the log is made, again and again."""

    def __init__(self, url: str) -> None:
        self.url = LogUrl.parse(url)
        self._open: list[CopyTarget] = []

    async def replica(self, publication: str = PUBLICATION) -> CopyTarget:
        """Open the replica, as a process does after the one before was cut off."""
        await self.close()
        opened = await open_copy_target(self.url, Path(), publication)
        self._open.append(opened)
        return opened

    async def close(self) -> None:
        while self._open:
            await self._open.pop().aclose()


@pytest.fixture
async def place(log_url: str) -> AsyncIterator[Place]:
    place = Place(log_url)
    yield place
    await place.close()


def sealed(position: int) -> SealedPayload:
    text = ("Grüße, 市場 👋\x00\\" * (position % 7)).encode() + bytes(range(256)) * (position % 3)
    return SealedPayload("json", text, position.to_bytes(32, "big"))


def stored(position: int, stream: str, version: int, event_type: str = "post.edited") -> StoredEvent:
    event = msgspec.structs.replace(
        sample_event(event_type=event_type),
        event_id=uuid8("replicated", position),
        actor_id=ACTOR if position % 2 else uuid8("another"),
        on_behalf_of_actor_id=ACTOR if position % 3 else None,
        causation_id=uuid8("cause") if position % 5 else None,
        payload=sealed(position),
    )
    header = event.header(publication=PUBLICATION, position=position, stream=stream, stream_version=version)
    return StoredEvent(header, event.payload)


def withdrawal(position: int, of: StoredEvent) -> StoredEvent:
    # The fact itself is in the payload, as `application.withdrawal` writes it: an engine may need the header.
    record = stored(position, f"withdrawal.{of.header.event_id}", 1, "payload.withdrawn")
    fact = {"data": {"header": msgspec.to_builtins(of.header)}, "reason": "By order of a court.",
            "idempotencyKey": None, "traceId": None, "fingerprint": None}  # fmt: skip
    payload = SealedPayload("json", msgspec.json.encode(fact), bytes(32))
    header = msgspec.structs.replace(record.header, payload_commitment=payload.commitment())
    return StoredEvent(header, payload)


def without_payload(event: StoredEvent) -> StoredEvent:
    return StoredEvent(event.header, None)


def made(count: int) -> list[StoredEvent]:
    """Return events of three streams, the sixth of them withdrawn, and what says so at the end."""
    events = [stored(number, f"post.{number % 3}", (number + 2) // 3) for number in range(1, count)]
    events.append(withdrawal(count, events[5]))
    events[5] = without_payload(events[5])
    return events


async def test_events_are_taken_as_they_are(place: Place) -> None:
    events = made(40)
    replica = await place.replica()
    assert (await replica.head(), await replica.read(0, 10)) == (0, [])
    await replica.extend(events[:3])
    await replica.extend(events[3:4])
    await replica.extend(events[4:])
    assert await replica.head() == 40
    assert await replica.read(0, 100) == events
    assert await replica.read(5, 2) == events[5:7]
    await replica.finish()
    await place.close()
    log = await open_log(place.url, Path(), create_as=None)
    try:
        assert log.publication == PUBLICATION
        assert await everything(log) == events
        assert await log.read_stream("post.1") == [one for one in events if one.header.stream == "post.1"]
        assert await log.append([StreamWrite("post.0", 13, (sample_event(),))]) == 41
        assert await log.append([StreamWrite("post.new", NO_STREAM, (sample_event(),))]) == 42
    finally:
        await log.aclose()


async def test_what_was_cut_off_is_gone_on_with(place: Place) -> None:
    events = made(30)
    for start in range(0, 30, 7):
        replica = await place.replica()
        assert await replica.head() == start
        assert await replica.read(0, 100) == events[:start]
        await replica.extend(events[start : start + 7])
    replica = await place.replica()
    assert await replica.read(0, 100) == events
    await replica.finish()


async def test_it_is_no_log_before_it_is_finished(place: Place) -> None:
    for count in (0, 10):
        replica = await place.replica()
        await replica.extend(made(10)[:count])
        await place.close()
        for create_as in (None, lambda: PUBLICATION):
            with pytest.raises(LogUnusable, match="not finished"):
                await open_log(place.url, Path(), create_as=create_as)


async def test_a_finished_log_is_not_gone_on_with(place: Place) -> None:
    replica = await place.replica()
    await replica.extend(made(10))
    await replica.finish()
    with pytest.raises(LogExists):
        await place.replica()


async def test_a_log_that_was_made_otherwise_is_left_as_it_is(place: Place) -> None:
    log = await open_log(place.url, Path(), create_as=lambda: PUBLICATION)
    await log.append([StreamWrite("post.0", NO_STREAM, (sample_event(),))])
    await log.aclose()
    with pytest.raises(LogExists):
        await place.replica()


async def test_a_copy_of_another_publication_is_left_as_it_is(place: Place) -> None:
    await place.replica()
    with pytest.raises(LogUnusable, match="another publication"):
        await place.replica(uuid8("another publication"))
    assert await (await place.replica()).head() == 0


def _of_another(events: list[StoredEvent]) -> StoredEvent:
    return StoredEvent(msgspec.structs.replace(events[10].header, publication=uuid8("x")), events[10].payload)


WRONG: dict[str, Alter] = {
    "the one before": lambda events: events[9],
    "the one after": lambda events: events[11],
    "of another publication": _of_another,
}


@pytest.mark.parametrize("alter", WRONG.values(), ids=WRONG)
async def test_only_what_comes_next_is_taken(place: Place, alter: Alter) -> None:
    events = made(20)
    replica = await place.replica()
    await replica.extend(events[:10])
    with pytest.raises(EventLogError):
        await replica.extend([alter(events)])
    replica = await place.replica()
    assert await replica.read(0, 100) == events[:10]
    await replica.extend(events[10:])
    assert await replica.read(0, 100) == events


async def test_a_payload_that_was_copied_too_early_is_erased(place: Place) -> None:
    events = [stored(number, "post.0", number) for number in range(1, 12)]
    events.append(withdrawal(12, events[5]))
    replica = await place.replica()
    await replica.extend(events)
    for _ in range(2):
        await replica.erase(6)
        assert await replica.read(0, 100) == [*events[:5], without_payload(events[5]), *events[6:]]
    replica = await place.replica()
    assert (await replica.read(5, 1))[0] == without_payload(events[5])
    await replica.finish()
    await place.close()
    log = await open_log(place.url, Path(), create_as=None)
    try:
        assert await log.read_stream("post.0") == [*events[:5], without_payload(events[5]), *events[6:11]]
    finally:
        await log.aclose()


async def test_what_was_noted_last_is_kept(place: Place) -> None:
    replica = await place.replica()
    assert await replica.load_note() == ""
    await replica.save_note("first")
    await replica.extend(made(10))
    long = '{"a": "b\\"c"}' * 500
    await replica.save_note(long)
    assert await replica.load_note() == long
    replica = await place.replica()
    assert await replica.load_note() == long
    await replica.finish()
