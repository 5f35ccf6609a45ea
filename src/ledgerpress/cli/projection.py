"""`ledgerpress projection`: what an operator does about a projection that is paused."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Final

import typer

from ledgerpress.cli.terminal import (
    DEFAULT_DATA,
    DEFAULT_LOG,
    MISUSED,
    REFUSED,
    DataOption,
    LogOption,
    err,
    fail,
    out,
    progress,
    run,
)
from ledgerpress.commands.errors import ErrorCode, Rejection
from ledgerpress.commands.request import CommandRequest
from ledgerpress.commands.skip_event import SkipEvent
from ledgerpress.eventlog.envelope import Header
from ledgerpress.features.registry import all_projectors
from ledgerpress.server.store import Store, open_store
from ledgerpress.views.projection.checkpoints import Checkpoint

NameArgument = Annotated[str, typer.Argument(help="The projection's name; see `ledgerpress status`.")]

_SECONDS_TO_WAIT: Final = 1.0
"""Between two looks at how far a projection has come."""


def resume(name: NameArgument, data: DataOption = DEFAULT_DATA, log: LogOption = DEFAULT_LOG) -> None:
    """Let the paused projection NAME try again, once what it failed at is mended."""
    _check_name(name)
    with progress("Following the log") as report:
        point = run(_resume(data, log, name, report))
    _tell(name, point)


def skip(
    name: NameArgument,
    reason: Annotated[str, typer.Option("--reason", help="Why; it is recorded, and kept.")],
    data: DataOption = DEFAULT_DATA,
    log: LogOption = DEFAULT_LOG,
) -> None:
    """Record that the paused projection NAME may do without the event that it failed at, and let it go on."""
    _check_name(name)
    with progress("Following the log") as report:
        skipped, point = run(_skip(data, log, name, CommandRequest(reason=reason), report))
    out.print(f"skipped  position {skipped.position:,}  {skipped.type}  {skipped.stream}")
    _tell(name, point)


async def _resume(data: Path, log: str, name: str, report: Callable[[int, int], None]) -> Checkpoint:
    async with open_store(data, log=log, create=False, resume=False, progress=report) as store:
        _failed_at(store, name, "resume")
        return await _tried_again(store, name, report)


async def _skip(
    data: Path, log: str, name: str, request: CommandRequest, report: Callable[[int, int], None]
) -> tuple[Header, Checkpoint]:
    if request.checked_reason() is None:
        raise Rejection(ErrorCode.BLANK, "A skip needs a reason.", field=("reason",))
    async with open_store(data, log=log, create=False, resume=False, progress=report) as store:
        position = _failed_at(store, name, "skip")
        (event,) = await store.log.read(position - 1, 1)
        await store.commands.handle(SkipEvent(projection=name, position=position), request)
        return event.header, await _tried_again(store, name, report)


def _check_name(name: str) -> None:
    names = [projector.name for projector in all_projectors()]
    if name not in names:
        fail(f"there is no projection {name}; there are {', '.join(names)}", MISUSED)


def _failed_at(store: Store, name: str, what_for: str) -> int:
    """Return the position of the event at which the projection is paused. Raises `Rejection` where it runs."""
    position = store.checkpoints[name].failed_at
    if position is None:
        message = f"projection {name} runs; there is nothing to {what_for}"
        raise Rejection(ErrorCode.INVALID_VALUE, message, field=("name",))
    return position


async def _tried_again(store: Store, name: str, report: Callable[[int, int], None]) -> Checkpoint:
    """Let a projection try again, and wait until it has reached the head, or is paused."""
    await store.views.resume(name)
    head = await store.log.head()
    while not (point := store.checkpoints[name]).is_paused and point.position < head:
        report(point.position, head)
        await store.views.wait_for(head, _SECONDS_TO_WAIT, [name])
    return point


def _tell(name: str, point: Checkpoint) -> None:
    if point.failed_at is not None:
        fail(f"projection {name} is paused again, at position {point.failed_at:,}: {point.error}", REFUSED)
    err.print(f"Projection {name} runs again, and has reached position {point.position:,}.")
