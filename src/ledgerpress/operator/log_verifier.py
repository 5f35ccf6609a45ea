"""Verify a log from its first event to its last, and find the first invalid event.

The verification reads the stored bytes through the log port, and uses nothing that was derived from them. This cannot
detect a log that was rewritten with all its hashes. So the events are also compared with the leaf hashes in the views.
"""

import sqlite3
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple, TypeAlias

import msgspec

from ledgerpress.eventlog.clock_randomness_ids import uuid8
from ledgerpress.eventlog.codec import Codec
from ledgerpress.eventlog.envelope import StoredEvent
from ledgerpress.eventlog.errors import EventLogError
from ledgerpress.eventlog.event_and_withdrawn_event import Event
from ledgerpress.eventlog.kernel_events import LogOpened, PayloadWithdrawn, withdrawal_stream
from ledgerpress.eventlog.log import EventLog
from ledgerpress.eventlog.merkle import TREE_HEAD_VERSION, Frontier, TreeHead
from ledgerpress.operator import Progress
from ledgerpress.operator.event_verification import EventInvalid, verified_leaf_hash, verify_payload
from ledgerpress.operator.recorded_time_of_log import recorded_time_of

BATCH: Final = 1_000

KnownLeaves: TypeAlias = Callable[[int, int], Mapping[int, bytes]]
"""Called with a position and a number of events; returns the leaf hashes that the views have for them, by position."""


class Finding(NamedTuple):
    """A problem of a log. `position` is the position of the first invalid event, if it is known."""

    position: int | None
    problem: str

    def __str__(self) -> str:
        prefix = "" if self.position is None else f"position {self.position}: "
        return prefix + self.problem.removeprefix(prefix)


@dataclass(slots=True)
class LogVerification:
    """The result of a verification: the head over all events before the finding, and the number of withdrawn payloads.

    If there is a finding, the recorded time of the head is without corrections of clocks. `unknown` counts the events of third-party features that are not loaded, by type; their data was not decoded.
    `roots` contains the roots at the requested sizes that were reached.
    """

    head: TreeHead
    withdrawn: int
    finding: Finding | None
    unknown: Mapping[str, int] = field(default_factory=dict)
    roots: dict[int, bytes] = field(default_factory=dict)

    def compare(self, earlier: TreeHead, source: str) -> Finding | None:
        """Return a finding if the log does not extend `earlier`, whose size must be one of the requested sizes.

        The root at that size was computed from all events, so no proof is needed. `source` names the earlier head in
        messages.
        """
        head = self.head
        if earlier.publication != head.publication:
            problem = f"the log belongs to publication {head.publication}, not to {earlier.publication}"
            return Finding(None, problem)
        if earlier.size > head.size:
            problem = f"it is missing: the log ends at position {head.size:,}, but {source} has {earlier.size:,} events"
            return Finding(head.size + 1, problem)
        if self.roots[earlier.size].hex() != earlier.root:
            return Finding(None, f"the first {earlier.size:,} events differ from {source}")
        return None


