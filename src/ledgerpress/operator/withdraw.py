"""Withdraw the payload of one event: the header stays, and the data and everything derived from it are erased."""

from pathlib import Path
from typing import Final

import msgspec

from ledgerpress.commands.command_request_and_context import CommandRequest
from ledgerpress.commands.errors import ErrorCode, Rejection
from ledgerpress.eventlog.clock_randomness_ids import Clock, Randomness, SystemRandomness, uuid7, uuid8
from ledgerpress.eventlog.codec import Codec
from ledgerpress.eventlog.envelope import SALT_BYTES, NewEvent, StoredEvent
from ledgerpress.eventlog.errors import UndecodableEvent, WithdrawalUnfinished, WrongExpectedVersion
from ledgerpress.eventlog.event_and_withdrawn_event import Event, Remainder
from ledgerpress.eventlog.kernel_events import PayloadWithdrawn, withdrawal_stream
from ledgerpress.eventlog.log import NO_STREAM, EventLog, StreamWrite
from ledgerpress.feature import FeatureSet
from ledgerpress.features.registry import FEATURES
from ledgerpress.operator import Progress
from ledgerpress.operator.rebuild_and_switch_views import rebuild_now
from ledgerpress.retry import poll
from ledgerpress.server.log_url import LOCAL
from ledgerpress.server.store import Store, open_store
from ledgerpress.server.workers.memory_marks import workers_behind
from ledgerpress.system_errors import reason_of
from ledgerpress.views.files.active_views import OTHER_SETS_TIMEOUT, POLL_INTERVAL
from ledgerpress.views.files.views_directory import ViewsDirectory

SWITCH_TIMEOUT: Final = 30.0
"""Seconds to wait until the store uses the rebuilt views."""
MEMORY_TIMEOUT: Final = 30.0
"""Seconds to wait until the workers of servers have cleared their memory. One that hangs is killed sooner."""
NEVER_WITHDRAWN: Final = {
    "log.opened": "it contains the key for the names of streams",
    "payload.withdrawn": "it contains no text except the reason of the withdrawal, and proves the withdrawal",
    "clock.corrected": "it contains no text except the reason of the correction, and all recorded times depend on it",
    "projection.skipped": "it contains no text except the reason of the skip, and a rebuild depends on it",
}
"""Types of events whose payload cannot be withdrawn, and why."""


async def withdraw(
    data: Path,
    position: int,
    reason: str,
    *,
    log: str = LOCAL,
    features: FeatureSet = FEATURES,
    progress: Progress | None = None,
) -> int:
    """Withdraw the payload of the event at `position` from the log and all views; return the position of the record.

    The record is the event that records the withdrawal. Raises `LogUnusable`, `Rejection`, `WithdrawalUnfinished`.
    """
    async with open_store(data, log=log, features=features, create=False, progress=progress) as store:
        return await withdraw_from(store, data, position, reason)


async def withdraw_from(store: Store, data: Path, position: int, reason: str) -> int:
    """Withdraw a payload as `withdraw` does, from an open store."""
    request = CommandRequest(reason=reason)
    record = await withdraw_payload(
        store.log, store.codec, store.clock, SystemRandomness(), position, request
    )
    await erase_in_views(store, data, record)
    return record


async def erase_in_views(store: Store, data: Path, record: int) -> None:
    """Wait until no views file of the data directory contains a payload that was withdrawn up to the position `record`.

    Raises `WithdrawalUnfinished`.
    """
    directory = ViewsDirectory(data, store.features.projectors)
    while True:
        # Former views and views that are being built may contain the text. A running rebuild starts again.
        directory.drop()
        reached = await store.views.wait_for(record, 1.0) and await store.views.sweep()
        if reached and directory.current == store.views.path and directory.former is None:
            break
        if any(point.is_paused and point.position < record for point in store.checkpoints.values()):
            # This projection will not reach the withdrawal. Rebuilt views never contain the text.
            await rebuild_now(store.log, data, store.features)
            if not await _switched(store, directory):
                raise WithdrawalUnfinished(
                    "the payload is withdrawn from the log, but servers still use views that contain it: "
                    "stop the servers and withdraw it again"
                )
            directory.drop()
            break
    await _reach_other_sets(directory, record)
    try:
        workers = await workers_behind(data, record, MEMORY_TIMEOUT)
    except OSError as error:
        raise WithdrawalUnfinished(
            "the payload is withdrawn from the log and the views, but it cannot be checked whether the server has it in "
            f"memory ({reason_of(error)}): restart the server, or withdraw it again as its user"
        ) from error
    if workers:
        raise WithdrawalUnfinished(
            "the payload is withdrawn from the log and the views, but a process of the server may still have it in memory "
            f"(worker {', '.join(map(str, workers))}): restart the server"
        )


