"""Erase withdrawn payloads in backups and copies of a log.

A copy has the same events at the same positions. The withdrawal is recorded there, too, with the same event, at the end
of the copy. So the copy proves the erasure like the log itself, and `verify` passes.
"""

from collections.abc import Sequence
from contextlib import aclosing
from pathlib import Path
from typing import NamedTuple

from ledgerpress.eventlog.codec import Codec
from ledgerpress.eventlog.envelope import ATTRIBUTES, Header, NewEvent, SealedPayload, StoredEvent
from ledgerpress.eventlog.errors import EventLogError, LogUnusable, WrongExpectedVersion
from ledgerpress.eventlog.event_and_withdrawn_event import Event
from ledgerpress.eventlog.kernel_events import WITHDRAWAL
from ledgerpress.eventlog.log import NO_STREAM, EventLog, StreamWrite
from ledgerpress.operator.log_copy import place_of
from ledgerpress.operator.log_verifier import LogVerifier
from ledgerpress.server.log_factory import open_log
from ledgerpress.server.log_url import LogUrl


class CopyErasure(NamedTuple):
    """The result in one copy: its place, the number of payloads that were erased now, and its head afterwards."""

    place: str
    erased: int
    head: int


async def count_in_copy(
    url: LogUrl, data: Path, publication: str, events: Sequence[StoredEvent]
) -> tuple[str, int]:
    """Return the place of a copy, and how many payloads of `events` it still contains. Raises `LogUnusable`."""
    async with aclosing(await open_log(url, data, create_as=None)) as copy:
        copied = await _copied(copy, url, data, publication, events)
        return place_of(url, data), sum(event.payload is not None for event in copied)


async def erase_in_copy(
    url: LogUrl, data: Path, publication: str, events: Sequence[StoredEvent], codec: Codec[Event]
) -> CopyErasure:
    """Erase the payloads of the withdrawn `events` in the copy at `url`, and verify the copy.

    Each of `events` has the record of its withdrawal. Raises `LogUnusable` if it is not a copy of the publication's
    log, `WithdrawalUnfinished`, and `EventLogError` if the copy is invalid afterwards.
    """
    place = place_of(url, data)
    async with aclosing(await open_log(url, data, create_as=None)) as copy:
        copied = await _copied(copy, url, data, publication, events)
        records = {event.position: event.record for event in events}
        for event in copied:
            record = records[event.position]
            if record is None or record.payload is None:
                raise EventLogError(f"position {event.position}: no withdrawal of this event is recorded")
            await _withdraw(copy, event, record.header, record.payload)
        verification = await LogVerifier(copy, codec).run()
        if verification.finding is not None:
            raise EventLogError(f"{place} is invalid: {verification.finding}")
        return CopyErasure(place, sum(event.payload is not None for event in copied), await copy.head())


async def _withdraw(copy: EventLog, event: StoredEvent, record: Header, payload: SealedPayload) -> None:
    """Record a withdrawal in the copy and erase the payload of `event`; finish an interrupted erasure."""
    if event.payload is None:
        await copy.withdraw(event.position, [])
        return
    attributes = {name: getattr(record, name) for name in ATTRIBUTES}
    write = StreamWrite(record.stream, NO_STREAM, (NewEvent(**attributes, payload=payload),))
    try:
        await copy.withdraw(event.position, [write])
    except WrongExpectedVersion:
        await copy.withdraw(event.position, [])


async def _copied(
    copy: EventLog, url: LogUrl, data: Path, publication: str, events: Sequence[StoredEvent]
) -> list[StoredEvent]:
    """Return those of `events` that the copy contains. Raises `LogUnusable` if it is not a copy of this log."""
    place = place_of(url, data)
    if copy.publication != publication:
        raise LogUnusable(f"{place} contains the log of another publication, {copy.publication}")
    copied = []
    for event in events:
        for own in await copy.read(event.position - 1, 1):
            if own.header.type == WITHDRAWAL:
                continue  # The copy ends before the event; an earlier erasure was recorded at its end.
            if own.header != event.header:
                raise LogUnusable(
                    f"{place} does not contain a copy of this log: it has another event at position {event.position:,}"
                )
            copied.append(own)
    return copied
