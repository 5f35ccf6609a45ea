"""The errors of the event log. Programs use the attributes of an error; its message is for people."""


class EventLogError(Exception):
    """The base class of the errors of the log."""


class WrongExpectedVersion(EventLogError):
    """A stream is not at the version that an append expected. Nothing was recorded."""

    def __init__(self, *, stream: str, expected: int, actual: int) -> None:
        super().__init__(f"stream {stream} is at version {actual}, not {expected} as expected")
        self.stream = stream
        self.expected = expected
        self.actual = actual


class DuplicateEvent(EventLogError):
    """An event id that the log already contains. Nothing was recorded."""

    def __init__(self, *, event_id: str) -> None:
        super().__init__(f"an event with the id {event_id} is already recorded")
        self.event_id = event_id


class InvalidEnvelope(EventLogError, ValueError):
    """A value that the envelope does not allow."""


class PayloadTooLarge(InvalidEnvelope):
    """A payload that is too large. `size` and `limit` are in bytes of the encoded payload."""

    def __init__(self, *, size: int, limit: int) -> None:
        super().__init__(f"the payload has {size:,} bytes; at most {limit:,} are allowed")
        self.size = size
        self.limit = limit


class GapInLog(EventLogError):
    """A position is missing, so the events after it must not be applied. `actual` is `None` if no event follows."""

    def __init__(self, *, expected: int, actual: int | None) -> None:
        super().__init__(
            f"position {expected} should come next, but the log returned {'nothing' if actual is None else actual}"
        )
        self.expected = expected
        self.actual = actual


class UndecodableEvent(EventLogError):
    """An event that this program does not know or cannot read. It is skipped only if an operator requests this.

    `leaf_hash` is the leaf hash of the event, in hex. `is_unknown` means that a newer program can read the event: this
    one does not know its type or version. Otherwise its payload is damaged.
    """

    def __init__(
        self, *, position: int, leaf_hash: str, type: str, schema_version: int, why: str, is_unknown: bool
    ) -> None:
        super().__init__(f"position {position}: {type} version {schema_version} {why}")
        self.position = position
        self.leaf_hash = leaf_hash
        self.type = type
        self.schema_version = schema_version
        self.is_unknown = is_unknown


class LogUnusable(EventLogError):
    """The location contains no log, or a log that this program cannot use."""


class LogExists(LogUnusable):
    """The location of a copy target already contains a finished log."""


class LogUnavailable(EventLogError):
    """The engine of the log cannot be reached, or cannot answer now. Nothing was recorded, and a retry may succeed."""


class LogDamaged(LogUnavailable):
    """The engine cannot read what it has stored. Nothing was recorded; an operator must restore the log first."""


class LogAccessDenied(LogUnavailable):
    """The engine does not permit the request. Nothing was recorded; an operator must permit it first."""


class LogReplaced(LogUnavailable):
    """The log that was opened was replaced: by the log of another publication, or by a log with other events.

    A retry does not help: close the log and find out which log is at its location now.
    """


class ClockRejected(LogUnavailable):
    """The clock of this machine is not trusted. Nothing was recorded; an operator must set or confirm the clock."""


class AppendUnresolved(LogUnavailable):
    """The engine failed during an append, and it could not be determined whether the events were recorded.

    If the caller appends them again with the same event ids, they are still recorded only once.
    """


class WithdrawalUnfinished(EventLogError):
    """A payload was withdrawn and is no longer readable, but not all of its bytes are overwritten yet."""


class LogClosed(EventLogError):
    """The log was closed before it could answer."""
