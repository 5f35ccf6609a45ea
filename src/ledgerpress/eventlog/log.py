"""The port to the event log: the guarantees of every adapter, and the catch-up subscription."""

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from ledgerpress.eventlog.envelope import NewEvent, StoredEvent, check_stream_name
from ledgerpress.eventlog.errors import GapInLog, InvalidEnvelope
from ledgerpress.eventlog.lease_compare_and_set import LeaseRegister

NO_STREAM: Final = 0
"""The expected version of a stream that does not exist yet."""
ANY_VERSION: Final = -1
"""An expected version that matches every version."""
MAX_BATCH_BYTES: Final = 16 * 1024 * 1024
"""`read` ends a batch with the event whose payload brings the batch to this size."""


@dataclass(frozen=True, slots=True)
class StreamWrite:
    """Events for one stream, and the stream's expected version: a version, `NO_STREAM` or `ANY_VERSION`.

    A write without events is a guard: it records nothing, but the append fails unless the stream is at the expected
    version. A guard cannot expect `ANY_VERSION`.

    An append may contain several writes of one stream. Each then expects the version after the one before it, so that
    the events of several commands are recorded in the order of the commands.
    """

    stream: str
    expected: int
    events: tuple[NewEvent, ...]


class EventLog(Protocol):
    """An append-only log of one publication's events, at positions from 1 without gaps.

    An implementation MUST make an append durable before it returns, MUST record either all events of an append or none,
    MUST assign positions in the order of commits, and MUST NOT show an event to a reader before all events with a lower
    position are visible.

    If the engine of the log cannot be reached, every method retries for a limited time and then raises
    `LogUnavailable`. An append raises `AppendUnresolved` if it may have been recorded.
    """

    @property
    def publication(self) -> str:
        """The UUID of the publication that the log belongs to."""
        ...

    @property
    def staleness(self) -> float:
        """The maximum time, in seconds, for which a read may miss the last acknowledged events; 0 if it never does.

        If several servers hold the log, a deposed leader may answer reads before it notices that it was deposed.
        """
        ...

    @property
    def max_events(self) -> int | None:
        """The maximum number of events in one append; `None` if the engine has no limit."""
        ...

    async def append(self, writes: Sequence[StreamWrite]) -> int:
        """Record all events of `writes` in order, and return the position of the last event.

        If the call is cancelled, the events may or may not be recorded. Raises `WrongExpectedVersion`,
        `DuplicateEvent`, `InvalidEnvelope`, `PayloadTooLarge` or `LogUnavailable` if nothing was recorded. Raises
        `AppendUnresolved` if it could not be determined whether the events were recorded.
        """
        ...

    async def withdraw(self, position: int, writes: Sequence[StreamWrite]) -> int:
        """Record `writes` and erase the payload and salt of the event at `position`, in one atomic step.

        Returns the position of the last recorded event, or the head if `writes` is empty. One of `writes` MUST contain
        `payload.withdrawn` for the stream `withdrawal.<event id>`. If that event is already recorded, `writes` may be
        empty: the call then finishes an earlier withdrawal.

        Afterwards the log no longer returns the payload, and its bytes are overwritten wherever the engine can do so.
        An adapter whose engine leaves copies MUST document where. Backups are not changed. Raises the errors of
        `append` if nothing was recorded, and `WithdrawalUnfinished` if everything was recorded but a copy may remain.
        """
        ...

    async def head(self) -> int:
        """Return the position of the last recorded event, 0 for an empty log."""
        ...

    async def read(self, after: int, limit: int) -> list[StoredEvent]:
        """Return up to `limit` events with positions greater than `after`, in order; fewer if they are large.

        `read` and `read_stream` return each withdrawn event with the record of its withdrawal.
        """
        ...

    async def read_stream(self, stream: str, after: int = 0) -> list[StoredEvent]:
        """Return the events of a stream with versions greater than `after`, in order."""
        ...

    async def wait_beyond(self, position: int, timeout: float) -> bool:
        """Wait at most `timeout` seconds until the head is beyond `position`; return whether it is."""
        ...


