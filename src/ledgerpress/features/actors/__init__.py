"""Actors: who records events."""

from typing import Final

from ledgerpress.feature import Feature
from ledgerpress.features.actors import commands, model, read_model

FEATURE: Final = Feature(
    name="actors",
    events=model.EVENTS,
    first_events=model.FIRST_EVENTS,
    commands=commands.COMMANDS,
    adds=commands.ADDS,
    projectors=(read_model.PROJECTOR,),
    dependencies=(read_model.DEPENDENCIES,),
    subjects=(read_model.SUBJECT,),
    schema="ledgerpress.features.actors.schema:SCHEMA",
)
