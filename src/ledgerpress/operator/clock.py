"""Confirm the clock of this machine, or correct the times of events that were recorded with a wrong clock."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from ledgerpress.commands.command_request_and_context import CommandRequest
from ledgerpress.commands.confirm_and_correct_clock import ConfirmClock, CorrectClock
from ledgerpress.commands.errors import ErrorCode, Rejection
from ledgerpress.eventlog.clock_guard import ClockLimits, duration, shown
from ledgerpress.eventlog.envelope import MAX_INTEGER
from ledgerpress.feature import FeatureSet
from ledgerpress.features.registry import FEATURES
from ledgerpress.operator import Confirm, Progress
from ledgerpress.server.store import Store, open_store
from ledgerpress.views import recorded_time_positions as recorded_time

_ANY_SILENCE: Final = ClockLimits(max_ahead=MAX_INTEGER)
_BATCH: Final = 1_000


@dataclass(frozen=True, slots=True)
class ClockState:
    """The time of the clock, and the last recorded time, in microseconds since 1970, UTC. `head` is its position.

    `corrections` are all corrections of clocks, oldest first.
    """

    now: int
    last_recorded_time: int
    head: int
    corrections: Sequence[recorded_time.ClockCorrection]


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockCorrectionRequest:
    """The events to correct, and by how much.

    Without positions: the first events in a row whose recorded time is after the current time. Either `shift`
    (microseconds) or `time`, the correct time of the first event, is set.
    """

    first: int | None = None
    last: int | None = None
    shift: int | None = None
    time: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockCorrectionPreview:
    """The effect of a correction. Times are in microseconds since 1970, UTC, before and after it.

    `extremes` are the earliest and the latest time after it. `before` and `after` are the recorded times of the events next to the corrected ones, if there are any. `types`
    counts the corrected events.
    """

    first: int
    last: int
    shift: int
    first_times: tuple[int, int]
    last_times: tuple[int, int]
    extremes: tuple[int, int]
    before: int | None
    after: int | None
    types: Mapping[str, int] = field(default_factory=dict)


async def read_clock_state(
    data: Path, log: str, *, progress: Progress, features: FeatureSet = FEATURES
) -> ClockState:
    """Return the time of the clock and the last recorded time."""
    async with open_store(data, log=log, features=features, create=False, progress=progress) as store:
        return _state(store)


async def confirm_clock(
    data: Path,
    log: str,
    request: CommandRequest,
    *,
    progress: Progress,
    confirm: Confirm[ClockState] | None = None,
    features: FeatureSet = FEATURES,
) -> ClockState:
    """Record that the clock is right, however long nothing was recorded; return the state before."""
    async with open_store(
        data, log=log, features=features, create=False, clock_limits=_ANY_SILENCE, progress=progress
    ) as store:
        state = _state(store)
        if confirm is not None:
            await confirm(state)
        await store.commands.handle(ConfirmClock(last_recorded_time=state.last_recorded_time), request)
        return state


async def preview_correction(
    data: Path,
    log: str,
    wanted: ClockCorrectionRequest,
    *,
    progress: Progress,
    features: FeatureSet = FEATURES,
) -> ClockCorrectionPreview:
    """Return the effect that `correct_clock` would have. Raises `Rejection` as it does."""
    async with open_store(data, log=log, features=features, create=False, progress=progress) as store:
        return await _preview(store, wanted)


async def correct_clock(
    data: Path,
    log: str,
    wanted: ClockCorrectionRequest,
    request: CommandRequest,
    *,
    progress: Progress,
    confirm: Confirm[ClockCorrectionPreview] | None = None,
    features: FeatureSet = FEATURES,
) -> tuple[ClockCorrectionPreview, int]:
    """Record a correction; return its effect and its position. Raises `Rejection` if it is not possible."""
    async with open_store(data, log=log, features=features, create=False, progress=progress) as store:
        preview = await _preview(store, wanted)
        if confirm is not None:
            await confirm(preview)
        command = CorrectClock(first_position=preview.first, last_position=preview.last, shift=preview.shift)
        return preview, (await store.commands.handle(command, request)).position


def _state(store: Store) -> ClockState:
    with store.snapshot() as snapshot:
        return ClockState(
            now=store.clock.now(),
            last_recorded_time=recorded_time.time_of(snapshot) or 0,
            head=snapshot.position,
            corrections=recorded_time.clock_corrections(snapshot),
        )


async def _preview(store: Store, wanted: ClockCorrectionRequest) -> ClockCorrectionPreview:
    head, now = await store.log.head(), store.clock.now()
    await store.views.wait_for(head, 5.0)
    first, last = wanted.first, wanted.last
    if first is None and last is None:
        first, last = await _recorded_after(store, now, head)
    first = last if first is None else first
    last = first if last is None else last
    if first is None or last is None or not 0 < first <= last <= head:
        raise _invalid(
            f"The events to correct must be at positions from 1 to {head:,}, the first one first.", "first"
        )
    preview = await _effect(store, wanted, first, last)
    earliest, latest = preview.extremes
    if earliest < 0 or latest > now:
        reached = shown(latest) if latest > now else shown(max(earliest, 0))
        raise _invalid(
            f"The correct times would reach {reached}: they must be after 1970 and not after the clock, {shown(now)}.",
            "shift",
        )
    return preview


async def _recorded_after(store: Store, time: int, head: int) -> tuple[int, int]:
    """Return the positions of the first and the last of the first events in a row that were recorded after `time`.

    An event between them that was recorded by then had another clock, and needs no correction.
    """
    first = last = 0
    with store.snapshot() as snapshot:
        after = recorded_time.position_at(snapshot, time)
        while after < head and last in {0, after} and (batch := await store.log.read(after, _BATCH)):
            for event in batch:
                corrected = recorded_time.corrected_time(snapshot, event.header.recorded_at, event.position)
                if corrected > time:
                    first, last = first or event.position, event.position
                elif first:
                    break
            after = batch[-1].position
    if not first:
        raise Rejection(
            ErrorCode.NOT_FOUND,
            f"No event has a recorded time after the clock, {shown(time)}. Name the events: --from POSITION --to POSITION.",
            field=("first",),
        )
    return first, last


async def _effect(
    store: Store, wanted: ClockCorrectionRequest, first: int, last: int
) -> ClockCorrectionPreview:
    """Return the effect of a correction of the existing events from `first` to `last`."""
    types: dict[str, int] = {}
    clock_times: dict[int, int] = {}
    times: dict[int, int] = {}
    earliest, latest = MAX_INTEGER, 0
    with store.snapshot() as snapshot:
        after = max(first - 2, 0)
        while after < last + 1 and (batch := await store.log.read(after, min(_BATCH, last + 1 - after))):
            for event in batch:
                position, recorded_at = event.position, event.header.recorded_at
                if position in {first - 1, first, last, last + 1}:
                    clock_times[position] = recorded_at
                    times[position] = recorded_time.corrected_time(snapshot, recorded_at, position)
                if first <= position <= last:
                    types[event.header.type] = types.get(event.header.type, 0) + 1
                    earliest, latest = min(earliest, recorded_at), max(latest, recorded_at)
            after = batch[-1].position
    shift = wanted.shift
    if wanted.time is not None:
        shift = wanted.time - clock_times[first]
    if shift is None:
        raise _without_time(first, last, times)
    return ClockCorrectionPreview(
        first=first,
        last=last,
        shift=shift,
        first_times=(times[first], clock_times[first] + shift),
        last_times=(times[last], clock_times[last] + shift),
        extremes=(earliest + shift, latest + shift),
        before=times.get(first - 1),
        after=times.get(last + 1),
        types=types,
    )


def _without_time(first: int, last: int, times: Mapping[int, int]) -> Rejection:
    previous, following = times.get(first - 1), times.get(last + 1)
    parts = [
        f"The events from position {first:,} ({shown(times[first])}) to {last:,} ({shown(times[last])}) need a time."
    ]
    if previous is not None:
        parts.append(f"The event before them was recorded at {shown(previous)}.")
    if following is not None:
        parts.append(f"The event after them was recorded at {shown(following)}.")
    parts.append(
        "Give the correct time of the first one: --time TIME, or how far the clock was ahead: --ahead SPAN."
    )
    return _invalid(" ".join(parts), "time")


def _invalid(message: str, name: str) -> Rejection:
    return Rejection(ErrorCode.INVALID_VALUE, message, field=(name,))


def describe_shift(shift: int) -> str:
    """Return a shift as text: `3,652 days earlier`."""
    if shift == 0:
        return "to the times that the clock showed"
    return f"{duration(shift)} {'earlier' if shift < 0 else 'later'}"