class OpenedLog(EventLog, Protocol):
    """A log that the caller must close."""

    @property
    def detects_replacement(self) -> bool:
        """Whether every append fails with `LogReplaced` if the log was replaced since it was opened."""
        ...

    @property
    def leases(self) -> LeaseRegister:
        """The lease registers of the publication."""
        ...

    @property
    def notices(self) -> Sequence[str]:
        """Notices for operators about the storage of the log, such as "unsynced: …"; usually none."""
        ...

    @property
    def counts(self) -> Mapping[str, int]:
        """Counters since the log was opened; an engine may lack some of them.

        `reconnects`: the number of times that a connection was reopened. `resolved`: the number of appends without an
        answer for which the log later determined whether they had been recorded. `groups`: the number of transactions
        that recorded appends; only an engine has it in which several appends share a transaction.
        """
        ...

    async def check_writable(self) -> None:
        """Return if the log accepts writes. The engine finds this out without recording an event.

        Called only after a write has failed. An implementation MUST do as much of an append as it can undo: wait for
        the same locks, and need the same permissions and at least as much space. Raises the errors of `append`.
        """
        ...

    async def current_publication(self) -> str:
        """Return the UUID of the publication whose log is now at the location of this log.

        It differs from `publication` if the log was replaced. Raises `LogReplaced` if the log was certainly replaced,
        and `LogUnusable` if there is no usable log.
        """
        ...

    async def aclose(self) -> None:
        """Finish accepted appends and release the log. Every later call raises `LogClosed`."""
        ...


def check_writes(writes: Sequence[StreamWrite]) -> None:
    """Raise `InvalidEnvelope` if an append breaks a rule that does not depend on the content of the log.

    Every append needs at least one exact expected version, so that two copies of a command cannot both succeed.
    """
    has_events = has_exact_version = False
    for write in writes:
        check_stream_name(write.stream)
        has_events = has_events or bool(write.events)
        has_exact_version = has_exact_version or write.expected != ANY_VERSION
        if write.expected < ANY_VERSION or (write.expected == ANY_VERSION and not write.events):
            raise InvalidEnvelope(f"{write.expected} is not a valid expected version for {write.stream}")
        for event in write.events:
            event.check()
    if not has_events:
        raise InvalidEnvelope("an append needs at least one event")
    if not has_exact_version:
        raise InvalidEnvelope("an append needs an exact expected version for at least one stream")
    if len(writes) > 1 and len(first_writes(writes)) < len(writes):
        _check_repeated_streams(writes)


def first_writes(writes: Sequence[StreamWrite]) -> Sequence[StreamWrite]:
    """Return the first write of each stream, in order. They expect the versions that the streams have in the log."""
    if len(writes) == 1:
        return writes
    first: dict[str, StreamWrite] = {}
    for write in writes:
        first.setdefault(write.stream, write)
    return list(first.values())


def _check_repeated_streams(writes: Iterable[StreamWrite]) -> None:
    """Raise `InvalidEnvelope` unless each write of a stream expects the version after the one before it."""
    after: dict[str, int | None] = {}
    for write in writes:
        is_exact = bool(write.events) and write.expected != ANY_VERSION
        if write.stream in after and not (is_exact and write.expected == after[write.stream]):
            raise InvalidEnvelope(
                f"the writes of {write.stream} need events, and each must expect the version after the one before it"
            )
        after[write.stream] = write.expected + len(write.events) if is_exact else None


def check_gapless(events: Iterable[StoredEvent], after: int) -> None:
    """Raise `GapInLog` unless the positions of `events` follow `after` without a gap."""
    for expected, event in enumerate(events, after + 1):
        if event.position != expected:
            raise GapInLog(expected=expected, actual=event.position)


async def catch_up(
    log: EventLog, after: int, *, batch_size: int = 1_000, poll: float = 1.0
) -> AsyncIterator[Sequence[StoredEvent]]:
    """Yield the events after `after` in batches, endlessly; at the head, wait for new events.

    `poll` is the maximum time in seconds between two reads of the log. Raises `GapInLog` if a position is missing.
    """
    while True:
        batch = await log.read(after, batch_size)
        if not batch:
            await log.wait_beyond(after, poll)
            continue
        check_gapless(batch, after)
        after = batch[-1].position
        yield batch
