"""Which of a document's operations a request means (GraphQL specification, section 6.1, GetOperation)."""

from functools import lru_cache
from typing import Final

from graphql import GraphQLError, OperationDefinitionNode, parse

MAX_TOKENS: Final = 10_000
"""A longer document is refused before it is parsed."""


def unexecutable(query: str, operation_name: str | None) -> str | None:
    """Return why the request names no one operation, or `None` where it does, or where parsing will tell."""
    if not query.strip():
        return "The request has no query."
    names = _operation_names(query)
    if names is None:
        return None
    if not names:
        return "The document has no operation to execute."
    if operation_name is None and len(names) > 1:
        return "The document has several operations: say which, in operationName."
    if operation_name is not None and operation_name not in names:
        return "The document has no operation of the name given in operationName."
    return None


@lru_cache(maxsize=256)
def _operation_names(query: str) -> tuple[str | None, ...] | None:
    try:
        document = parse(query, no_location=True, max_tokens=MAX_TOKENS)
    except GraphQLError:
        return None
    operations = [one for one in document.definitions if isinstance(one, OperationDefinitionNode)]
    return tuple(one.name.value if one.name else None for one in operations)