async def withdraw_payload(
    log: EventLog,
    codec: Codec[Event],
    clock: Clock,
    randomness: Randomness,
    position: int,
    request: CommandRequest,
) -> int:
    """Record the withdrawal of the payload at `position`, and erase the payload; return the position of the record.

    If the payload is already withdrawn, finish an interrupted withdrawal and return the head. Raises `Rejection` if
    there is no such event, if its payload cannot be withdrawn, or if the reason is missing. Raises
    `WithdrawalUnfinished` if a copy of the payload may remain.
    """
    reason = checked_reason(request)
    event = await event_to_withdraw(log, position)
    if event.payload is None:
        return await log.withdraw(position, [])
    fact = PayloadWithdrawn(header=msgspec.to_builtins(event.header), remainder=_remainder(codec, event))
    name, version = codec.name_of(fact)
    now = clock.now()
    command_id = uuid7(now, randomness.bytes(10))
    withdrawal = NewEvent(
        event_id=uuid8(command_id, 0),
        type=name,
        schema_version=version,
        recorded_at=now,
        actor_id=request.actor_id,
        on_behalf_of_actor_id=request.on_behalf_of_actor_id,
        command_id=command_id,
        correlation_id=request.correlation_id or command_id,
        causation_id=request.causation_id,
        payload=codec.encode(
            fact, salt=randomness.bytes(SALT_BYTES), reason=reason, trace_id=request.trace_id
        ),
    )
    record = StreamWrite(withdrawal_stream(event.header.event_id), NO_STREAM, (withdrawal,))
    try:
        return await log.withdraw(position, [record])
    except WrongExpectedVersion:
        # Another process has recorded the withdrawal.
        return await log.withdraw(position, [])


def _remainder(codec: Codec[Event], event: StoredEvent) -> Remainder | None:
    """Return what is kept of the event's data; `None` if this program cannot read the event."""
    try:
        return codec.remainder(codec.decode(event).event)
    except UndecodableEvent:
        return None


def checked_reason(request: CommandRequest) -> str:
    """Return the reason of the withdrawal. Raises `Rejection` if it is missing."""
    reason = request.checked_reason()
    if reason is None:
        raise Rejection(ErrorCode.BLANK, "A withdrawal needs a reason.", field=("reason",))
    return reason


async def event_to_withdraw(log: EventLog, position: int) -> StoredEvent:
    """Return the event at `position`. Raises `Rejection` if there is none, or if its payload cannot be withdrawn."""
    events = await log.read(position - 1, 1)
    if not events or events[0].position != position:
        raise Rejection(
            ErrorCode.NOT_FOUND, f"There is no event at position {position:,}.", field=("position",)
        )
    event = events[0]
    if explanation := NEVER_WITHDRAWN.get(event.header.type):
        message = f"The payload of {event.header.type} cannot be withdrawn: {explanation}."
        raise Rejection(ErrorCode.INVALID_VALUE, message, field=("position",))
    return event


async def _reach_other_sets(directory: ViewsDirectory, record: int) -> None:
    """Wait until no views of other sets of features contain the withdrawn payload.

    Files that no process has open are deleted. The processes of the other files apply the withdrawal; after
    `OTHER_SETS_TIMEOUT`, files that still contain the payload are deleted too.
    """

    async def is_everywhere() -> bool | None:
        return directory.drop_withdrawn_of_other_sets(record) or None

    if not await poll(is_everywhere, interval=POLL_INTERVAL, timeout=OTHER_SETS_TIMEOUT):
        directory.drop_withdrawn_of_other_sets(record, spare_open=False)


async def _switched(store: Store, directory: ViewsDirectory) -> bool:
    """Wait until the store uses the current views of the directory; return whether it does."""

    async def is_switched() -> bool | None:
        return store.views.path == directory.current or None

    return bool(await poll(is_switched, interval=POLL_INTERVAL, timeout=SWITCH_TIMEOUT))
