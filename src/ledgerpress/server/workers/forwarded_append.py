"""Appends that one worker asks another one to record: the messages. Each contains several appends, in order."""

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
_appends: Final = msgspec.msgpack.Decoder(list[list[StreamWrite]])
_results: Final[msgspec.msgpack.Decoder[list[Result]]] = msgspec.msgpack.Decoder(list[Result])


def encoded_appends(appends: Sequence[Sequence[StreamWrite]]) -> bytes:
    return _encode(appends)


def decoded_appends(payload: bytes) -> list[list[StreamWrite]]:
    return _appends.decode(payload)


def encoded_results(results: Sequence[Result]) -> bytes:
    return _encode(results)


def decoded_results(payload: bytes) -> list[Result]:
    return _results.decode(payload)


def result_of(error: EventLogError) -> Result:
    """Return the result of an append that has raised `error`."""
    match error:
        case WrongExpectedVersion():
            return Conflict(error.stream, error.expected, error.actual)
        case DuplicateEvent():
            return Duplicate(error.event_id)
        case PayloadTooLarge():
            return TooLarge(error.size, error.limit)
        case _:
            name = type(error).__name__
            return Failed(name if name in _ERRORS else LogUnavailable.__name__, str(error))


def position_or_error(result: Result) -> int | EventLogError:
    """Return the position of the last event of an append, or a new error to raise."""
    match result:
        case Appended(position):
            return position
        case Conflict(stream, expected, actual):
            return WrongExpectedVersion(stream=stream, expected=expected, actual=actual)
        case Duplicate(event_id):
            return DuplicateEvent(event_id=event_id)
        case TooLarge(size, limit):
            return PayloadTooLarge(size=size, limit=limit)
        case Failed(error, message):
            return _ERRORS[error](message)
