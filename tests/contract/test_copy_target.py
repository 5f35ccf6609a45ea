"""The contract of copy targets: each engine stores events unchanged, and an unfinished copy is not opened as a log."""

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
    """The place of a copy target, which can be opened several times."""

    def __init__(self, url: str) -> None:
        self.url = LogUrl.parse(url)
        self._open: list[CopyTarget] = []

    async def copy_target(self, publication: str = PUBLICATION) -> CopyTarget:
        """Close the copy target and open it again, like a process that continues an interrupted copy."""
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
    # The payload contains the withdrawn header, as `operator.withdraw` writes it: an engine may need the header.
    record = stored(position, f"withdrawal.{of.header.event_id}", 1, "payload.withdrawn")
    fact = {"data": {"header": msgspec.to_builtins(of.header)}, "reason": "By order of a court.",
            "idempotencyKey": None, "traceId": None, "fingerprint": None}  # fmt: skip
    payload = SealedPayload("json", msgspec.json.encode(fact), bytes(32))
    header = msgspec.structs.replace(record.header, payload_commitment=payload.commitment())
    return StoredEvent(header, payload)


def without_payload(event: StoredEvent) -> StoredEvent:
    return StoredEvent(event.header, None)


def source_events(count: int) -> list[StoredEvent]:
    """Return events of three streams; the sixth is withdrawn, and the last one records the withdrawal."""
    events = [stored(number, f"post.{number % 3}", (number + 2) // 3) for number in range(1, count)]
    events.append(withdrawal(count, events[5]))
    events[5] = without_payload(events[5])
    return events


async def test_events_are_stored_unchanged(place: Place) -> None:
    events = source_events(40)
    copy_target = await place.copy_target()
    assert (await copy_target.head(), await copy_target.read(0, 10)) == (0, [])
    await copy_target.extend(events[:3])
    await copy_target.extend(events[3:4])
    await copy_target.extend(events[4:])
    assert await copy_target.head() == 40
    assert await copy_target.read(0, 100) == events
    assert await copy_target.read(5, 2) == events[5:7]
    await copy_target.finish()
    await place.close()
    log = await open_log(place.url, Path(), create_as=None)
    try:
        assert log.publication == PUBLICATION
        assert await everything(log) == events
        assert await log.read_stream("post.1") == [
            event for event in events if event.header.stream == "post.1"
        ]
        assert await log.append([StreamWrite("post.0", 13, (sample_event(),))]) == 41
        assert await log.append([StreamWrite("post.new", NO_STREAM, (sample_event(),))]) == 42
    finally:
        await log.aclose()


async def test_an_interrupted_copy_is_continued(place: Place) -> None:
    events = source_events(30)
    for start in range(0, 30, 7):
        copy_target = await place.copy_target()
        assert await copy_target.head() == start
        assert await copy_target.read(0, 100) == events[:start]
        await copy_target.extend(events[start : start + 7])
    copy_target = await place.copy_target()
    assert await copy_target.read(0, 100) == events
    await copy_target.finish()


async def test_an_unfinished_copy_cannot_be_opened_as_a_log(place: Place) -> None:
    for count in (0, 10):
        copy_target = await place.copy_target()
        await copy_target.extend(source_events(10)[:count])
        await place.close()
        for create_as in (None, lambda: PUBLICATION):
            with pytest.raises(LogUnusable, match="unfinished copy"):
                await open_log(place.url, Path(), create_as=create_as)


async def test_a_finished_copy_cannot_be_continued(place: Place) -> None:
    copy_target = await place.copy_target()
    await copy_target.extend(source_events(10))
    await copy_target.finish()
    with pytest.raises(LogExists):
        await place.copy_target()


async def test_an_existing_log_cannot_be_a_copy_target(place: Place) -> None:
    log = await open_log(place.url, Path(), create_as=lambda: PUBLICATION)
    await log.append([StreamWrite("post.0", NO_STREAM, (sample_event(),))])
    await log.aclose()
    with pytest.raises(LogExists):
        await place.copy_target()


async def test_a_copy_of_another_publication_cannot_be_continued(place: Place) -> None:
    await place.copy_target()
    with pytest.raises(LogUnusable, match="another publication"):
        await place.copy_target(uuid8("another publication"))
    assert await (await place.copy_target()).head() == 0


def _of_another_publication(events: list[StoredEvent]) -> StoredEvent:
    return StoredEvent(msgspec.structs.replace(events[10].header, publication=uuid8("x")), events[10].payload)


WRONG_EVENTS: dict[str, Alter] = {
    "previous event": lambda events: events[9],
    "event after a gap": lambda events: events[11],
    "event of another publication": _of_another_publication,
}


@pytest.mark.parametrize("alter", WRONG_EVENTS.values(), ids=WRONG_EVENTS)
async def test_only_the_next_event_is_accepted(place: Place, alter: Alter) -> None:
    events = source_events(20)
    copy_target = await place.copy_target()
    await copy_target.extend(events[:10])
    with pytest.raises(EventLogError):
        await copy_target.extend([alter(events)])
    copy_target = await place.copy_target()
    assert await copy_target.read(0, 100) == events[:10]
    await copy_target.extend(events[10:])
    assert await copy_target.read(0, 100) == events


async def test_a_payload_that_was_copied_before_its_withdrawal_is_erased(place: Place) -> None:
    events = [stored(number, "post.0", number) for number in range(1, 12)]
    events.append(withdrawal(12, events[5]))
    copy_target = await place.copy_target()
    await copy_target.extend(events)
    for _ in range(2):
        await copy_target.erase(6)
        assert await copy_target.read(0, 100) == [*events[:5], without_payload(events[5]), *events[6:]]
    copy_target = await place.copy_target()
    assert (await copy_target.read(5, 1))[0] == without_payload(events[5])
    await copy_target.finish()
    await place.close()
    log = await open_log(place.url, Path(), create_as=None)
    try:
        assert await log.read_stream("post.0") == [*events[:5], without_payload(events[5]), *events[6:11]]
    finally:
        await log.aclose()


async def test_the_last_saved_note_is_loaded(place: Place) -> None:
    copy_target = await place.copy_target()
    assert await copy_target.load_note() == ""
    await copy_target.save_note("first")
    await copy_target.extend(source_events(10))
    long = '{"a": "b\\"c"}' * 500
    await copy_target.save_note(long)
    assert await copy_target.load_note() == long
    copy_target = await place.copy_target()
    assert await copy_target.load_note() == long
    await copy_target.finish()
