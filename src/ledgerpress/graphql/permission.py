"""Who may see what: the one place where that is decided."""

from graphql import GraphQLError

from ledgerpress.graphql.context import Context, Viewer
from ledgerpress.readmodels.public_today import PublicToday


class Forbidden(GraphQLError):
    """The caller may not see this."""

    def __init__(self) -> None:
        super().__init__("The history is for those who edit or audit.", extensions={"code": "FORBIDDEN"})


def viewer_at_the_door(*, open_past: bool) -> Viewer:
    """Return who a request comes from. There are no roles yet by which requests could be told apart.

    So whoever reaches the server is its operator, unless the past is open to everyone: then they may be anyone.
    """
    return Viewer.READER if open_past else Viewer.STAFF


def may_see_history(context: Context) -> bool:
    """Return whether the caller may see all of the past: of posts and articles, with its differences and reasons."""
    return context.viewer is Viewer.STAFF


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
