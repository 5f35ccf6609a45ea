"""The port to the log: what every adapter guarantees, and reading on from a position without a gap."""

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from ledgerpress.eventlog.envelope import NewEvent, StoredEvent, check_stream_name
from ledgerpress.eventlog.errors import GapInLog, InvalidEnvelope
from ledgerpress.eventlog.lease_compare_and_set import LeaseRegister

NO_STREAM: Final = 0
"""Expected version: the stream does not exist yet."""
ANY_VERSION: Final = -1
"""Expected version: any."""
MAX_BATCH_BYTES: Final = 16 * 1024 * 1024
"""`read` ends a batch with the event that brings it to this many bytes."""


@dataclass(frozen=True, slots=True)
class StreamWrite:
    """Events for one stream, and its expected version: exact, `NO_STREAM` or `ANY_VERSION`.

    Without events it is a guard: nothing is written to the stream, but it must be at an exact version.
    """

    stream: str
    expected: int
    events: tuple[NewEvent, ...]


class EventLog(Protocol):
    """An append-only log of one publication's events, in one gapless order from position 1.

    An implementation MUST make an append durable before it returns, MUST record either all events of an append or none,
    MUST make position order the order of commits, and MUST NOT show an event to a reader before all events with a lower
    position are visible.

    If the engine of the log cannot be reached, every method raises `LogUnavailable` after retries for a bounded time; an
    append raises `AppendUnresolved` if it may have been recorded.
    """

    @property
    def publication(self) -> str:
        """The UUID of the publication whose log this is."""
        ...

    @property
    def staleness(self) -> float:
        """For how many seconds at most a read may miss the last acknowledged events; 0 if never.

        If several servers hold the log, a deposed leader may not know for a while that it is no longer the leader.
        """
        ...

    async def append(self, writes: Sequence[StreamWrite]) -> int:
        """Record all the events of `writes`, in their order, and return the position of the last.

        If the call is cancelled, they may or may not be recorded. Raises `WrongExpectedVersion`, `DuplicateEvent`,
        `InvalidEnvelope`, `PayloadTooLarge` or `LogUnavailable` if nothing was recorded, and `AppendUnresolved` if that
        could not be determined.
        """
        ...

    async def withdraw(self, position: int, writes: Sequence[StreamWrite]) -> int:
        """Record `writes` and erase the payload and salt of the event at `position`, both or neither.

        Returns the position of the last recorded event, or the head if `writes` is empty. One of `writes` MUST be
        `payload.withdrawn` in the stream `withdrawal.<event id>`. If that is recorded already, `writes` may be empty:
        then only the unfinished part of an earlier call is done. Afterwards no reader gets the payload from the log,
        and its bytes are gone as far as the engine can overwrite them: an adapter whose engine leaves copies MUST
        document where. Backups are not changed. Raises what `append` raises if nothing was recorded, and
        `WithdrawalUnfinished` if all is recorded but a copy may be left.
        """
        ...

    async def head(self) -> int:
        """Return the position of the last recorded event, 0 for an empty log."""
        ...

    async def read(self, after: int, limit: int) -> list[StoredEvent]:
        """Return up to `limit` events, in order, with positions greater than `after`; fewer if they are large."""
        ...

    async def read_stream(self, stream: str, after: int = 0) -> list[StoredEvent]:
        """Return the events of a stream with versions greater than `after`, in order."""
        ...

    async def wait_beyond(self, position: int, timeout: float) -> bool:
        """Wait until the head is beyond `position`; return whether it is. `timeout` is in seconds."""
        ...


class OpenedLog(EventLog, Protocol):
    """A log that the caller has to close."""

    @property
    def leases(self) -> LeaseRegister:
        """The registers of the leases."""
        ...

    @property
    def notices(self) -> Sequence[str]:
        """Sentences for operators about how the log is stored, such as "unsynced: …"; usually none."""
        ...

    @property
    def counts(self) -> Mapping[str, int]:
        """Counters since the log was opened, as far as the engine has them.

        `reconnects`: how often a connection was reopened. `resolved`: for how many appends without an answer it was
        determined whether they had been recorded.
        """
        ...

    async def current_publication(self) -> str:
        """Return the UUID of the publication whose log is at the location now: it may have been replaced.

        Raises `LogReplaced` if it certainly was, and `LogUnusable` if there is no usable log.
        """
        ...

    async def aclose(self) -> None:
        """Finish accepted appends and release the log. Every later call raises `LogClosed`."""
        ...


def check_writes(writes: Sequence[StreamWrite]) -> None:
    """Raise `InvalidEnvelope` if an append breaks a rule that does not depend on the log.

    Every append names at least one exact version, so that two copies of a command cannot both succeed.
    """
    if not any(write.events for write in writes):
        raise InvalidEnvelope("an append needs at least one event")
    if len({write.stream for write in writes}) < len(writes):
        raise InvalidEnvelope("an append names each stream once")
    if all(write.expected == ANY_VERSION for write in writes):
        raise InvalidEnvelope("an append needs an exact expected version for at least one stream")
    for write in writes:
        check_stream_name(write.stream)
        if write.expected < ANY_VERSION or (write.expected == ANY_VERSION and not write.events):
            raise InvalidEnvelope(f"{write.expected} is no version to expect of {write.stream}")
        for event in write.events:
            event.check()


def check_gapless(events: Iterable[StoredEvent], after: int) -> None:
    """Raise `GapInLog` unless the positions of `events` continue from `after` without a gap."""
    for expected, event in enumerate(events, after + 1):
        if event.position != expected:
            raise GapInLog(expected=expected, found=event.position)


async def catch_up(
    log: EventLog, after: int, *, batch_size: int = 1_000, poll: float = 1.0
) -> AsyncIterator[Sequence[StoredEvent]]:
    """Yield batches of the events after `after`, without end; at the head, wait for more.

    `poll` is the maximum time in seconds between two reads of the log. Raises `GapInLog`.
    """
    while True:
        batch = await log.read(after, batch_size)
        if not batch:
            await log.wait_beyond(after, poll)
            continue
        check_gapless(batch, after)
        after = batch[-1].position
        yield batch
