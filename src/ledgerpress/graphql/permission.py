"""Who may see the past, and how a caller is told what they may not: what is refused, and nothing of what there is."""

from graphql import GraphQLError

from ledgerpress.application.access import Identity, Permission
from ledgerpress.graphql.context import Context
from ledgerpress.readmodels import posts
from ledgerpress.readmodels.changes import Which
from ledgerpress.readmodels.public_today import PublicToday


class Refused(GraphQLError):
    """The caller may not do or see this: `FORBIDDEN`, or `UNAUTHENTICATED` for who has not said who they are."""

    def __init__(self, identity: Identity, permission: Permission | None) -> None:
        needed = f"the permission “{permission.value}”" if permission else "all permissions"
        if identity.actor_id is None:
            message = f"Say who you are, with “Authorization: Bearer …”: this needs {needed}."
            super().__init__(message, extensions={"code": "UNAUTHENTICATED"})
        else:
            message = f"This needs {needed}, which you do not have."
            super().__init__(message, extensions={"code": "FORBIDDEN"})


def articles_shown_of_the_past(context: Context) -> PublicToday | None:
    """Return the articles that the caller may see as of a past moment, `None` for all. Raises `Refused`."""
    if context.sight.history:
        return None
    if not context.open_past:
        raise Refused(context.identity, Permission.READ_HISTORY)
    return context.public_today


def require_changes(context: Context, which: Which) -> None:
    """Raise `Refused` unless the caller may see these changes: any with the history, or those of a post of theirs.

    Of a post that is another's, and of one that there is not, the answer is the same.
    """
    if context.sight.history:
        return
    kind, _, post_id = (which.subject or "").partition(".")
    snapshot = context.today.snapshot
    post = posts.by_id(snapshot, post_id) if kind == "post" and context.sight.own else None
    if post is None or not context.sight.owns(snapshot, post.seq):
        raise Refused(context.identity, Permission.READ_HISTORY)
