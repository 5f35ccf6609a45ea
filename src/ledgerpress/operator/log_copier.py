"""Copies a log, event by event: each is checked by its bytes before it is written, and read back afterwards.

How far the copy has been read back is noted with it. Whatever is cut off goes on from there, and nothing that was
compared once is read a second time, so that the last part of a long copy takes as long as that part.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final, TypeAlias

import msgspec

from ledgerpress.eventlog.codec import Codec
from ledgerpress.eventlog.copy_target import CopyTarget
from ledgerpress.eventlog.envelope import StoredEvent
from ledgerpress.eventlog.errors import EventLogError, LogUnusable
from ledgerpress.eventlog.event import Event
from ledgerpress.eventlog.log import EventLog
from ledgerpress.eventlog.log_events import WITHDRAWAL, PayloadWithdrawn, withdrawal_stream
from ledgerpress.eventlog.merkle import Frontier
from ledgerpress.eventlog.tree_head import TREE_HEAD_VERSION, TreeHead
from ledgerpress.operator.event_verification import EventInvalid, verified_leaf_hash, verify_payload

BATCH: Final = 1_000
NOTED_AFTER: Final = 20
"""So many batches are compared again, at most, when a copy was cut off."""
LOOKS: Final = 10
"""How often it is looked whether there is more, before a log that is written to without a pause is left behind."""

Progress: TypeAlias = Callable[[int, int], None]
"""Takes the position reached and the last one."""


class LogComparison(msgspec.Struct, frozen=True):
    """What is noted with a copy: the first `size` events are there and equal, and make a tree with these peaks."""

    size: int = 0
    peaks: tuple[bytes, ...] = ()
    recorded_time: int | None = None


class LogCopier:
    """One run of copying one log to a replica of it, which may have been begun by an earlier run."""

    def __init__(
        self, source: EventLog, target: CopyTarget, codec: Codec[Event], *, batch_size: int = BATCH
    ) -> None:
        """Take both ends, and how many events are read and written together."""
        self._source = source
        self._target = target
        self._codec = codec
        self._batch_size = batch_size
        self._tree = Frontier()
        self._recorded_time: int | None = None
        self._written = self._noted = self._needed = 0

    async def run(self, progress: Progress | None = None) -> TreeHead:
        """Copy up to the head, and return that of the copy. What is recorded meanwhile is copied too.

        It never ends between a payload that is gone at the source and the record of its withdrawal. Raises `LogUnusable`
        where the copy is of another log, and `EventLogError` where anything is wrong with an event, or is not read
        back as it was written.
        """
        await self._resume()
        looks = 0
        while (end := max(await self._source.head(), self._needed)) > self._tree.size and (
            looks < LOOKS or self._needed > self._tree.size
        ):
            looks += 1
            while self._tree.size < end:
                await self._step(end)
                if progress:
                    progress(self._tree.size, end)
        await self._note()
        size, root = self._tree.size, self._tree.root().hex()
        return TreeHead(TREE_HEAD_VERSION, self._source.publication, size, root, self._recorded_time)

    async def _resume(self) -> None:
        """Find how far an earlier run came. Raises `LogUnusable` where that was with another log."""
        self._written = await self._target.head()
        if self._written:
            last = await self._target.read(self._written - 1, 1)
            if await self._source.head() < self._written:
                raise LogUnusable(
                    f"the copy holds {self._written:,} events, and the log that should be copied ends before: it is another, or was perhaps "
                    "restored from an older backup"
                )
            same = await self._source.read(self._written - 1, 1)
            if [one.header for one in last] != [one.header for one in same]:
                raise LogUnusable(
                    f"what was begun there is a copy of another log: position {self._written:,} is another event"
                )
        with suppress(
            msgspec.MsgspecError, ValueError
        ):  # noted by another version: all is compared once more
            compared = msgspec.json.decode(await self._target.load_note() or "{}", type=LogComparison)
            self._tree = Frontier(compared.size, compared.peaks)
            self._noted, self._recorded_time = compared.size, compared.recorded_time
        if self._tree.size > self._written:
            raise LogUnusable("the copy has fewer events than were noted with it: delete it, and copy anew")

    async def _step(self, end: int) -> None:
        """Copy the next events, or what an earlier run did not come to compare of them, and compare."""
        after = self._tree.size
        batch = await self._source.read(after, min(self._batch_size, end - after))
        leaf_hashes = [await self._checked(event, after + 1 + index) for index, event in enumerate(batch)]
        if not batch:
            raise EventInvalid(f"position {after + 1} is missing: the log ends before its head")
        if fresh := [event for event in batch if event.position > self._written]:
            await self._target.extend(fresh)
            self._written = fresh[-1].position
        for event in batch:
            if event.header.type == WITHDRAWAL:
                await self._erase(event)
        await self._compare(batch)
        for leaf_hash in leaf_hashes:
            self._tree.append(leaf_hash)
        self._recorded_time = max(self._recorded_time or 0, *(event.header.recorded_at for event in batch))
        if self._tree.size - self._noted >= NOTED_AFTER * self._batch_size:
            await self._note()

    async def _checked(self, event: StoredEvent, position: int) -> bytes:
        """Return the leaf hash of an event that is what it was when it was recorded. Raises `EventInvalid`."""
        if event.position != position:
            raise EventInvalid(
                f"position {position} is missing: the log goes on with position {event.position}"
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
        """Return where the withdrawal of the event is recorded."""
        for record in await self._source.read_stream(withdrawal_stream(event.header.event_id)):
            if record.header.type == WITHDRAWAL:
                return record.position
        raise EventInvalid("its payload is gone, and no withdrawal of it is recorded")

    async def _erase(self, record: StoredEvent) -> None:
        """Erase what was copied before its withdrawal was recorded."""
        fact = self._codec.decode(record).event
        if not isinstance(fact, PayloadWithdrawn):
            raise EventInvalid(f"position {record.position}: the record of a withdrawal is gone itself")
        position = fact.header.get("position")
        if not isinstance(position, int) or not 0 < position < record.position:
            raise EventInvalid(f"position {record.position}: it withdraws no earlier event")
        (gone,) = await self._target.read(position - 1, 1)
        if msgspec.to_builtins(gone.header) != fact.header or record.header.stream != withdrawal_stream(
            gone.header.event_id
        ):
            raise EventInvalid(f"position {record.position}: it withdraws another event than it says")
        if gone.payload is not None:
            await self._target.erase(position)

    async def _compare(self, batch: Sequence[StoredEvent]) -> None:
        """Read the copies of `batch` back. Raises `EventLogError` where one is not what was read from the source."""
        after, last = batch[0].position - 1, batch[-1].position
        found: list[StoredEvent] = []
        while len(found) < len(batch):
            more = await self._target.read(after + len(found), len(batch) - len(found))
            if not more:
                break
            found += more
        if len(found) != len(batch):
            raise EventLogError(f"the copy ends before position {last}, which was written")
        for event, copy in zip(batch, found, strict=True):
            if copy.header != event.header:
                raise EventLogError(f"position {event.position} is not read back as it was written")
            if copy.payload != event.payload:
                await self._check_withdrawn(copy)

    async def _check_withdrawn(self, copy: StoredEvent) -> None:
        """Accept an event whose payload one end has and the other has not: it was withdrawn while it was copied."""
        self._needed = max(self._needed, await self._withdrawn_at(copy))
        if copy.payload is not None:
            verify_payload(copy)

    async def _note(self) -> None:
        if self._tree.size > self._noted:
            compared = LogComparison(self._tree.size, tuple(self._tree.peaks), self._recorded_time)
            await self._target.save_note(msgspec.json.encode(compared).decode())
            self._noted = self._tree.size
