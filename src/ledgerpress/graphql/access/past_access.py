"""Who may see the past, and how a caller is told what they may not: what is refused, and nothing of what there is."""

from graphql import GraphQLError

from ledgerpress.commands.identity import Identity, Permission
from ledgerpress.features.history.queries import ChangeQuery
from ledgerpress.features.posts import post_queries
from ledgerpress.graphql.context import Context
from ledgerpress.views.public_filter import PublicFilter


class AccessDenied(GraphQLError):
    """The caller may not do or see this: `FORBIDDEN`, or `UNAUTHENTICATED` for who has not said who they are."""

    def __init__(self, identity: Identity, permission: Permission | None) -> None:
        needed = f"the permission “{permission.value}”" if permission else "all permissions"
        if identity.actor_id is None:
            message = f"Say who you are, with “Authorization: Bearer …”: this needs {needed}."
            super().__init__(message, extensions={"code": "UNAUTHENTICATED"})
        else:
            message = f"This needs {needed}, which you do not have."
            super().__init__(message, extensions={"code": "FORBIDDEN"})


def past_article_filter(context: Context) -> PublicFilter | None:
    """Return the articles that the caller may see as of a past moment, `None` for all. Raises `AccessDenied`."""
    if context.sight.history:
        return None
    if not context.open_past:
        raise AccessDenied(context.identity, Permission.READ_HISTORY)
    return context.public_today


def require_change_access(context: Context, which: ChangeQuery) -> None:
    """Raise `AccessDenied` unless the caller may see these changes: any with the history, or those of a post of theirs.

    Of a post that is another's, and of one that there is not, the answer is the same.
    """
    if context.sight.history:
        return
    kind, _, post_id = (which.subject or "").partition(".")
    snapshot = context.today.snapshot
    post = post_queries.by_id(snapshot, post_id) if kind == "post" and context.sight.own else None
    if post is None or not context.sight.owns(snapshot, post.seq):
        raise AccessDenied(context.identity, Permission.READ_HISTORY)
