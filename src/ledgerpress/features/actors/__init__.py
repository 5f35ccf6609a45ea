"""Actors: who records events."""

from typing import Final

from ledgerpress.feature import Feature
from ledgerpress.features.actors import commands, model, permissions, projector_and_queries

FEATURE: Final = Feature(
    name="actors",
    events=model.EVENTS,
    first_events=model.FIRST_EVENTS,
    permissions=permissions.PERMISSIONS,
    commands=commands.COMMANDS,
    adds=commands.ADDS,
    projectors=(projector_and_queries.PROJECTOR,),
    dependencies=(projector_and_queries.DEPENDENCIES,),
    subjects=(projector_and_queries.SUBJECT,),
    schema="ledgerpress.features.actors.schema:SCHEMA",
)
