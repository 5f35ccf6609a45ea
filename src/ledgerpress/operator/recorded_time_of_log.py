"""The recorded time of a log, read from the log itself, without views."""

from typing import Final

from ledgerpress.eventlog.codec import Codec
from ledgerpress.eventlog.event_and_withdrawn_event import Event
from ledgerpress.eventlog.kernel_events import CLOCK_STREAM, ClockCorrected
from ledgerpress.eventlog.log import EventLog
from ledgerpress.views.recorded_time_positions import ClockCorrection, ClockCorrections

_BATCH: Final = 1_000


async def recorded_time_of(log: EventLog, codec: Codec[Event], size: int, greatest: int | None) -> int | None:
    """Return the recorded time at the position `size`; `None` for an empty log.

    `greatest` is the greatest `recorded_at` in the headers up to that position. If a clock was corrected, the headers are
    read again.
    """
    corrections = []
    for event in await log.read_stream(CLOCK_STREAM):
        if event.position > size:
            break
        if isinstance(fact := codec.decode(event).event, ClockCorrected):
            last = min(fact.last_position, event.position)
            corrections.append(ClockCorrection(event.position, fact.first_position, last, fact.shift))
    if not corrections:
        return greatest
    shifts, after = ClockCorrections(corrections), 0
    time: int | None = None
    while after < size and (batch := await log.read(after, min(_BATCH, size - after))):
        times = [event.header.recorded_at + shifts.shift(event.position) for event in batch]
        time = max(times) if time is None else max(time, *times)
        after = batch[-1].position
    return time
