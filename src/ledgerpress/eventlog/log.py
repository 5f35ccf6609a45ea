"""The port to the log: what every adapter promises. One contract suite holds each adapter to it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from ledgerpress.eventlog.envelope import NewEvent, StoredEvent, check_stream_name
from ledgerpress.eventlog.errors import InvalidEnvelope
from ledgerpress.eventlog.leases.lease_register import LeaseRegister

NO_STREAM: Final = 0
"""Expected version: the stream does not exist yet."""
ANY_VERSION: Final = -1
"""Expected version: whatever it is."""
MAX_BATCH_BYTES: Final = 16 * 1024 * 1024
"""`read` ends a batch at the event with which what it has read reaches this many bytes."""


@dataclass(frozen=True, slots=True)
class StreamWrite:
    """Events for one stream, and the version that the stream must be at: exact, `NO_STREAM` or `ANY_VERSION`.

    Without events it is a guard: nothing is written to the stream, and it must be at an exact version all the same.
    """

    stream: str
    expected: int
    events: tuple[NewEvent, ...]


class EventLog(Protocol):
    """An append-only log of one publication's events, in one gapless order from position 1.

    An implementation MUST have made an append durable before it answers, MUST record either all events of an
    append or none, MUST make position order the order of commits, and MUST NOT show an event to any reader
    before all with a lower position are visible.

    Where the engine that holds the log cannot be reached, every method raises `LogUnavailable`, after trying again for
    a bounded time; an append raises `AppendUnresolved` where it may have been recorded.
    """

    @property
    def publication(self) -> str:
        """The UUID of the publication whose log this is."""
        ...

    @property
    def staleness(self) -> float:
        """For how many seconds, at most, what it answers may lack the last events, whatever was acknowledged before.

        0 where that is never so. Where several servers hold the log, one that was their leader may not know for a while
        that it is no longer.
        """
        ...

    async def append(self, writes: Sequence[StreamWrite]) -> int:
        """Record all the events of `writes`, in their order, and return the position of the last.

        Raises `WrongExpectedVersion`, `DuplicateEvent`, `InvalidEnvelope` or `PayloadTooLarge`, and `LogUnavailable`;
        nothing is recorded then. Raises `AppendUnresolved` where that could not be found out.
        """
        ...

    async def withdraw(self, position: int, writes: Sequence[StreamWrite]) -> int:
        """Record `writes` and erase the payload and salt of the event at `position`, both or neither.

        Returns the position of the last event recorded. One of `writes` MUST be `payload.withdrawn` in the stream
        `withdrawal.<event id>`, unless that is recorded already: then there may be none, and only what an earlier call
        could not finish is done. When it returns, nobody gets the payload from the log, and its bytes are gone as far as
        the engine can overwrite them: an adapter whose engine leaves some MUST say where. Backups are beyond it. Raises what `append` raises, and nothing is recorded then; and
        `WithdrawalUnfinished` where all is recorded, and a copy may be left.
        """
        ...

    async def head(self) -> int:
        """Return the position of the last event recorded, 0 for an empty log."""
        ...

    async def read(self, after: int, limit: int) -> list[StoredEvent]:
        """Return up to `limit` events, in order, with positions greater than `after`."""
        ...

    async def read_stream(self, stream: str, after: int = 0) -> list[StoredEvent]:
        """Return the events of a stream with versions greater than `after`, in order."""
        ...

    async def wait_beyond(self, position: int, timeout: float) -> bool:
        """Wait until the head is beyond `position`; return whether it is. `timeout` is in seconds."""
        ...


class OpenedLog(EventLog, Protocol):
    """A log that whoever opened it has to close."""

    @property
    def leases(self) -> LeaseRegister:
        """Where it is kept who holds which lease."""
        ...

    @property
    def notices(self) -> Sequence[str]:
        """What an operator should know of how the log is kept, each a sentence such as "unsynced: …"; most often nothing."""
        ...

    @property
    def counts(self) -> Mapping[str, int]:
        """What has been counted since the log was opened, as far as the engine knows such things.

        `reconnects`: how often a connection was made anew. `resolved`: after how many appends without an answer it was
        found out whether they had been recorded.
        """
        ...

    async def whose(self) -> str:
        """Return the UUID of the publication whose log is in that place now, which may have been replaced since.

        Raises `LogReplaced` where it is certain that it was, and `LogUnusable` where there is none that can be used.
        """
        ...

    async def aclose(self) -> None:
        """Finish what was accepted and let go of the log. Whatever is asked later raises `LogClosed`."""
        ...


def check_writes(writes: Sequence[StreamWrite]) -> None:
    """Raise `InvalidEnvelope` where an append breaks a rule that needs no look at the log.

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
