"""Top-level errors: those of a client's making, as it may see them, and those of ours, of which it is told nothing."""

import logging
import re
import uuid
from collections.abc import Iterable
from typing import Any, Final

from graphql import GraphQLError

from ledgerpress.eventlog.errors import AppendUnresolved, LogRefuses, LogReplaced, LogUnavailable
from ledgerpress.graphql.request_context import note_error

logger = logging.getLogger(__name__)

LONGEST_MESSAGE: Final = 500
LOG_UNAVAILABLE: Final = "LOG_UNAVAILABLE"
"""The code where the log cannot be reached: nothing was recorded, and what is asked again may be answered."""
APPEND_UNRESOLVED: Final = "APPEND_UNRESOLVED"
"""The code where nobody could say whether a command was recorded: under the same idempotency key it is carried out once."""
_AWAY: Final = "The log cannot be reached for the moment: try again."
_REFUSED: Final = "The log does not take writes from this node: nothing was recorded."
_REPLACED: Final = (
    "The log is not the one any more that this server has served, and an operator has to see to it."
)
_UNRESOLVED: Final = "The log could not be reached any more, and this may have been recorded: send it again with the same idempotencyKey."
_SUGGESTION: Final = re.compile(r"\s*,?\s*did you mean\b.*", re.IGNORECASE | re.DOTALL)


class BadRequest(GraphQLError):
    """An argument that makes no sense. The message is for the client and gives nothing away."""

    def __init__(self, message: str) -> None:
        super().__init__(message, extensions={"code": "BAD_USER_INPUT"})


class LogUnavailableError(GraphQLError):
    """What is asked for needs the log, which cannot be reached or refuses it: it was not begun."""

    def __init__(self, errors: Iterable[GraphQLError] = ()) -> None:
        """Take the errors, of all of which `is_unavailable` is true."""
        refusals = [failure for error in errors if isinstance(failure := _ours(error), LogRefuses)]
        super().__init__(_refused(refusals[0]) if refusals else _AWAY, extensions={"code": LOG_UNAVAILABLE})


def client_error(error: GraphQLError, *, suggestions: bool = True) -> dict[str, Any]:
    """Return an error as a client may see it: one that is not of its making tells nothing but an id.

    The id stands in the log as well, with what went wrong. Without `suggestions` no name of the schema is suggested.
    """
    if (original := _ours(error)) is not None:
        return masked_error(original, error)
    shown = dict(error.formatted)
    message = error.message if suggestions else _SUGGESTION.sub("", error.message)
    if len(message) > LONGEST_MESSAGE:
        message = f"{message[:LONGEST_MESSAGE]}…"
    return {**shown, "message": message}


def client_errors(errors: Iterable[GraphQLError], *, suggestions: bool = True) -> list[dict[str, Any]]:
    """Return errors as a client may see them."""
    return [client_error(error, suggestions=suggestions) for error in errors]


def masked_error(failure: BaseException, error: GraphQLError | None = None) -> dict[str, Any]:
    """Return what a client is told of a failure of ours, which is logged with the id that the client is told.

    That the log cannot be reached is told as it is: it passes, and whoever asked can do something about it.
    """
    if isinstance(failure, LogUnavailable):
        return _away(failure, error)
    error_id = str(uuid.uuid4())  # noqa: TID251 - names a line of the log, and nothing that is kept
    note_error(error_id)
    path = error.path if error else None
    logger.error(
        "a request failed at %s: error %s", path or "its root", error_id, exc_info=failure,
        extra={"error_id": error_id},
    )  # fmt: skip
    told = GraphQLError(
        "Something went wrong on the server.",
        nodes=error.nodes if error else None,
        path=path,
        extensions={"code": "INTERNAL_SERVER_ERROR", "errorId": error_id},
    )
    return dict(told.formatted)


def _away(failure: LogUnavailable, error: GraphQLError | None) -> dict[str, Any]:
    match failure:
        case AppendUnresolved():
            code, message = APPEND_UNRESOLVED, _UNRESOLVED
        case LogRefuses():
            code, message = LOG_UNAVAILABLE, _refused(failure)
        case LogReplaced():
            code, message = LOG_UNAVAILABLE, _REPLACED
        case _:
            code, message = LOG_UNAVAILABLE, _AWAY
    nodes, path = (error.nodes, error.path) if error else (None, None)
    return dict(GraphQLError(message, nodes=nodes, path=path, extensions={"code": code}).formatted)


def _refused(failure: LogRefuses) -> str:
    logger.warning("the log refuses what a client asked for: %s", failure)
    return _REFUSED


def is_unavailable(error: GraphQLError) -> bool:
    """Whether an error is that the log cannot be reached, and nothing came of what was asked."""
    failure = _ours(error)
    return isinstance(failure, LogUnavailable) and not isinstance(failure, AppendUnresolved)


def _ours(error: GraphQLError) -> BaseException | None:
    """Return the failure behind an error, or `None` where the error is of the client's making."""
    original: BaseException | None = error
    while isinstance(original, GraphQLError):
        error, original = original, original.original_error
    return original
