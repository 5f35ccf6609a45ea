"""The errors of the event log. Each carries its facts; the message is for people."""


class EventLogError(Exception):
    """Anything that the log rejects or cannot do."""


class WrongExpectedVersion(EventLogError):
    """A stream is not at the version that an append expected. Nothing was recorded."""

    def __init__(self, *, stream: str, expected: int, actual: int) -> None:
        super().__init__(f"stream {stream} is at version {actual}, not {expected} as expected")
        self.stream = stream
        self.expected = expected
        self.actual = actual


class DuplicateEvent(EventLogError):
    """An event id is in the log already. Nothing was recorded."""

    def __init__(self, *, event_id: str) -> None:
        super().__init__(f"an event with the id {event_id} is recorded already")
        self.event_id = event_id


class InvalidEnvelope(EventLogError, ValueError):
    """A value that the envelope does not allow."""


class PayloadTooLarge(InvalidEnvelope):
    """A payload over the limit, in bytes as encoded."""

    def __init__(self, *, size: int, limit: int) -> None:
        super().__init__(f"the payload has {size:,} bytes; at most {limit:,} are allowed")
        self.size = size
        self.limit = limit


class GapInLog(EventLogError):
    """A position is missing; the events after it must not be applied. `found` is `None` if nothing follows."""

    def __init__(self, *, expected: int, found: int | None) -> None:
        super().__init__(
            f"position {expected} should come next, but the log gave {'nothing' if found is None else found}"
        )
        self.expected = expected
        self.found = found


class UndecodableEvent(EventLogError):
    """An event that this program does not know or cannot read. It is never skipped unless an operator requests it.

    `leaf_hash` is the event's, in hex.
    """

    def __init__(self, *, position: int, leaf_hash: str, type: str, schema_version: int, why: str) -> None:
        super().__init__(f"position {position}: {type} version {schema_version} {why}")
        self.position = position
        self.leaf_hash = leaf_hash


class LogUnusable(EventLogError):
    """The location of the log contains something else, or a log that this program cannot read."""


class LogExists(LogUnusable):
    """There is a finished log already at the location of a copy target."""


class LogUnavailable(EventLogError):
    """The engine of the log cannot be reached, or cannot answer now. Nothing was recorded; a retry may succeed."""


class LogRefuses(LogUnavailable):
    """The engine does not permit the operation. Nothing was recorded; an operator has to permit it first."""


class LogReplaced(LogUnavailable):
    """The engine has another log than the one that was opened: another publication's, or one with other events.

    A retry does not help: close the log and find out what is there.
    """


class AppendUnresolved(LogUnavailable):
    """The engine failed during an append, and it could not be determined whether the events were recorded.

    If they are sent again with the same event ids, they are recorded once.
    """


class WithdrawalUnfinished(EventLogError):
    """A payload is withdrawn and no longer readable, but not all of its bytes are overwritten yet."""


class LogClosed(EventLogError):
    """The log was closed before it could answer."""