class LogVerifier:
    """One verification of one log, from its beginning. Memory use does not grow with the log."""

    def __init__(
        self,
        log: EventLog,
        codec: Codec[Event],
        *,
        known_leaves: KnownLeaves | None = None,
        roots_at: Collection[int] = (),
    ) -> None:
        """`roots_at` contains the sizes of the log for which the result must contain the root."""
        self._log = log
        self._codec = codec
        self._known_leaves = known_leaves or (lambda _after, _limit: {})
        self._roots_at = frozenset(roots_at)
        self._roots: dict[int, bytes] = {}
        self._tree = Frontier()
        self._versions = _StreamVersions()
        self._command_id, self._command_events = "", 0
        self._recorded_time: int | None = None
        self._withdrawn = 0
        self._unknown = Counter[str]()

    async def run(self, progress: Progress | None = None) -> LogVerification:
        """Read up to the current head, or to the first invalid event."""
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
        size, root = self._tree.size, self._tree.root().hex()
        time = self._recorded_time
        if finding is None:
            time = await recorded_time_of(self._log, self._codec, size, time)
        head = TreeHead(TREE_HEAD_VERSION, self._log.publication, size, root, time)
        return LogVerification(head, self._withdrawn, finding, dict(self._unknown), self._roots)

    async def _read(self, end: int) -> Sequence[StoredEvent] | EventLogError:
        """Return the next batch; if it cannot be read, only the next event, or the error that reading it raises."""
        after = self._tree.size
        failure: EventLogError | None = None
        for limit in (min(BATCH, end - after), 1):
            try:
                return await self._log.read(after, limit)
            except Exception as error:  # noqa: BLE001  # a damaged row may raise anything
                failure = EventLogError(str(error) or type(error).__name__)
        return failure or ()

    async def _check_batch(self, batch: Sequence[StoredEvent] | EventLogError) -> Finding | None:
        expected = self._tree.size + 1
        if isinstance(batch, EventLogError):
            return Finding(expected, f"it cannot be read: {batch}")
        if not batch:
            return Finding(expected, "it is missing: the log ends before its head")
        known = self._known_leaves(self._tree.size, len(batch))
        self._versions.begin_batch(event.header.stream for event in batch)
        for event in batch:
            expected = self._tree.size + 1
            if event.position != expected:
                return Finding(expected, f"it is missing: the log continues with position {event.position}")
            try:
                leaf_hash = verified_leaf_hash(event.header, self._log.publication)
                self._check_order(event)
                await self._check_content(event)
                if known.get(expected, leaf_hash) != leaf_hash:
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
            raise EventInvalid(f"expected version {version} of {header.stream}, not {header.stream_version}")
        self._versions.advance(header.stream)
        if header.command_id != self._command_id:
            self._command_id, self._command_events = header.command_id, 0
        if header.event_id != uuid8(header.command_id, self._command_events):
            raise EventInvalid(f"its id does not match event {self._command_events + 1} of its command")
        self._command_events += 1

    async def _check_content(self, event: StoredEvent) -> None:
        """Raise `EventLogError` unless the payload matches the header, or was withdrawn, and can be decoded."""
        if event.payload is None:
            await self._check_withdrawn(event)
            self._withdrawn += 1
        else:
            verify_payload(event)
        fact = self._codec.decode(event).event
        if not self._codec.knows(event.header.type):
            self._unknown[event.header.type] += 1
        if isinstance(fact, LogOpened) != (event.position == 1):
            raise EventInvalid("a log must begin with log.opened and contain it nowhere else")
        if isinstance(fact, PayloadWithdrawn):
            await self._check_withdrawal(event, fact)

    async def _check_withdrawn(self, event: StoredEvent) -> None:
        for record in await self._log.read_stream(withdrawal_stream(event.header.event_id)):
            fact = self._codec.decode(record).event
            if isinstance(fact, PayloadWithdrawn) and fact.header == msgspec.to_builtins(event.header):
                return
        raise EventInvalid("its payload is missing, and no withdrawal of it is recorded")

    async def _check_withdrawal(self, event: StoredEvent, fact: PayloadWithdrawn) -> None:
        position = fact.header.get("position")
        if not isinstance(position, int) or not 0 < position < event.position:
            raise EventInvalid("it does not withdraw an earlier event")
        (withdrawn_event,) = await self._log.read(position - 1, 1)
        if msgspec.to_builtins(withdrawn_event.header) != fact.header:
            raise EventInvalid(f"the event that it withdraws is not the event at position {position}")
        if event.header.stream != withdrawal_stream(withdrawn_event.header.event_id):
            raise EventInvalid("it is not in the withdrawal stream of the event that it withdraws")
        if withdrawn_event.payload is not None:
            raise EventInvalid(f"the payload that it withdraws is still there, at position {position}")


class _StreamVersions:
    """The current version of each stream, in a temporary database that SQLite moves to disk when it is large."""

    def __init__(self) -> None:
        # An empty name creates a temporary file that no other process can open (https://sqlite.org/inmemorydb.html).
        self._db = sqlite3.connect("", isolation_level=None)
        self._db.execute("PRAGMA journal_mode = OFF")
        self._db.execute("CREATE TABLE reached (stream TEXT PRIMARY KEY, version INTEGER) WITHOUT ROWID")
        self._batch: dict[str, int] = {}

    def begin_batch(self, streams: Iterable[str]) -> None:
        """Save the versions of the previous batch, and load those of `streams`."""
        self._db.execute("BEGIN")
        self._db.executemany("INSERT OR REPLACE INTO reached VALUES (?, ?)", self._batch.items())
        self._db.execute("COMMIT")
        self._batch = {}
        for stream in set(streams):
            row = self._db.execute("SELECT version FROM reached WHERE stream = ?", (stream,)).fetchone()
            self._batch[stream] = row[0] if row else 0

    def next_of(self, stream: str) -> int:
        """Return the version that the next event of this stream must have. The stream must be in the batch."""
        return self._batch[stream] + 1

    def advance(self, stream: str) -> None:
        self._batch[stream] += 1

    def close(self) -> None:
        self._db.close()
