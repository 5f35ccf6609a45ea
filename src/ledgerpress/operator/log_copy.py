"""Copy a log to another place, in any engine. Each event is verified, written and read back.

The copy stores how many events were compared with the source. An interrupted copy continues there and compares at most
`MAX_UNSAVED_BATCHES` again, so the remaining time depends only on the remaining events.
"""

from collections.abc import Sequence
from contextlib import aclosing, suppress
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from ledgerpress.eventlog.codec import Codec
from ledgerpress.eventlog.copy_target import CopyTarget
from ledgerpress.eventlog.envelope import StoredEvent
from ledgerpress.eventlog.errors import EventLogError, LogExists, LogUnusable
from ledgerpress.eventlog.event_and_withdrawn_event import Event
from ledgerpress.eventlog.kernel_events import WITHDRAWAL, PayloadWithdrawn, withdrawal_stream
from ledgerpress.eventlog.log import EventLog
from ledgerpress.eventlog.merkle import TREE_HEAD_VERSION, Frontier, TreeHead
from ledgerpress.features.registry import event_codec
from ledgerpress.operator import Progress
from ledgerpress.operator.event_verification import EventInvalid, verified_leaf_hash, verify_payload
from ledgerpress.operator.log_verifier import LogVerifier
from ledgerpress.operator.recorded_time_of_log import recorded_time_of
from ledgerpress.server.data_directory import LOG_FILE
from ledgerpress.server.log_factory import existing_log, open_copy_target, open_log
from ledgerpress.server.log_url import LogUrl

BATCH: Final = 1_000
MAX_UNSAVED_BATCHES: Final = 20
"""The maximum number of batches that are compared again after an interruption."""
MAX_ROUNDS: Final = 10
"""Rounds of copying new events, after which a copy ends even if its source is still being written to."""


class LogCopy(NamedTuple):
    """The result of a copy: its head, and whether it is a finished log.

    `missing` is the number of events that the source had beyond the head when the copy ended.
    """

    head: TreeHead
    missing: int
    finished: bool


async def copy_log(
    source: LogUrl, target: LogUrl, data: Path, *, keep_open: bool = False, progress: Progress | None = None
) -> LogCopy:
    """Copy the log at `source` to `target`, which is empty or an unfinished copy, and finish the copy.

    With `keep_open`, the copy stays unfinished and can be continued. If `target` is a finished copy, it is only
    compared with `source`. Raises `LogUnusable`, `LogUnavailable`, and `EventLogError` for an invalid event.
    """
    async with existing_log(data, source.text) as log:
        return await copy_of(log, target, data, keep_open=keep_open, progress=progress)


async def copy_of(
    log: EventLog, target: LogUrl, data: Path, *, keep_open: bool = False, progress: Progress | None = None
) -> LogCopy:
    """Copy an open log, as `copy_log` does."""
    try:
        copy_target = await open_copy_target(target, data, log.publication)
    except LogExists:
        return LogCopy(await _compare(log, target, data, progress), 0, finished=True)
    async with aclosing(copy_target):
        head = await LogCopier(log, copy_target, event_codec()).run(progress)
        if not keep_open:
            await copy_target.finish()
    if not keep_open:
        await _check_opens(target, data, head)
    return LogCopy(head, await log.head() - head.size, finished=not keep_open)


def place_of(url: LogUrl, data: Path) -> str:
    """Return the place of a log, for use in messages: the file, or the URL without passwords."""
    return str(url.file(data / LOG_FILE)) if url.engine == "sqlite" else str(url)


def place_of_store(log: str, data: Path) -> str:
    """Return the place of a store, for use in messages: its directory, or the place of its log at the URL `log`."""
    url = LogUrl.parse(log)
    return str(data) if url.is_local else place_of(url, data)


async def _check_opens(target: LogUrl, data: Path, head: TreeHead) -> None:
    """Raise `EventLogError` unless the finished copy opens as the log that was copied."""
    async with aclosing(await open_log(target, data, create_as=None)) as copy:
        if (copy.publication, await copy.head()) != (head.publication, head.size):
            raise EventLogError(f"{place_of(target, data)} does not contain the log that was copied to it")


