"""Actors: who records events."""

from typing import Final

from ledgerpress.feature import Feature
from ledgerpress.features.actors import projector, queries

FEATURE: Final = Feature(
    name="actors",
    requires=(),
    # --- writing ---
    # --- views ---
    projectors=(projector.PROJECTOR,),
    dependencies=(queries.DEPENDENCIES,),
    subjects=(queries.SUBJECT,),
    # --- GraphQL, pages ---
    schema="ledgerpress.features.actors.schema:SCHEMA",
)
