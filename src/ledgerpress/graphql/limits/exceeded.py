"""Errors of requests that exceed a limit."""

from typing import Any, Final

from graphql import GraphQLError, Node

TIMEOUT: Final = "TIMEOUT"
"""The request took longer than the time limit."""


class LimitExceeded(GraphQLError):
    """A request exceeds a limit. `extensions` contains a code and, if known, the limit and the actual number."""

    def __init__(
        self,
        code: str,
        message: str,
        *,
        limit: float | None = None,
        actual: float | None = None,
        node: Node | None = None,
        **more: Any,
    ) -> None:
        extensions = {"code": code, "limit": limit, "found": actual, **more}
        extensions = {name: value for name, value in extensions.items() if value is not None}
        super().__init__(message, nodes=node, extensions=extensions)


def require(
    actual: float, limit: float, code: str, problem: str, *, node: Node | None = None, **more: Any
) -> None:
    """Raise `LimitExceeded` if `actual` is more than `limit`. `problem` is the beginning of the message."""
    if actual > limit:
        message = f"{problem}: {_number(actual)}; the limit is {_number(limit)}."
        raise LimitExceeded(code, message, limit=limit, actual=actual, node=node, **more)


def _number(value: float) -> str:
    return f"{value:,.1f}".removesuffix(".0")


class TimeLimitExceeded(LimitExceeded):
    """The request takes longer than the time limit."""

    def __init__(self) -> None:
        message = "The request took longer than the time limit. Request less at a time, or try again later."
        super().__init__(TIMEOUT, message)