async def _compare(log: EventLog, target: LogUrl, data: Path, progress: Progress | None) -> TreeHead:
    """Return the head of a finished copy. Raises `LogUnusable` if the copy differs from `log`."""
    place = place_of(target, data)
    async with aclosing(await open_log(target, data, create_as=None)) as copy:
        if copy.publication != log.publication:
            raise LogUnusable(f"{place} contains the log of another publication, {copy.publication}")
        size, copy_size = await log.head(), await copy.head()
        if size != copy_size:
            raise LogUnusable(
                f"{place} is a finished log already, with {copy_size:,} events, but the log to copy has {size:,}: "
                "a finished copy cannot be continued; copy to another place"
            )
        heads = []
        for side in (log, copy):
            verification = await LogVerifier(side, event_codec(), roots_at=[size]).run(progress)
            if (finding := verification.finding) is not None:
                raise EventLogError(f"position {finding.position}: {finding.problem}")
            heads.append((verification.head, verification.roots[size]))
    if heads[0][1] != heads[1][1]:
        raise LogUnusable(
            f"{place} is a finished log already, of the same publication but with other events: copy to another place"
        )
    return heads[1][0]


class LogComparison(msgspec.Struct, frozen=True):
    """The progress that is stored with a copy: its first `size` events equal the source's, with these tree peaks."""

    size: int = 0
    peaks: tuple[bytes, ...] = ()
    recorded_time: int | None = None


