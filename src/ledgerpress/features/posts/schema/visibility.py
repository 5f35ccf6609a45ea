"""The posts that a viewer may see: all, only their own, or none."""

from dataclasses import replace

from ledgerpress.commands.client_identity import Identity
from ledgerpress.commands.roles_and_permissions import READ_HISTORY
from ledgerpress.features.actors.permissions import READ_OWN_POSTS, READ_POSTS
from ledgerpress.features.posts import post_queries
from ledgerpress.graphql.access_control import AccessDenied
from ledgerpress.graphql.as_of import AsOf, is_past, named_moment
from ledgerpress.graphql.context import Context, PointInTime


def own_actor_id(viewer: Identity) -> str | None:
    """Return the id of the actor whose posts are the viewer's own, if the viewer may see own posts."""
    return viewer.actor_id if viewer.may(READ_OWN_POSTS) else None


def owns_post(moment: PointInTime, seq: int) -> bool:
    """Return whether the viewer created the post with position `seq`, and may see own posts."""
    actor_id = own_actor_id(moment.viewer)
    return actor_id is not None and post_queries.created_by(moment.snapshot, seq) == actor_id


def sees_post(moment: PointInTime, seq: int) -> bool:
    """Return whether the viewer may see the post created at position `seq`."""
    return moment.viewer.may(READ_POSTS) or owns_post(moment, seq)


def sees_posts(viewer: Identity) -> bool:
    """Return whether the viewer may see any posts: all, or their own."""
    return viewer.may(READ_POSTS) or own_actor_id(viewer) is not None


def moment_of_posts(context: Context, as_of: AsOf | None) -> PointInTime:
    """Return the moment of `as_of`, by default the current one, for a query of posts.

    The past of posts is part of the history. Without `history:read`, a viewer sees only their own posts of a past
    moment; categories and authors are then as of today, unless the public past is open to everyone.

    Raises `BadRequest` for a moment in the future, and `AccessDenied`.
    """
    moment, viewer = named_moment(context, as_of), context.identity
    if viewer.may(READ_HISTORY) or not is_past(context, moment):
        return moment
    if own_actor_id(viewer) is None:
        raise AccessDenied(viewer, READ_HISTORY)
    own_posts_only = replace(viewer, permissions=viewer.permissions - {READ_POSTS})
    if not context.open_past:
        return replace(moment, viewer=own_posts_only, related=context.today)
    public = replace(moment.snapshot, only=context.public_today)
    return replace(moment, viewer=own_posts_only, snapshot=public)
