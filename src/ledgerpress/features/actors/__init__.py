"""Actors, who record events: the manifest, and the commands and events for features that require actors.

These features read with `actors.queries`, and build on `actors.schema`. See docs/reference/public-modules.md.
"""

from typing import TYPE_CHECKING, Final

from ledgerpress.feature import Feature
from ledgerpress.feature.lazy_references import names_in
from ledgerpress.features.actors import model, permissions, projector_and_queries
from ledgerpress.features.actors.model import ACTORS, Actor, ActorKind, ActorRegistered, ActorRenamed
from ledgerpress.features.actors.permissions import READ_OWN_POSTS, WRITE_PEOPLE

if TYPE_CHECKING:
    from ledgerpress.features.actors.commands import RegisterActor, RenameActor
else:
    __getattr__ = names_in(__name__, "commands")

__all__ = [
    "ACTORS",
    "FEATURE",
    "READ_OWN_POSTS",
    "WRITE_PEOPLE",
    "Actor",
    "ActorKind",
    "ActorRegistered",
    "ActorRenamed",
    "RegisterActor",
    "RenameActor",
]

FEATURE: Final = Feature(
    name="actors",
    events=model.EVENTS,
    first_events=model.FIRST_EVENTS,
    permissions=permissions.PERMISSIONS,
    commands=("ledgerpress.features.actors.commands:COMMANDS",),
    adds=("ledgerpress.features.actors.commands:ADDS",),
    projectors=(projector_and_queries.PROJECTOR,),
    dependencies=(projector_and_queries.DEPENDENCIES,),
    subjects=(projector_and_queries.SUBJECT,),
    schema="ledgerpress.features.actors.schema:SCHEMA",
)
