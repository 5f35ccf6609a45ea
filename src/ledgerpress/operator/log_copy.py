"""Moves a publication's log to another place, in whatever engine that is."""

from collections.abc import Callable
from contextlib import aclosing
from pathlib import Path
from typing import NamedTuple

from ledgerpress.eventlog.errors import EventLogError, LogExists, LogUnusable
from ledgerpress.eventlog.log import EventLog
from ledgerpress.eventlog.tree_head import TreeHead
from ledgerpress.features.registry import event_codec
from ledgerpress.operator.log_copier import LogCopier
from ledgerpress.operator.log_verification import LogVerifier
from ledgerpress.server.data_directory import LOG_FILE
from ledgerpress.server.log_factory import open_log, open_replica
from ledgerpress.server.log_url import LogUrl
from ledgerpress.server.open_log import reading_log

Progress = Callable[[int, int], None]


class Copied(NamedTuple):
    """What the copy holds, how many events the source had beyond that in the end, and whether it is a log now."""

    head: TreeHead
    missing: int
    finished: bool


async def copy_log(
    source: LogUrl, target: LogUrl, data: Path, *, keep_open: bool = False, progress: Progress | None = None
) -> Copied:
    """Copy the log at `source` to `target`, where there is none, or an unfinished copy of it, and make it a log there.

    With `keep_open` it stays unfinished, to be gone on with. Where an earlier run finished it, it is only compared.
    Raises `LogUnusable`, `LogUnavailable`, and `EventLogError` where anything is wrong with an event.
    """
    async with reading_log(data, source.text) as log:
        return await copy_of(log, target, data, keep_open=keep_open, progress=progress)


async def copy_of(
    log: EventLog, target: LogUrl, data: Path, *, keep_open: bool = False, progress: Progress | None = None
) -> Copied:
    """Copy an open log, as `copy_log` does."""
    try:
        replica = await open_replica(target, data, log.publication)
    except LogExists:
        return Copied(await _compared(log, target, data, progress), 0, finished=True)
    try:
        head = await LogCopier(log, replica, event_codec()).run(progress)
        if not keep_open:
            await replica.finish()
    finally:
        await replica.aclose()
    if not keep_open:
        await _check_opens(target, data, head)
    return Copied(head, await log.head() - head.size, finished=not keep_open)


def place_of(url: LogUrl, data: Path) -> str:
    """Return how to call the place of a log: the file, or the URL without passwords."""
    return str(url.file(data / LOG_FILE)) if url.engine == "sqlite" else str(url)


async def _check_opens(target: LogUrl, data: Path, head: TreeHead) -> None:
    """Raise `EventLogError` unless what was finished opens as the log that was copied."""
    async with aclosing(await open_log(target, data, create_as=None)) as made:
        if (made.publication, await made.head()) != (head.publication, head.size):
            raise EventLogError(f"{place_of(target, data)} does not open as what was copied to it")


async def _compared(log: EventLog, target: LogUrl, data: Path, progress: Progress | None) -> TreeHead:
    """Return the head of a finished copy. Raises `LogUnusable` where it is not one of `log` as it is now."""
    place = place_of(target, data)
    async with aclosing(await open_log(target, data, create_as=None)) as made:
        if made.publication != log.publication:
            raise LogUnusable(f"{place} holds the log of another publication, {made.publication}")
        size, there = await log.head(), await made.head()
        if size != there:
            raise LogUnusable(
                f"{place} is a finished log already, up to position {there:,}, and the one to copy goes up to {size:,}: "
                "a log that is finished is not gone on with; name another place"
            )
        heads = []
        for one in (log, made):
            checked = await LogVerifier(one, event_codec(), roots_at=[size]).run(progress)
            if checked.finding is not None:
                raise EventLogError(f"position {checked.finding.position}: {checked.finding.what}")
            heads.append((checked.head, checked.roots[size]))
    if heads[0][1] != heads[1][1]:
        raise LogUnusable(f"{place} is a finished log already, and another one of the same publication")
    return heads[1][0]
