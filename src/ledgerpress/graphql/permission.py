"""Who may see what: the one place where that is decided."""

from graphql import GraphQLError

from ledgerpress.graphql.context import Context


class Forbidden(GraphQLError):
    """The caller may not see this."""

    def __init__(self, message: str) -> None:
        super().__init__(message, extensions={"code": "FORBIDDEN"})


def may_see_history(context: Context) -> bool:
    """Return whether the caller may see the past: history, differences, and answers as of another moment.

    Whoever reaches the server is its operator, who may.
    """
    return True


def require_history(context: Context) -> None:
    """Raise `Forbidden` unless the caller may see the past."""
    if not may_see_history(context):
        raise Forbidden("The history is for those who edit or audit.")
