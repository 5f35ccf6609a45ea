"""Errors in a response: client errors with their message; errors of the server, which are masked and logged."""

import logging
import re
import sqlite3
import uuid
from collections.abc import Iterable
from typing import Any, Final

from graphql import GraphQLError

from ledgerpress.eventlog.errors import (
    AppendUnresolved,
    ClockRejected,
    LogAccessDenied,
    LogReplaced,
    LogUnavailable,
)
from ledgerpress.grapheme_clusters import shortened
from ledgerpress.graphql.request_telemetry_record import note_error
from ledgerpress.sqlite.faults import is_damage, is_failure_of_machine
from ledgerpress.views.files.views_health import ViewsUnavailable

logger = logging.getLogger(__name__)

LONGEST_MESSAGE: Final = 500
BAD_USER_INPUT: Final = "BAD_USER_INPUT"
"""The variables or an argument are invalid."""
INTERNAL_SERVER_ERROR: Final = "INTERNAL_SERVER_ERROR"
LOG_UNAVAILABLE: Final = "LOG_UNAVAILABLE"
"""The log cannot be reached: nothing was recorded, and the client may retry."""
VIEWS_UNAVAILABLE: Final = "VIEWS_UNAVAILABLE"
"""The views of this server cannot be read: nothing was recorded, and the client may retry."""
APPEND_UNRESOLVED: Final = "APPEND_UNRESOLVED"
"""It is unknown whether a command was recorded: the client may retry with the same idempotency key."""
_UNAVAILABLE: Final = "The log cannot be reached at the moment. Try again."
VIEWS_UNAVAILABLE_MESSAGE: Final = "The views of this server cannot be read at the moment. Try again."
_REJECTED: Final = "The log does not accept writes from this node: nothing was recorded."
_CLOCK: Final = "The clock of this server is wrong or not confirmed: nothing was recorded. An operator has to correct this."
_REPLACED: Final = "The log of this server was replaced by another log. An operator has to correct this."
_UNRESOLVED: Final = (
    "The log became unreachable, and the command may have been recorded. "
    "Send it again with the same idempotencyKey."
)
_SUGGESTION: Final = re.compile(r"did you mean\b", re.IGNORECASE)


class BadRequest(GraphQLError):
    """An invalid argument. The message is sent to the client, so it contains no data that is hidden from it."""

    def __init__(self, message: str) -> None:
        super().__init__(message, extensions={"code": BAD_USER_INPUT})


class LogUnavailableError(GraphQLError):
    """A request that was not executed: it needs the log, which cannot be reached or rejects writes."""

    def __init__(self, errors: Iterable[GraphQLError] = ()) -> None:
        """`is_unavailable` MUST be true for all `errors`."""
        rejections = [
            failure
            for error in errors
            if isinstance(failure := _server_failure(error), LogAccessDenied | ClockRejected)
        ]
        message = _rejected(rejections[0]) if rejections else _UNAVAILABLE
        super().__init__(message, extensions={"code": LOG_UNAVAILABLE})


def client_error(error: GraphQLError, *, suggestions: bool = True) -> dict[str, Any]:
    """Return an error as the client may see it. An error of the server is masked (see `masked_error`).

    Unless `suggestions` is true, the message suggests no names from the schema.
    """
    if (failure := _server_failure(error)) is not None:
        return masked_error(failure, error)
    message = error.message if suggestions else _without_suggestion(error.message)
    formatted: dict[str, Any] = {**error.formatted, "message": shortened(message, LONGEST_MESSAGE)}
    extensions = error.extensions or {}
    if "code" not in extensions and _is_invalid_input(error):
        formatted["extensions"] = {"code": BAD_USER_INPUT, **extensions}
    return formatted


def _without_suggestion(message: str) -> str:
    suggestion = _SUGGESTION.search(message)
    return message[: suggestion.start()].rstrip().removesuffix(",").rstrip() if suggestion else message


def _is_invalid_input(error: GraphQLError) -> bool:
    """Return whether graphql-core raised an error because of the variables, or because of an argument of a field.

    Such an error has no path, or it names a node of the document. A resolver's own error does neither.
    """
    cause = error.original_error
    return error.path is None or (isinstance(cause, GraphQLError) and bool(cause.nodes))


def client_errors(errors: Iterable[GraphQLError], *, suggestions: bool = True) -> list[dict[str, Any]]:
    """Return errors as the client may see them."""
    return [client_error(error, suggestions=suggestions) for error in errors]


def masked_error(failure: BaseException, error: GraphQLError | None = None) -> dict[str, Any]:
    """Return an error of the server that contains only an id. The failure is logged with that id.

    An unavailable log and unavailable views are reported as such, because the client can retry.
    """
    if isinstance(failure, ViewsUnavailable) or is_damage(failure) or is_failure_of_machine(failure):
        nodes, path = (error.nodes, error.path) if error else (None, None)
        extensions = {"code": VIEWS_UNAVAILABLE}
        return dict(
            GraphQLError(VIEWS_UNAVAILABLE_MESSAGE, nodes=nodes, path=path, extensions=extensions).formatted
        )
    if isinstance(failure, LogUnavailable):
        return _unavailable(failure, error)
    error_id = str(uuid.uuid4())  # noqa: TID251 - identifies a line of logging and is not stored
    note_error(error_id)
    path = error.path if error else None
    logger.error(
        "a request failed at %s: error %s", path or "its root", error_id, exc_info=failure,
        extra={"error_id": error_id},
    )  # fmt: skip
    masked = GraphQLError(
        "Something went wrong on the server.",
        nodes=error.nodes if error else None,
        path=path,
        extensions={"code": INTERNAL_SERVER_ERROR, "errorId": error_id},
    )
    return dict(masked.formatted)


def _unavailable(failure: LogUnavailable, error: GraphQLError | None) -> dict[str, Any]:
    match failure:
        case AppendUnresolved():
            code, message = APPEND_UNRESOLVED, _UNRESOLVED
        case LogAccessDenied() | ClockRejected():
            code, message = LOG_UNAVAILABLE, _rejected(failure)
        case LogReplaced():
            code, message = LOG_UNAVAILABLE, _REPLACED
        case _:
            code, message = LOG_UNAVAILABLE, _UNAVAILABLE
    nodes, path = (error.nodes, error.path) if error else (None, None)
    return dict(GraphQLError(message, nodes=nodes, path=path, extensions={"code": code}).formatted)


def _rejected(failure: LogAccessDenied | ClockRejected) -> str:
    if isinstance(failure, ClockRejected):  # logged when it began
        return _CLOCK
    logger.warning("the log rejects the command of a client: %s", failure)
    return _REJECTED


def is_unavailable(error: GraphQLError) -> bool:
    """Return whether an error means that the log cannot be reached and nothing was recorded."""
    failure = _server_failure(error)
    return isinstance(failure, LogUnavailable) and not isinstance(failure, AppendUnresolved)


def is_views_unavailable(error: GraphQLError) -> bool:
    """Return whether an error means that a command needs the views, which cannot be read, and was not recorded."""
    return isinstance(_server_failure(error), ViewsUnavailable)


def views_failure(error: GraphQLError) -> sqlite3.Error | ViewsUnavailable | None:
    """Return the exception behind an error if the views, which SQLite reads, may be the cause."""
    failure = _server_failure(error)
    return failure if isinstance(failure, sqlite3.Error | ViewsUnavailable) else None


def _server_failure(error: GraphQLError) -> BaseException | None:
    """Return the exception behind an error, or `None` for a client error."""
    original: BaseException | None = error
    while isinstance(original, GraphQLError):
        error, original = original, original.original_error
    return original
