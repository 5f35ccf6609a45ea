"""One user for each role, registered as actors in a store."""

from typing import Final

from ledgerpress.commands.client_identity import ANONYMOUS, Identity
from ledgerpress.commands.command_request_and_context import CommandRequest
from ledgerpress.commands.roles_and_permissions import Role
from ledgerpress.features.actors.commands import RegisterActor
from ledgerpress.server.store import Store
from tests.identities import identity

AUTHOR: Final = "author"
OTHER_AUTHOR: Final = "another author"
_ROLES: Final = {
    AUTHOR: Role.AUTHOR,
    OTHER_AUTHOR: Role.AUTHOR,
    "editor": Role.EDITOR,
    "auditor": Role.AUDITOR,
    "admin": Role.ADMIN,
}


async def people(store: Store) -> dict[str, Identity]:
    """Register an actor for each role, and return the identities by name; `anyone` is anonymous.

    Later calls with the same store return the same identities.
    """
    identities = {"anyone": ANONYMOUS}
    for name, role in _ROLES.items():
        outcome = await store.commands.handle(RegisterActor(name=name), CommandRequest(idempotency_key=name))
        identities[name] = identity(role, outcome.subject_id)
    return identities
