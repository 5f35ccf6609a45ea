"""How a request that goes beyond a limit is refused."""

from collections.abc import Mapping
from typing import Any

from graphql import GraphQLError, Node


class LimitExceeded(GraphQLError):
    """A request goes beyond a limit. `extensions` has a code, the limit and, where it was counted, what was found."""

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
        told: Mapping[str, Any] = {name: value for name, value in extensions.items() if value is not None}
        super().__init__(message, nodes=node, extensions=dict(told))


def require(
    found: float, limit: float, code: str, what: str, *, node: Node | None = None, **more: Any
) -> None:
    """Raise `LimitExceeded` where `found` is more than `limit`. `what` completes: "The document has …"."""
    if found > limit:
        message = f"{what}: {_number(found)}; the limit is {_number(limit)}."
        raise LimitExceeded(code, message, limit=limit, found=found, node=node, **more)


def _number(value: float) -> str:
    return f"{value:,.1f}".removesuffix(".0")
