"""Who may carry out which use case: one table, asked before anything else is done for a command.

Whoever may work on nothing but their own posts is told of another's what is told of one that there is not.
"""

from typing import Final

from ledgerpress.application import categories, people, post_history, posts, projections, tokens
from ledgerpress.application.access import Identity, Need, Permission
from ledgerpress.application.desk import no_such_post
from ledgerpress.application.streams import Streams

_POSTS: Final = Need(Permission.WRITE_POSTS, own=Permission.WRITE_OWN_POSTS)
_CATEGORIES: Final = Need(Permission.WRITE_CATEGORIES)
_PEOPLE: Final = Need(Permission.WRITE_PEOPLE)

NEEDED: Final[dict[type, Need]] = {
    use_case: need
    for need, use_cases in (
        (
            _POSTS,
            (
                posts.CreatePost,
                posts.EditPost,
                posts.CategorizePost,
                posts.UncategorizePost,
                posts.PublishPost,
                posts.UnpublishPost,
                posts.ArchivePost,
                posts.UnarchivePost,
                post_history.RestorePost,
                post_history.RevertPost,
            ),
        ),
        (
            _CATEGORIES,
            (
                categories.CreateCategory,
                categories.RenameCategory,
                categories.DescribeCategory,
                categories.MoveCategory,
                categories.MergeCategory,
                categories.DeleteCategory,
            ),
        ),
        (_PEOPLE, (people.RegisterAuthor, people.RenameAuthor, people.RegisterActor, people.RenameActor)),
        (Need(Permission.WRITE_SITE), (people.NameSite,)),
        (Need(Permission.WRITE_TOKENS), (tokens.CreateToken, tokens.RevokeToken)),
        (Need(Permission.WRITE_OPERATIONS), (projections.SkipEvent,)),
    )
    for use_case in use_cases
}


class NotPermitted(Exception):
    """Somebody may not do what they ask for. `permission` is what they lack; `None` where it takes them all."""

    def __init__(self, permission: Permission | None) -> None:
        super().__init__(f"This needs {permission.value if permission else 'every permission'}.")
        self.permission = permission


async def authorise(use_case: object, identity: Identity, streams: Streams) -> None:
    """Let a use case through, or raise: `NotPermitted`, or `Rejected` for a post that is not the caller's to know of.

    A use case that is not in the table takes every permission.
    """
    need = NEEDED.get(type(use_case), Need(None))
    if identity.actor_id is None:
        raise NotPermitted(need.permission)
    if identity.meets(need):
        return
    if not identity.meets_with_own(need):
        raise NotPermitted(need.permission)
    if isinstance(use_case, posts.CreatePost):
        return
    post_id = getattr(use_case, "post_id", None)
    if post_id is None:
        raise NotPermitted(need.permission)
    if await streams.post_creator(post_id) != identity.actor_id:
        raise no_such_post()
