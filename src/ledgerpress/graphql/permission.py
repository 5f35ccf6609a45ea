"""Who may see what: the one place where that is decided."""

from graphql import GraphQLError

from ledgerpress.application.access import Permission
from ledgerpress.graphql.context import Context
from ledgerpress.readmodels.public_today import PublicToday


class Forbidden(GraphQLError):
    """The caller may not see this."""

    def __init__(self) -> None:
        super().__init__("The history is for those who edit or audit.", extensions={"code": "FORBIDDEN"})


def may_see_history(context: Context) -> bool:
    """Return whether the caller may see all of the past: of posts and articles, with its differences and reasons."""
    return context.identity.may(Permission.READ_HISTORY)


def require_history(context: Context) -> None:
    """Raise `Forbidden` unless the caller may see all of the past."""
    if not may_see_history(context):
        raise Forbidden


def articles_shown_of_the_past(context: Context) -> PublicToday | None:
    """Return the articles that the caller may see as of a past moment, `None` for all. Raises `Forbidden`."""
    if may_see_history(context):
        return None
    if not context.open_past:
        raise Forbidden
    return context.public_today
