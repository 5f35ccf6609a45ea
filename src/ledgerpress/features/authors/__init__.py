"""Authors: the names in the byline."""

from typing import Final

from ledgerpress.feature import Feature
from ledgerpress.features.authors import commands, model, read_model

FEATURE: Final = Feature(
    name="authors",
    events=model.EVENTS,
    commands=commands.COMMANDS,
    projectors=(read_model.PROJECTOR,),
    listings=(read_model.LISTINGS,),
    dependencies=(read_model.DEPENDENCIES,),
    subjects=(read_model.SUBJECT,),
    schema="ledgerpress.features.authors.schema:SCHEMA",
)
