"""Checks the permission of a command before anything else is done for it."""

from ledgerpress.commands.declarations import CommandDeclaration
from ledgerpress.commands.roles_and_permissions import Identity, Permission
from ledgerpress.commands.state_loader import StateLoader


class PermissionDenied(Exception):
    """The user lacks `permission`; `None` stands for every permission."""

    def __init__(self, permission: Permission | None) -> None:
        super().__init__(f"This needs {permission.value if permission else 'every permission'}.")
        self.permission = permission


async def authorize(
    command: object, declaration: CommandDeclaration, identity: Identity, states: StateLoader
) -> None:
    """Raise `PermissionDenied` if the user may not execute the command.

    Raises `Rejection` if the user may only work on their own objects and this is not one: as if it did not exist.
    """
    required = declaration.required
    if identity.actor_id is None:
        raise PermissionDenied(required.permission)
    if identity.meets(required):
        return
    if declaration.check_own is None or not identity.meets_with_own(required):
        raise PermissionDenied(required.permission)
    await declaration.check_own(command, states, identity.actor_id)
