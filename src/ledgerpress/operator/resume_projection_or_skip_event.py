"""Handle a paused projection: resume it, or skip the event at which it failed."""

from pathlib import Path
from typing import Final

from ledgerpress.commands.command_request_and_context import CommandRequest
from ledgerpress.commands.errors import ErrorCode, Rejection
from ledgerpress.commands.skip_event import SkipEvent
from ledgerpress.eventlog.envelope import Header
from ledgerpress.feature import FeatureSet
from ledgerpress.features.registry import FEATURES
from ledgerpress.operator import Confirm, Progress
from ledgerpress.server.store import Store, open_store
from ledgerpress.views.projection.checkpoints import Checkpoint

PROGRESS_INTERVAL: Final = 1.0
"""Seconds between two reports of a projection's progress."""


async def resume_projection(
    data: Path, log: str, name: str, progress: Progress, *, features: FeatureSet = FEATURES
) -> Checkpoint:
    """Resume a paused projection. Return its checkpoint when it reaches the head or is paused again.

    Raises `Rejection` if it is not paused.
    """
    async with open_store(
        data, log=log, features=features, create=False, resume=False, progress=progress
    ) as store:
        _failed_at(store, name, "resume")
        return await _resume(store, name, progress)


async def skip_event(
    data: Path,
    log: str,
    name: str,
    request: CommandRequest,
    progress: Progress,
    *,
    confirm: Confirm[tuple[Header, str]] | None = None,
    features: FeatureSet = FEATURES,
) -> tuple[Header, Checkpoint]:
    """Record that a paused projection skips the event at which it failed, and resume it.

    `confirm` is called with the header of that event and the error. Returns the header, and the checkpoint as
    `resume_projection` does. Raises `Rejection` if the projection is not paused or the reason is missing.
    """
    if request.checked_reason() is None:
        raise Rejection(ErrorCode.BLANK, "A skip needs a reason.", field=("reason",))
    async with open_store(
        data, log=log, features=features, create=False, resume=False, progress=progress
    ) as store:
        position = _failed_at(store, name, "skip")
        (event,) = await store.log.read(position - 1, 1)
        if confirm is not None:
            await confirm((event.header, store.checkpoints[name].error or ""))
        await store.commands.handle(SkipEvent(projection=name, position=position), request)
        return event.header, await _resume(store, name, progress)


def _failed_at(store: Store, name: str, action: str) -> int:
    """Return the position of the event at which the projection is paused. Raises `Rejection` if it is not paused."""
    position = store.checkpoints[name].failed_at
    if position is None:
        message = f"projection {name} runs; there is nothing to {action}"
        raise Rejection(ErrorCode.INVALID_VALUE, message, field=("name",))
    return position


async def _resume(
    store: Store, name: str, progress: Progress, *, features: FeatureSet = FEATURES
) -> Checkpoint:
    """Resume a projection, and wait until it reaches the head or is paused."""
    await store.views.resume(name)
    head = await store.log.head()
    while not (point := store.checkpoints[name]).is_paused and point.position < head:
        progress(point.position, head)
        await store.views.wait_for(head, PROGRESS_INTERVAL, [name])
    return point
