"""Files with one event per line (CloudEvents 1.0): export the events of a log, and create a log from an export."""

import codecs
import fcntl
import os
import shutil
import stat
from collections.abc import Iterable, Iterator
from contextlib import aclosing, contextmanager, suppress
from itertools import chain, islice
from pathlib import Path
from tempfile import TemporaryDirectory, gettempdir
from typing import BinaryIO, Final

from ledgerpress.eventlog.cloud_events import EndRecord, NotAnEvent, from_line, to_end_line, to_line
from ledgerpress.eventlog.envelope import StoredEvent
from ledgerpress.eventlog.errors import EventLogError, LogUnusable
from ledgerpress.eventlog.log import check_gapless
from ledgerpress.eventlog.merkle import TREE_HEAD_VERSION, Frontier, TreeHead
from ledgerpress.features.registry import event_codec
from ledgerpress.operator import Progress
from ledgerpress.operator.log_copy import copy_of
from ledgerpress.operator.log_verifier import LogVerifier
from ledgerpress.operator.recorded_time_of_log import recorded_time_of
from ledgerpress.server.data_directory import is_vacant, replace_directory
from ledgerpress.server.log_factory import existing_log, open_copy_target
from ledgerpress.server.log_url import LOCAL, LogUrl

BATCH: Final = 1_000
_TEMPORARY: Final = ".import-"
_LOCK: Final = "lock"
"""The file in a temporary directory that is locked while its process runs."""


async def export_events(data: Path, log: str, target: BinaryIO, progress: Progress) -> int:
    """Write every event of a log to `target`, in order, and then an end record; return the number of events.

    Raises `LogUnusable`.
    """
    async with existing_log(data, log) as opened:
        tree, recorded_time = Frontier(), None
        after, head = 0, await opened.head()
        while after < head:
            batch = await opened.read(after, min(BATCH, head - after))
            check_gapless(batch, after)
            for event in batch:
                tree.append(event.header.leaf_hash())
                recorded_time = max(recorded_time or 0, event.header.recorded_at)
                target.write(to_line(event) + b"\n")
            after = batch[-1].position
            progress(after, head)
        recorded_time = await recorded_time_of(opened, event_codec(), head, recorded_time)
        end = TreeHead(TREE_HEAD_VERSION, opened.publication, head, tree.root().hex(), recorded_time)
        target.write(to_end_line(end) + b"\n")
        return head


async def import_events(
    file: BinaryIO,
    data: Path,
    *,
    log: str = LOCAL,
    saved_head: TreeHead | None = None,
    may_lack_end: bool = False,
    progress: Progress | None = None,
) -> TreeHead:
    """Create a log from the events in `file` and return its head.

    The log is created in `data`, which must be empty or new, or at the URL `log`. Before that, it is written to a
    temporary directory and verified. If there is a `saved_head`, the log must extend it. Without an end record, the log
    must have exactly the events of `saved_head`, unless the file `may_lack_end`. Raises `LogUnusable` if there already
    is a store, and `EventLogError` for an invalid event or an incomplete file.
    """
    url = LogUrl.parse(log)
    if url.is_local and not is_vacant(data):
        raise LogUnusable(f"{data} already contains a store: import into an empty or new directory")
    with _temporary_store(data.parent if url.is_local else Path(gettempdir())) as place:
        head = await _create_log(_EventLines(file), place, saved_head, progress, may_lack_end=may_lack_end)
        if url.is_local:
            replace_directory(data, place)
        else:
            async with existing_log(place) as imported:
                await copy_of(imported, url, data, progress=progress)
    return head


@contextmanager
def _temporary_store(folder: Path) -> Iterator[Path]:
    """Yield a new directory in `folder`, and delete it at the end, with those of killed processes."""
    _delete_abandoned(folder)
    with TemporaryDirectory(prefix=_TEMPORARY, dir=folder) as temporary:
        unlocked, lock = Path(temporary) / f"{_LOCK}.new", Path(temporary) / _LOCK
        with unlocked.open("xb") as locked:
            fcntl.flock(locked, fcntl.LOCK_EX)
            unlocked.rename(lock)  # other processes never see it without the lock
            place = Path(temporary) / "store"
            place.mkdir()
            yield place


def _delete_abandoned(folder: Path) -> None:
    """Delete the temporary directories of killed processes. `folder` may be one in which every user can write.

    So follow no link, write to no file, and touch only directories of this user.
    """
    for directory in folder.glob(f"{_TEMPORARY}*"):
        with suppress(OSError):
            status = directory.lstat()
            if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid():
                continue
            lock = os.open(directory / _LOCK, os.O_RDONLY | os.O_NOFOLLOW)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(directory)
            finally:
                os.close(lock)


