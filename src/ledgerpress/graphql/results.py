"""Results of operations: a kind by which transports choose a status, a response, and its position."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any, Final, Generic, TypeAlias, TypeVar

import msgspec

from ledgerpress.graphql.errors import INTERNAL_SERVER_ERROR, LOG_UNAVAILABLE

Body = TypeVar("Body")
ResponseMap: TypeAlias = dict[str, Any]
"""A response in the shape of the GraphQL specification, section 7."""


class ResultKind(Enum):
    """The outcome of a request. Transports choose their status by it."""

    COMPLETE = auto()
    """Executed, without errors."""
    PARTIAL = auto()
    """Executed, with errors."""
    SYNTAX_ERROR = auto()
    """Not executed: the document cannot be parsed."""
    REQUEST_ERROR = auto()
    """Not executed: the request is not valid (specification, section 7.1.2)."""
    INTERNAL_ERROR = auto()
    """Not executed: the server failed."""
    LOG_UNAVAILABLE = auto()
    """Not executed: it needs the log, which cannot be reached."""


EXECUTED: Final = frozenset({ResultKind.COMPLETE, ResultKind.PARTIAL})


@dataclass(frozen=True, slots=True)
class Result(Generic[Body]):
    """A response, true at `position` of the log; 0 where the views were not read.

    Without an event it stays true until `expires_at`, in microseconds since 1970, UTC; `None` where it does not depend
    on the clock. `etag` is an entity tag (RFC 9110, 8.8.3); only cacheable results have one.
    """

    kind: ResultKind
    body: Body
    position: int
    etag: str | None = None
    expires_at: int | None = None

    @property
    def executed(self) -> bool:
        """Whether the operation was executed, perhaps with errors."""
        return self.kind in EXECUTED


EncodedResult: TypeAlias = Result[bytes]


def error_result(
    errors: Sequence[ResponseMap],
    position: int,
    *,
    kind: ResultKind = ResultKind.REQUEST_ERROR,
    **members: Any,
) -> Result[ResponseMap]:
    """Return the result of a request that was not executed. Errors of the server overrule `kind`."""
    codes = {(error.get("extensions") or {}).get("code") for error in errors}
    if INTERNAL_SERVER_ERROR in codes:
        kind = ResultKind.INTERNAL_ERROR
    elif LOG_UNAVAILABLE in codes:
        kind = ResultKind.LOG_UNAVAILABLE
    return Result(kind, {"errors": errors, **members}, position)


def encoded(result: Result[ResponseMap]) -> EncodedResult:
    """Return a result with its response as JSON."""
    try:
        body = msgspec.json.encode(result.body, enc_hook=str)
    except UnicodeEncodeError:  # an error message may quote what a client sent, and that need not be Unicode
        body = json.dumps(result.body, default=str).encode("ascii")
    return Result(result.kind, body, result.position)
