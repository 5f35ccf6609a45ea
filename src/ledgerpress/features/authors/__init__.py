"""Authors: the names in the byline."""

from typing import Final

from ledgerpress.feature import Feature
from ledgerpress.features.authors import commands, model, read_model

FEATURE: Final = Feature(
    name="authors",
    requires=(),
    # --- writing ---
    events=model.EVENTS,
    commands=commands.COMMANDS,
    # --- views ---
    projectors=(read_model.PROJECTOR,),
    listings=(read_model.LISTINGS,),
    dependencies=(read_model.DEPENDENCIES,),
    subjects=(read_model.SUBJECT,),
    # --- GraphQL, pages ---
    schema="ledgerpress.features.authors.schema:SCHEMA",
)
