"""Reads a log from its first event to its last, and finds the first that is wrong.

It goes by the stored bytes, through the log port, and by nothing that was derived from them before. Only to say where a
log was rewritten with all its hashes, which no event shows by itself, does it look at leaf hashes that were kept.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple, TypeAlias

import msgspec

from ledgerpress.eventlog.codec import Codec
from ledgerpress.eventlog.envelope import StoredEvent
from ledgerpress.eventlog.errors import EventLogError
from ledgerpress.eventlog.event import Event
from ledgerpress.eventlog.ids import uuid8
from ledgerpress.eventlog.log import EventLog
from ledgerpress.eventlog.log_events import LogOpened, PayloadWithdrawn, withdrawal_stream
from ledgerpress.eventlog.merkle import Frontier
from ledgerpress.eventlog.tree_head import TREE_HEAD_VERSION, TreeHead
from ledgerpress.operator.event_verification import EventInvalid, verified_leaf_hash, verify_payload
from ledgerpress.operator.stream_versions import StreamVersions

BATCH: Final = 1_000

KeptLeaves: TypeAlias = Callable[[int, int], Mapping[int, bytes]]
"""Returns the leaf hashes that were kept of up to so many events after a position, by position."""
Progress: TypeAlias = Callable[[int, int], None]
"""Takes the position reached and the last one."""


class Finding(NamedTuple):
    """What is wrong. `position` is that of the first event that is; `None` where that cannot be said."""

    position: int | None
    what: str


@dataclass(slots=True)
class LogVerification:
    """What was found: the head over all events before the finding, and how many payloads are withdrawn.

    `roots` holds the roots at the sizes that were asked for, as far as the check came.
    """

    head: TreeHead
    withdrawn: int
    finding: Finding | None
    roots: dict[int, bytes] = field(default_factory=dict)


class LogVerifier:
    """One check of one log, from its beginning. The memory that it takes does not grow with the log."""

    def __init__(
        self,
        log: EventLog,
        codec: Codec[Event],
        *,
        kept: KeptLeaves | None = None,
        roots_at: Collection[int] = (),
    ) -> None:
        """Take the log, leaf hashes kept of it, if any, and the sizes whose roots are wanted."""
        self._log = log
        self._codec = codec
        self._kept = kept or (lambda _after, _limit: {})
        self._roots_at = frozenset(roots_at)
        self._roots: dict[int, bytes] = {}
        self._tree = Frontier()
        self._versions = StreamVersions()
        self._command_id, self._command_events = "", 0
        self._recorded_time: int | None = None
        self._withdrawn = 0

    async def run(self, progress: Progress | None = None) -> LogVerification:
        """Read up to the head, as it is now, or to the first event that is wrong."""
        finding: Finding | None = None
        try:
            end = await self._log.head()
            self._note_root()
            while self._tree.size < end and finding is None:
                finding = await self._check_batch(await self._read(end))
                if progress:
                    progress(self._tree.size, end)
        finally:
            self._versions.close()
        head = TreeHead(
            TREE_HEAD_VERSION,
            self._log.publication,
            self._tree.size,
            self._tree.root().hex(),
            self._recorded_time,
        )
        return LogVerification(head, self._withdrawn, finding, self._roots)

    async def _read(self, end: int) -> Sequence[StoredEvent] | EventLogError:
        """Return the next events; where they cannot be read together, the next alone, or why it cannot be."""
        after = self._tree.size
        failure: EventLogError | None = None
        for limit in (min(BATCH, end - after), 1):
            try:
                return await self._log.read(after, limit)
            except Exception as error:  # noqa: BLE001  # whatever a damaged row makes of itself
                failure = EventLogError(str(error) or type(error).__name__)
        return failure or ()

    async def _check_batch(self, batch: Sequence[StoredEvent] | EventLogError) -> Finding | None:
        expected = self._tree.size + 1
        if isinstance(batch, EventLogError):
            return Finding(expected, f"it cannot be read: {batch}")
        if not batch:
            return Finding(expected, "it is missing: the log ends before its head")
        kept = self._kept(self._tree.size, len(batch))
        self._versions.begin_batch(event.header.stream for event in batch)
        for event in batch:
            expected = self._tree.size + 1
            if event.position != expected:
                return Finding(expected, f"it is missing: the log goes on with position {event.position}")
            try:
                leaf_hash = verified_leaf_hash(event.header, self._log.publication)
                self._check_order(event)
                await self._check_content(event)
                if kept.get(expected, leaf_hash) != leaf_hash:
                    raise EventInvalid("it is not the event from which the views were built")
            except EventLogError as error:
                return Finding(expected, str(error))
            self._tree.append(leaf_hash)
            self._recorded_time = max(self._recorded_time or 0, event.header.recorded_at)
            self._note_root()
        return None

    def _note_root(self) -> None:
        if self._tree.size in self._roots_at:
            self._roots[self._tree.size] = self._tree.root()

    def _check_order(self, event: StoredEvent) -> None:
        """Raise `EventInvalid` unless the event continues its stream and its command."""
        header = event.header
        version = self._versions.next_of(header.stream)
        if header.stream_version != version:
            raise EventInvalid(
                f"version {version} of {header.stream} should be here, not {header.stream_version}"
            )
        self._versions.advance(header.stream)
        if header.command_id != self._command_id:
            self._command_id, self._command_events = header.command_id, 0
        if header.event_id != uuid8(header.command_id, self._command_events):
            raise EventInvalid(f"its id is not that of event {self._command_events + 1} of its command")
        self._command_events += 1

    async def _check_content(self, event: StoredEvent) -> None:
        """Raise `EventLogError` unless the payload is what the header says, or gone as it should be, and can be read."""
        if event.payload is None:
            await self._check_withdrawn(event)
            self._withdrawn += 1
        else:
            verify_payload(event)
        fact = self._codec.decode(event).event
        if isinstance(fact, LogOpened) != (event.position == 1):
            raise EventInvalid("a log begins with log.opened, and has it nowhere else")
        if isinstance(fact, PayloadWithdrawn):
            await self._check_withdrawal(event, fact)

    async def _check_withdrawn(self, event: StoredEvent) -> None:
        for stored in await self._log.read_stream(withdrawal_stream(event.header.event_id)):
            fact = self._codec.decode(stored).event
            if isinstance(fact, PayloadWithdrawn) and fact.header == msgspec.to_builtins(event.header):
                return
        raise EventInvalid("its payload is gone, and no withdrawal of it is recorded")

    async def _check_withdrawal(self, event: StoredEvent, fact: PayloadWithdrawn) -> None:
        position = fact.header.get("position")
        if not isinstance(position, int) or not 0 < position < event.position:
            raise EventInvalid("it withdraws no earlier event")
        (gone,) = await self._log.read(position - 1, 1)
        if msgspec.to_builtins(gone.header) != fact.header:
            raise EventInvalid(f"the event that it withdraws is not the one at position {position}")
        if event.header.stream != withdrawal_stream(gone.header.event_id):
            raise EventInvalid("it is not in the stream of the event that it withdraws")
        if gone.payload is not None:
            raise EventInvalid(f"the payload that it withdraws is still there, at position {position}")
