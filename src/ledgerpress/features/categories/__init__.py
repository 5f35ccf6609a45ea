"""The category tree."""

from typing import Final

from ledgerpress.feature import Feature
from ledgerpress.features.categories import commands, listings, model, projector, queries

FEATURE: Final = Feature(
    name="categories",
    requires=("slugs",),
    # --- writing ---
    events=model.EVENTS,
    commands=commands.COMMANDS,
    error_codes=model.ERROR_CODES,
    # --- views ---
    projectors=(projector.PROJECTOR,),
    listings=(listings.LISTINGS,),
    dependencies=(queries.DEPENDENCIES,),
    subjects=(queries.SUBJECT,),
    # --- GraphQL, pages ---
    schema="ledgerpress.features.categories.schema:SCHEMA",
    pages="ledgerpress.features.categories.html_navigation:PAGES",
)