class LogCopier:
    """One run of copying a log to a target, which an earlier run may have begun."""

    def __init__(
        self, source: EventLog, target: CopyTarget, codec: Codec[Event], *, batch_size: int = BATCH
    ) -> None:
        self._source = source
        self._target = target
        self._codec = codec
        self._batch_size = batch_size
        self._tree = Frontier()
        self._recorded_time: int | None = None
        self._written = self._saved = self._needed = 0

    async def run(self, progress: Progress | None = None) -> TreeHead:
        """Copy all events, including events that are recorded meanwhile, and return the head of the copy.

        The copy never ends between an event with a withdrawn payload and the record of that withdrawal. Raises
        `LogUnusable` if the target contains a copy of another log, and `EventLogError` if an event is invalid or is
        not read back as it was written.
        """
        await self._resume()
        rounds = 0
        while (end := max(await self._source.head(), self._needed)) > self._tree.size and (
            rounds < MAX_ROUNDS or self._needed > self._tree.size
        ):
            rounds += 1
            while self._tree.size < end:
                await self._step(end)
                if progress:
                    progress(self._tree.size, end)
        await self._save()
        size, root = self._tree.size, self._tree.root().hex()
        time = await recorded_time_of(self._source, self._codec, size, self._recorded_time)
        return TreeHead(TREE_HEAD_VERSION, self._source.publication, size, root, time)

    async def _resume(self) -> None:
        """Load the progress of an earlier run. Raises `LogUnusable` if that run copied another log."""
        self._written = await self._target.head()
        if self._written:
            last = await self._target.read(self._written - 1, 1)
            if await self._source.head() < self._written:
                raise LogUnusable(
                    f"the copy has {self._written:,} events, more than the log to copy: check whether that is another "
                    "log, or was restored from an older backup"
                )
            same = await self._source.read(self._written - 1, 1)
            if [event.header for event in last] != [event.header for event in same]:
                raise LogUnusable(
                    f"the target is a copy of another log: the events at position {self._written:,} differ"
                )
        with suppress(
            msgspec.MsgspecError, ValueError
        ):  # stored by another version: compare everything again
            compared = msgspec.json.decode(await self._target.load_note() or "{}", type=LogComparison)
            self._tree = Frontier(compared.size, compared.peaks)
            self._saved, self._recorded_time = compared.size, compared.recorded_time
        if self._tree.size > self._written:
            raise LogUnusable(
                "the copy has fewer events than its stored progress: delete the copy, and start again"
            )

    async def _step(self, end: int) -> None:
        """Copy the next events, unless an earlier run copied them, and compare them with the source."""
        after = self._tree.size
        batch = await self._source.read(after, min(self._batch_size, end - after))
        leaf_hashes = [await self._verify(event, after + 1 + index) for index, event in enumerate(batch)]
        if not batch:
            raise EventInvalid(f"position {after + 1} is missing: the log ends before its head")
        if new_events := [event for event in batch if event.position > self._written]:
            await self._target.extend(new_events)
            self._written = new_events[-1].position
        for event in batch:
            if event.header.type == WITHDRAWAL:
                await self._erase(event)
        await self._compare(batch)
        for leaf_hash in leaf_hashes:
            self._tree.append(leaf_hash)
        self._recorded_time = max(self._recorded_time or 0, *(event.header.recorded_at for event in batch))
        if self._tree.size - self._saved >= MAX_UNSAVED_BATCHES * self._batch_size:
            await self._save()

    async def _verify(self, event: StoredEvent, position: int) -> bytes:
        """Return the leaf hash of a valid event. Raises `EventInvalid`."""
        if event.position != position:
            raise EventInvalid(
                f"position {position} is missing: the log continues with position {event.position}"
            )
        try:
            leaf_hash = verified_leaf_hash(event.header, self._source.publication)
            if event.payload is not None:
                verify_payload(event)
            else:
                self._needed = max(self._needed, await self._withdrawn_at(event))
        except EventInvalid as error:
            raise EventInvalid(f"position {position}: {error}") from error
        return leaf_hash

    async def _withdrawn_at(self, event: StoredEvent) -> int:
        """Return the position of the record of the event's withdrawal."""
        for record in await self._source.read_stream(withdrawal_stream(event.header.event_id)):
            if record.header.type == WITHDRAWAL:
                return record.position
        raise EventInvalid("its payload is missing, and no withdrawal of it is recorded")

    async def _erase(self, record: StoredEvent) -> None:
        """Erase the payload that `record` withdraws, if it was copied before the withdrawal was recorded."""
        fact = self._codec.decode(record).event
        if not isinstance(fact, PayloadWithdrawn):
            raise EventInvalid(f"position {record.position}: the payload of this withdrawal is missing")
        position = fact.header.get("position")
        if not isinstance(position, int) or not 0 < position < record.position:
            raise EventInvalid(f"position {record.position}: it does not withdraw an earlier event")
        (event,) = await self._target.read(position - 1, 1)
        if msgspec.to_builtins(event.header) != fact.header or record.header.stream != withdrawal_stream(
            event.header.event_id
        ):
            raise EventInvalid(
                f"position {record.position}: it does not match the event that it withdraws, at position {position}"
            )
        if event.payload is not None:
            await self._target.erase(position)

    async def _compare(self, batch: Sequence[StoredEvent]) -> None:
        """Read the copies of `batch` back. Raises `EventLogError` if an event differs from the source."""
        after, last = batch[0].position - 1, batch[-1].position
        copies: list[StoredEvent] = []
        while len(copies) < len(batch):
            next_copies = await self._target.read(after + len(copies), len(batch) - len(copies))
            if not next_copies:
                break
            copies += next_copies
        if len(copies) != len(batch):
            raise EventLogError(f"the copy ends before position {last}, which was written")
        for event, copy in zip(batch, copies, strict=True):
            if copy.header != event.header:
                raise EventLogError(f"position {event.position} is not read back as it was written")
            if copy.payload != event.payload:
                await self._check_withdrawn(copy)

    async def _check_withdrawn(self, copy: StoredEvent) -> None:
        """Accept that only one side has the payload of an event, if it was withdrawn during the copy."""
        self._needed = max(self._needed, await self._withdrawn_at(copy))
        if copy.payload is not None:
            verify_payload(copy)

    async def _save(self) -> None:
        if self._tree.size > self._saved:
            compared = LogComparison(self._tree.size, tuple(self._tree.peaks), self._recorded_time)
            await self._target.save_note(msgspec.json.encode(compared).decode())
            self._saved = self._tree.size
