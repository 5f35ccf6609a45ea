"""Results of operations: the kind, by which transports choose a status; the response; and its position."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any, Final, Generic, TypeAlias, TypeVar

import msgspec

from ledgerpress.graphql.errors import INTERNAL_SERVER_ERROR, LOG_UNAVAILABLE, VIEWS_UNAVAILABLE
from ledgerpress.graphql.limits.exceeded import TIMEOUT

Body = TypeVar("Body")
ResponseMap: TypeAlias = dict[str, Any]
"""A response in the shape of the GraphQL specification, section 7."""


class ResultKind(Enum):
    """The outcome of a request, by which transports choose their status."""

    __hash__ = object.__hash__  # members are compared by identity; `Enum` hashes their names

    COMPLETE = auto()
    """Executed, without errors."""
    PARTIAL = auto()
    """Executed, with errors."""
    SYNTAX_ERROR = auto()
    """Not executed: the document cannot be parsed."""
    REQUEST_ERROR = auto()
    """Not executed: the request is invalid (specification, section 7.1.2)."""
    INTERNAL_ERROR = auto()
    """Not executed: the server failed."""
    UNAVAILABLE = auto()
    """Not executed: the request needs the log, which cannot be reached, or the views, which cannot be read."""
    TIMEOUT = auto()
    """Not executed to the end: it took longer than the time limit."""


EXECUTED: Final = frozenset({ResultKind.COMPLETE, ResultKind.PARTIAL})


@dataclass(frozen=True, slots=True)
class Result(Generic[Body]):
    """A response that is valid at `position` of the log; 0 if the views were not read.

    Unless an event changes it, it is valid until `expires_at`, in microseconds since 1970, UTC; `None` if it does not
    depend on the clock. `etag` is an entity tag (RFC 9110, section 8.8.3). Only cacheable results have one.
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
    """Return the result of a request that was not executed. The codes of `errors` take precedence over `kind`."""
    codes = {(error.get("extensions") or {}).get("code") for error in errors}
    if INTERNAL_SERVER_ERROR in codes:
        kind = ResultKind.INTERNAL_ERROR
    elif not codes.isdisjoint({LOG_UNAVAILABLE, VIEWS_UNAVAILABLE}):
        kind = ResultKind.UNAVAILABLE
    elif TIMEOUT in codes:
        kind = ResultKind.TIMEOUT
    return Result(kind, {"errors": errors, **members}, position)


_encoder: Final = msgspec.json.Encoder(enc_hook=str)


def encoded(result: Result[ResponseMap]) -> EncodedResult:
    """Return a result with its response encoded as JSON."""
    try:
        body = _encoder.encode(result.body)
    except UnicodeEncodeError:  # an error message may quote client input that is not valid Unicode
        body = json.dumps(result.body, default=str).encode("ascii")
    return Result(result.kind, body, result.position)
