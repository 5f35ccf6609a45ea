"""The category tree."""

from typing import Final

from ledgerpress.feature import Feature
from ledgerpress.features.categories import commands, listings, model, projector, queries

FEATURE: Final = Feature(
    name="categories",
    requires=("slugs",),
    events=model.EVENTS,
    commands=commands.COMMANDS,
    error_codes=model.ERROR_CODES,
    projectors=(projector.PROJECTOR,),
    listings=(listings.LISTINGS,),
    dependencies=(queries.DEPENDENCIES,),
    subjects=(queries.SUBJECT,),
    schema="ledgerpress.features.categories.schema:SCHEMA",
    pages="ledgerpress.features.categories.html_navigation:PAGES",
)
