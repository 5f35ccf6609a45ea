"""The category tree."""

from typing import Final

from ledgerpress.feature import Feature
from ledgerpress.features.categories import article_counts_and_listings, commands, model, projector, queries

FEATURE: Final = Feature(
    name="categories",
    requires=("slugs",),
    events=model.EVENTS,
    permissions=(commands.WRITE_CATEGORIES,),
    commands=commands.COMMANDS,
    error_codes=model.ERROR_CODES,
    projectors=(projector.PROJECTOR,),
    listings=(article_counts_and_listings.LISTINGS,),
    dependencies=(queries.DEPENDENCIES,),
    subjects=(queries.SUBJECT,),
    schema="ledgerpress.features.categories.schema:SCHEMA",
    pages="ledgerpress.features.categories.category_links_on_pages:PAGES",
)
