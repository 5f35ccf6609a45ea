"""Which posts a viewer sees: all, those of its own, or none."""

from dataclasses import replace

from ledgerpress.commands.client_identity import Identity
from ledgerpress.commands.roles_and_permissions import READ_HISTORY
from ledgerpress.features.actors.permissions import READ_OWN_POSTS
from ledgerpress.features.posts import post_queries
from ledgerpress.features.posts.permissions import READ_POSTS
from ledgerpress.graphql.access_control import AccessDenied
from ledgerpress.graphql.as_of import AsOf, is_past, named_moment
from ledgerpress.graphql.context import Context, PointInTime


def own_actor_id(viewer: Identity) -> str | None:
    """Return the actor whose posts the viewer sees as their own, if any."""
    return viewer.actor_id if viewer.may(READ_OWN_POSTS) else None


def owns_post(moment: PointInTime, seq: int) -> bool:
    """Return whether a post, given by the position of its creation, is the viewer's own."""
    actor_id = own_actor_id(moment.viewer)
    return actor_id is not None and post_queries.created_by(moment.snapshot, seq) == actor_id


def sees_post(moment: PointInTime, seq: int) -> bool:
    """Return whether the viewer sees a post, given by the position of its creation."""
    return moment.viewer.may(READ_POSTS) or owns_post(moment, seq)


def sees_posts(viewer: Identity) -> bool:
    """Return whether there may be posts that the viewer sees."""
    return viewer.may(READ_POSTS) or own_actor_id(viewer) is not None


def moment_of_posts(context: Context, as_of: AsOf | None) -> PointInTime:
    """Return the moment that an argument names, or today's, for an answer about posts.

    The past of posts is part of the history. A viewer who may see it of their own posts alone sees no other posts of that
    moment; categories and authors are then shown as they are today. Raises `BadRequest` and `AccessDenied`.
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