async def _create_log(
    lines: "_EventLines",
    place: Path,
    saved_head: TreeHead | None,
    progress: Progress | None,
    *,
    may_lack_end: bool,
) -> TreeHead:
    events = iter(lines)
    first = next(events, None)
    if first is None:
        raise EventLogError("the file contains no events")
    publication = first.header.publication
    async with aclosing(await open_copy_target(LogUrl.parse(LOCAL), place, publication)) as target:
        for batch in _batches_of(chain([first], events), publication):
            await target.extend(batch)
        await target.finish()
    async with existing_log(place) as imported:
        sizes = [] if saved_head is None else [saved_head.size]
        verification = await LogVerifier(imported, event_codec(), roots_at=sizes).run(progress)
    if (finding := verification.finding) is not None:
        raise EventLogError(f"line {finding.position}: {finding.problem}")
    head = verification.head
    if saved_head is not None and (finding := verification.compare(saved_head, "the saved head")) is not None:
        raise EventLogError(str(finding))
    if lines.end is not None:
        _check_end(lines.end, head)
    elif not may_lack_end and (saved_head is None or saved_head.size != head.size):
        raise EventLogError(
            f"the file ends after {head.size:,} events without an end record, so it may be incomplete: export it again. "
            "If an earlier version exported it, check it with --head FILE, the output of `ledgerpress head --json` at "
            "the same position, or import it with --without-end-record"
        )
    return head


def _check_end(end: EndRecord, head: TreeHead) -> None:
    """Raise `EventLogError` unless the end record describes the events before it."""
    actual = (head.publication, str(head.size), str(head.size), head.root)
    if (end.publication, end.events, end.position, end.root) != actual:
        raise EventLogError(
            f"line {head.size + 1}: the end record describes {end.events} events with the root {end.root}, but the file "
            f"has {head.size} with the root {head.root}: export it again"
        )


def _batches_of(events: Iterable[StoredEvent], publication: str) -> Iterator[list[StoredEvent]]:
    """Yield the events, which must belong to `publication` and begin at position 1, without a gap.

    Raises `EventLogError`, `OSError`.
    """
    numbered = enumerate(events, start=1)
    while batch := list(islice(numbered, BATCH)):
        for expected, event in batch:
            if event.position != expected:
                raise EventLogError(f"line {expected}: expected position {expected}, not {event.position}")
            if event.header.publication != publication:
                raise EventLogError(
                    f"line {expected}: the event belongs to another publication than the events before it"
                )
        yield [event for _, event in batch]


class _EventLines:
    """The events in a file, which are read once, and the end record after them."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.end: EndRecord | None = None
        """The end record, once all lines were read; `None` if there is none."""

    def __iter__(self) -> Iterator[StoredEvent]:
        """Yield the events. Raises `EventLogError` with the line that is not an event, `OSError`."""
        for number, line in enumerate(self._file, start=1):
            if number == 1:
                line = _without_byte_order_mark(line)
            if self.end is not None:
                if line.strip():
                    raise EventLogError(f"line {number}: the file continues after its end record")
                continue
            try:
                record = from_line(line)
            except NotAnEvent as error:
                cut = "" if line.endswith(b"\n") else ". The file ends within this line: it is incomplete"
                raise EventLogError(f"line {number}: {error}{cut}") from error
            if isinstance(record, EndRecord):
                self.end = record
            else:
                yield record


def _without_byte_order_mark(line: bytes) -> bytes:
    """Return the first line without a byte order mark of UTF-8. Raises `EventLogError` for another format."""
    for start, problem in _OTHER_FORMATS.items():
        if line.startswith(start):
            raise EventLogError(problem)
    return line.removeprefix(codecs.BOM_UTF8)


_OTHER_FORMATS: Final = {
    b"\x1f\x8b": "the file is compressed with gzip: import the output of gunzip -c FILE, with - in place of the file",
    b"\x28\xb5\x2f\xfd": "the file is compressed with zstd: import the output of zstd -dc FILE, with - in place of the "
    "file",
    codecs.BOM_UTF16_LE: "the file is UTF-16, as some shells write with >: export it again, with the name of a file",
    codecs.BOM_UTF16_BE: "the file is UTF-16, as some shells write with >: export it again, with the name of a file",
    b"SQLite format 3\x00": "the file is a database: restore a backup with `ledgerpress log restore`",
}
"""What other files begin with, and what to do with them."""
