"""Who may carry out which use case: one table, asked before anything else is done for a command.

Whoever may work on nothing but their own posts is told of another's what is told of one that there is not.
"""

from typing import Final

from ledgerpress.commands import skip_event
from ledgerpress.commands.command_context import post_not_found
from ledgerpress.commands.identity import Identity, Permission, RequiredPermission
from ledgerpress.commands.state_loader import StateLoader
from ledgerpress.features import people_commands
from ledgerpress.features.categories import commands as categories
from ledgerpress.features.posts import commands as posts
from ledgerpress.features.posts import restore_revert_commands
from ledgerpress.features.tokens import commands as tokens

_POSTS: Final = RequiredPermission(Permission.WRITE_POSTS, own=Permission.WRITE_OWN_POSTS)
_CATEGORIES: Final = RequiredPermission(Permission.WRITE_CATEGORIES)
_PEOPLE: Final = RequiredPermission(Permission.WRITE_PEOPLE)

COMMAND_PERMISSIONS: Final[dict[type, RequiredPermission]] = {
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
                restore_revert_commands.RestorePost,
                restore_revert_commands.RevertPost,
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
        (
            _PEOPLE,
            (
                people_commands.RegisterAuthor,
                people_commands.RenameAuthor,
                people_commands.RegisterActor,
                people_commands.RenameActor,
            ),
        ),
        (RequiredPermission(Permission.WRITE_SITE), (people_commands.NameSite,)),
        (RequiredPermission(Permission.WRITE_TOKENS), (tokens.CreateToken, tokens.RevokeToken)),
        (RequiredPermission(Permission.WRITE_OPERATIONS), (skip_event.SkipEvent,)),
    )
    for use_case in use_cases
}


class PermissionDenied(Exception):
    """Somebody may not do what they ask for. `permission` is what they lack; `None` where it takes them all."""

    def __init__(self, permission: Permission | None) -> None:
        super().__init__(f"This needs {permission.value if permission else 'every permission'}.")
        self.permission = permission


async def authorize(use_case: object, identity: Identity, streams: StateLoader) -> None:
    """Let a use case through, or raise: `PermissionDenied`, or `Rejected` for a post that is not the caller's to know of.

    A use case that is not in the table takes every permission.
    """
    need = COMMAND_PERMISSIONS.get(type(use_case), RequiredPermission(None))
    if identity.actor_id is None:
        raise PermissionDenied(need.permission)
    if identity.meets(need):
        return
    if not identity.meets_with_own(need):
        raise PermissionDenied(need.permission)
    if isinstance(use_case, posts.CreatePost):
        return
    post_id = getattr(use_case, "post_id", None)
    if post_id is None:
        raise PermissionDenied(need.permission)
    if await streams.post_creator(post_id) != identity.actor_id:
        raise post_not_found()
