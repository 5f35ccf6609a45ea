"""Actors: who records events."""

from typing import Final

from ledgerpress.feature import Feature
from ledgerpress.features.actors import commands, model, projector, queries

FEATURE: Final = Feature(
    name="actors",
    requires=(),
    # --- writing ---
    events=model.EVENTS,
    first_events=model.FIRST_EVENTS,
    commands=commands.COMMANDS,
    adds=commands.ADDS,
    # --- views ---
    projectors=(projector.PROJECTOR,),
    dependencies=(queries.DEPENDENCIES,),
    subjects=(queries.SUBJECT,),
    # --- GraphQL, pages ---
    schema="ledgerpress.features.actors.schema:SCHEMA",
)
