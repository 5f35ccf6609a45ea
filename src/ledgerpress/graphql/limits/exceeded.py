"""Errors of requests that exceed a limit."""

from typing import Any

from graphql import GraphQLError, Node


class LimitExceeded(GraphQLError):
    """A request exceeds a limit. `extensions` has a code, the limit and, where it was counted, the number found."""

    def __init__(
        self,
        code: str,
        message: str,
        *,
        limit: float | None = None,
        found: float | None = None,
        node: Node | None = None,
        **more: Any,
    ) -> None:
        extensions = {"code": code, "limit": limit, "found": found, **more}
        known = {name: value for name, value in extensions.items() if value is not None}
        super().__init__(message, nodes=node, extensions=known)


def require(
    found: float, limit: float, code: str, what: str, *, node: Node | None = None, **more: Any
) -> None:
    """Raise `LimitExceeded` where `found` is more than `limit`. `what` completes: "The document has …"."""
    if found > limit:
        message = f"{what}: {_number(found)}; the limit is {_number(limit)}."
        raise LimitExceeded(code, message, limit=limit, found=found, node=node, **more)


def _number(value: float) -> str:
    return f"{value:,.1f}".removesuffix(".0")


class TimeLimitExceeded(LimitExceeded):
    """The request takes longer than it may."""

    def __init__(self) -> None:
        super().__init__("TIMEOUT", "The request took longer than it may. Ask for less at a time.")
