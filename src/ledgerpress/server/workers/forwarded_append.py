"""An append that one worker asks another one to record: the messages."""

from collections.abc import Sequence
from typing import Final, TypeAlias

import msgspec

from ledgerpress.eventlog.errors import (
    AppendUnresolved,
    ClockRejected,
    DuplicateEvent,
    EventLogError,
    InvalidEnvelope,
    LogAccessDenied,
    LogClosed,
    LogDamaged,
    LogReplaced,
    LogUnavailable,
    PayloadTooLarge,
    WrongExpectedVersion,
)
from ledgerpress.eventlog.log import StreamWrite

_ERRORS: Final[dict[str, type[EventLogError]]] = {
    error.__name__: error
    for error in (
        AppendUnresolved,
        ClockRejected,
        InvalidEnvelope,
        LogAccessDenied,
        LogClosed,
        LogDamaged,
        LogReplaced,
        LogUnavailable,
    )
}
"""The errors that have only a message."""


class Appended(msgspec.Struct, frozen=True, array_like=True, tag="appended"):
    """The events are recorded; `position` is that of the last one."""

    position: int


class Conflict(msgspec.Struct, frozen=True, array_like=True, tag="conflict"):
    """A `WrongExpectedVersion`."""

    stream: str
    expected: int
    actual: int


class Duplicate(msgspec.Struct, frozen=True, array_like=True, tag="duplicate"):
    """A `DuplicateEvent`."""

    event_id: str


class TooLarge(msgspec.Struct, frozen=True, array_like=True, tag="large"):
    """A `PayloadTooLarge`."""

    size: int
    limit: int


class Failed(msgspec.Struct, frozen=True, array_like=True, tag="failed"):
    """Another error of the log, by the name of its class."""

    error: str
    message: str


Result: TypeAlias = Appended | Conflict | Duplicate | TooLarge | Failed

_encode: Final = msgspec.msgpack.Encoder().encode
_writes: Final = msgspec.msgpack.Decoder(list[StreamWrite])
_result: Final[msgspec.msgpack.Decoder[Result]] = msgspec.msgpack.Decoder(Result)


def encoded_writes(writes: Sequence[StreamWrite]) -> bytes:
    return _encode(writes)


def decoded_writes(payload: bytes) -> list[StreamWrite]:
    return _writes.decode(payload)


def encoded_position(position: int) -> bytes:
    return _encode(Appended(position))


def encoded_error(error: EventLogError) -> bytes:
    """Return the result of an append that has raised `error`."""
    match error:
        case WrongExpectedVersion():
            return _encode(Conflict(error.stream, error.expected, error.actual))
        case DuplicateEvent():
            return _encode(Duplicate(error.event_id))
        case PayloadTooLarge():
            return _encode(TooLarge(error.size, error.limit))
        case _:
            name = type(error).__name__
            return _encode(Failed(name if name in _ERRORS else LogUnavailable.__name__, str(error)))


def position_in(payload: bytes) -> int:
    """Return the position in the result of an append, or raise its error."""
    match _result.decode(payload):
        case Appended(position):
            return position
        case Conflict() as conflict:
            raise WrongExpectedVersion(
                stream=conflict.stream, expected=conflict.expected, actual=conflict.actual
            )
        case Duplicate() as duplicate:
            raise DuplicateEvent(event_id=duplicate.event_id)
        case TooLarge() as large:
            raise PayloadTooLarge(size=large.size, limit=large.limit)
        case Failed() as failed:
            raise _ERRORS[failed.error](failed.message)
