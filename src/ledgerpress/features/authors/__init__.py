"""Authors: the names in the byline."""

from typing import Final

from ledgerpress.feature import Feature
from ledgerpress.features.authors import commands, model, projector_and_queries

FEATURE: Final = Feature(
    name="authors",
    requires=("actors",),
    events=model.EVENTS,
    commands=commands.COMMANDS,
    projectors=(projector_and_queries.PROJECTOR,),
    listings=(projector_and_queries.LISTINGS,),
    dependencies=(projector_and_queries.DEPENDENCIES,),
    subjects=(projector_and_queries.SUBJECT,),
    schema="ledgerpress.features.authors.schema:SCHEMA",
)
