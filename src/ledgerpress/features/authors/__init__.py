"""Authors: the names in the byline."""

from typing import Final

from ledgerpress.feature import Feature
from ledgerpress.features.authors import commands, model, projector, queries

FEATURE: Final = Feature(
    name="authors",
    requires=(),
    # --- writing ---
    events=model.EVENTS,
    commands=commands.COMMANDS,
    # --- views ---
    projectors=(projector.PROJECTOR,),
    listings=(projector.LISTINGS,),
    dependencies=(queries.DEPENDENCIES,),
    subjects=(queries.SUBJECT,),
    # --- GraphQL, pages ---
    schema="ledgerpress.features.authors.schema:SCHEMA",
)
