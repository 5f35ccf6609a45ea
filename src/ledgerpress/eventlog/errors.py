"""What can go wrong with a log. Each error carries its facts; the message is for a person."""


class EventLogError(Exception):
    """Anything the log refuses or cannot do."""


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
    """A payload beyond the limit, in bytes as encoded."""

    def __init__(self, *, size: int, limit: int) -> None:
        super().__init__(f"the payload has {size:,} bytes; at most {limit:,} are allowed")
        self.size = size
        self.limit = limit


class GapInLog(EventLogError):
    """Positions do not run on. What follows must not be applied. `found` is `None` where nothing follows that should."""

    def __init__(self, *, expected: int, found: int | None) -> None:
        gave = "nothing" if found is None else found
        super().__init__(f"position {expected} should come next, but the log gave {gave}")
        self.expected = expected
        self.found = found


class UndecodableEvent(EventLogError):
    """An event that this program does not know or cannot read. It is never skipped unless an operator says so.

    `leaf_hash` is the event's, in hex.
    """

    def __init__(self, *, position: int, leaf_hash: str, type: str, schema_version: int, why: str) -> None:
        super().__init__(f"position {position}: {type} version {schema_version} {why}")
        self.position = position
        self.leaf_hash = leaf_hash


class LogUnusable(EventLogError):
    """The place that should hold the log holds something else, or a log that this program cannot read."""


class LogExists(LogUnusable):
    """There is a log already, finished, where one should be made of another."""


class LogUnavailable(EventLogError):
    """The engine that holds the log cannot be reached, or cannot answer now. Nothing was recorded; it may pass."""


class LogRefuses(LogUnavailable):
    """The engine does not let this process do it. Nothing was recorded; somebody has to allow it first."""


class LogReplaced(LogUnavailable):
    """The engine holds another log now than the one that was opened: another publication's, or one with other events.

    It does not pass: whoever opened the log has to close it, and to see what is there.
    """


class AppendUnresolved(LogUnavailable):
    """The engine went away in the middle of an append, and whether that was recorded could not be found out.

    Sent again with the same event ids, it is recorded once.
    """


class WithdrawalUnfinished(EventLogError):
    """A payload is withdrawn, and whoever asks for it does not get it, but its bytes are not all overwritten yet."""


class LogClosed(EventLogError):
    """The log was closed before it could answer."""
