"""The site."""

from typing import Final

from ledgerpress.feature import Feature

FEATURE: Final = Feature(
    name="site",
    requires=("actors",),
    # --- writing ---
    # --- views ---
    # --- GraphQL, pages ---
    schema="ledgerpress.features.site.schema:SCHEMA",
    pages="ledgerpress.features.site.pages:PAGES",
)
