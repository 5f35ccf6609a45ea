"""Read recorded events up to the head, or follow the log without end."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Collection
from typing import Final

from ledgerpress.eventlog.codec import Codec, Recorded
from ledgerpress.eventlog.errors import LogClosed, LogReplaced, LogUnavailable
from ledgerpress.eventlog.event_and_withdrawn_event import Event
from ledgerpress.eventlog.log import EventLog, catch_up, check_gapless
from ledgerpress.eventlog.unknown_third_party_events import feature_of

BATCH_SIZE: Final = 500
"""Events in a batch. The next batch is read when the caller has taken all events of the current one."""
LOG_RETRY_INTERVAL: Final = 0.25
"""Seconds between two attempts to read a log that cannot be reached."""


async def read_events(
    log: EventLog,
    codec: Codec[Event],
    *,
    after: int,
    until: int | None,
    stream: str | None,
    types: Collection[str],
) -> AsyncGenerator[Recorded[Event], None]:
    """Yield the events after the position `after`, up to `until` or the current head.

    Raises `ValueError` for an unknown type.
    """
    check_types(codec, types)
    if stream is not None:
        for stored in await log.read_stream(stream):
            is_in_range = after < stored.position and (until is None or stored.position <= until)
            if is_in_range and (not types or stored.header.type in types):
                yield codec.decode(stored)
        return
    head = await log.head()
    end = head if until is None else min(head, until)
    while after < end and (batch := await log.read(after, min(BATCH_SIZE, end - after))):
        check_gapless(batch, after)
        for stored in batch:
            if not types or stored.header.type in types:
                yield codec.decode(stored)
        after = batch[-1].position


async def follow_events(
    log: EventLog,
    codec: Codec[Event],
    *,
    after: int,
    types: Collection[str],
    is_closed: Callable[[], bool],
) -> AsyncGenerator[Recorded[Event], None]:
    """Yield the events after the position `after`, and wait for more, until the store `is_closed`.

    Retry while the log cannot be reached. Raises `ValueError` for an unknown type, or a position beyond the
    head.
    """
    check_types(codec, types)
    is_checked = False
    while not is_closed():
        try:
            if not is_checked:
                await _check_position(log, after)
                is_checked = True
            async for batch in catch_up(log, after, batch_size=BATCH_SIZE):
                for stored in batch:
                    if not types or stored.header.type in types:
                        yield codec.decode(stored)
                        # The caller may write its rows without an await: other tasks run between two events.
                        await asyncio.sleep(0)
                        if is_closed():
                            return
                    after = stored.position
        except LogClosed:
            return
        except LogReplaced:
            raise
        except LogUnavailable:
            await asyncio.sleep(LOG_RETRY_INTERVAL)


def check_types(codec: Codec[Event], types: Collection[str]) -> None:
    """Raise `ValueError` for an unknown type. Types of features that are not loaded are accepted.

    Raises `TypeError` if `types` is a string.
    """
    if isinstance(types, str):
        raise TypeError(f"types must be a collection of names, not a string: write [{types!r}]")
    unknown = sorted(type for type in types if not codec.knows(type) and feature_of(type) is None)
    if unknown:
        raise ValueError(
            f"no event has the type {', '.join(unknown)}: docs/reference/events.md lists the types"
        )


def check_not_negative(after: int) -> None:
    """Raise `ValueError` for a position below 0."""
    if after < 0:
        raise ValueError(f"{after} is not a position: positions start at 1, and 0 is the beginning")


async def _check_position(log: EventLog, after: int) -> None:
    """Raise `ValueError` if `after` is beyond the head: it was saved with another log, or before a restore."""
    check_not_negative(after)
    if after > await log.head() and not await log.wait_beyond(after - 1, log.staleness):
        raise ValueError(
            f"position {after} is beyond the head of the log, {await log.head()}: it was saved with another log, or "
            "this log was restored from an older backup. Rebuild everything that you derived from the log."
        )
