"""Files with one event per line (CloudEvents 1.0): export the events of a log, and create a log from an export."""

from collections.abc import Iterator
from contextlib import aclosing
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import BinaryIO, Final

from ledgerpress.eventlog.cloud_events import NotAnEvent, from_line, to_line
from ledgerpress.eventlog.envelope import StoredEvent
from ledgerpress.eventlog.errors import EventLogError, LogUnusable
from ledgerpress.eventlog.log import check_gapless
from ledgerpress.eventlog.merkle import TreeHead
from ledgerpress.features.registry import event_codec
from ledgerpress.operator import Progress
from ledgerpress.operator.log_copy import copy_of
from ledgerpress.operator.log_verifier import LogVerifier
from ledgerpress.server.data_directory import is_vacant, replace_directory
from ledgerpress.server.log_factory import existing_log, open_copy_target
from ledgerpress.server.log_url import LOCAL, LogUrl

BATCH: Final = 1_000


async def export_events(data: Path, log: str, target: BinaryIO, progress: Progress) -> int:
    """Write every event of a log to `target`, in order; return their number. Raises `LogUnusable`."""
    async with existing_log(data, log) as opened:
        after, head = 0, await opened.head()
        while after < head:
            batch = await opened.read(after, min(BATCH, head - after))
            check_gapless(batch, after)
            target.writelines(to_line(event) + b"\n" for event in batch)
            after = batch[-1].position
            progress(after, head)
        return head


async def import_events(
    file: Path, data: Path, *, log: str = LOCAL, progress: Progress | None = None
) -> TreeHead:
    """Create a log from the events in `file` and return its head.

    The log is created in `data`, which must be empty or new, or at the URL `log`. Before that, it is written to a
    temporary directory and verified. Raises `LogUnusable` if there already is a store, and `EventLogError` for an
    invalid event.
    """
    url = LogUrl.parse(log)
    if url.is_local and not is_vacant(data):
        raise LogUnusable(f"{data} already contains a store: import into an empty or new directory")
    with TemporaryDirectory(prefix=".import-", dir=data.parent if url.is_local else None) as temporary:
        place = Path(temporary) / "store"
        place.mkdir()
        head = await _create_log(file, place, progress)
        if url.is_local:
            replace_directory(data, place)
        else:
            async with existing_log(place) as imported:
                await copy_of(imported, url, data, progress=progress)
    return head


async def _create_log(file: Path, place: Path, progress: Progress | None) -> TreeHead:
    publication = _publication_of(file)
    async with aclosing(await open_copy_target(LogUrl.parse(LOCAL), place, publication)) as target:
        for batch in _batches_of(file, publication):
            await target.extend(batch)
        await target.finish()
    async with existing_log(place) as imported:
        verification = await LogVerifier(imported, event_codec()).run(progress)
    if (finding := verification.finding) is not None:
        raise EventLogError(f"line {finding.position}: {finding.problem}")
    return verification.head


def _publication_of(file: Path) -> str:
    """Return the publication of the first event of `file`.

    Raises `EventLogError` if there is none, and `OSError` if the file cannot be read.
    """
    for event in _events(file):
        return event.header.publication
    raise EventLogError(f"{file} contains no events")


def _batches_of(file: Path, publication: str) -> Iterator[list[StoredEvent]]:
    """Yield the events of `file`, which must belong to `publication` and begin at position 1, without a gap.

    Raises `EventLogError`, `OSError`.
    """
    events = enumerate(_events(file), start=1)
    while batch := list(islice(events, BATCH)):
        for expected, event in batch:
            if event.position != expected:
                raise EventLogError(f"line {expected}: expected position {expected}, not {event.position}")
            if event.header.publication != publication:
                raise EventLogError(
                    f"line {expected}: the event belongs to another publication than the events before it"
                )
        yield [event for _, event in batch]


def _events(file: Path) -> Iterator[StoredEvent]:
    with file.open("rb") as lines:
        for number, line in enumerate(lines, start=1):
            try:
                yield from_line(line)
            except NotAnEvent as error:
                raise EventLogError(f"line {number}: {error}") from error
