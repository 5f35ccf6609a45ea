"""The category tree."""

from typing import Final

from ledgerpress.feature import Feature

FEATURE: Final = Feature(
    name="categories",
    requires=("slugs",),
    # --- writing ---
    # --- views ---
    # --- GraphQL, pages ---
    schema="ledgerpress.features.categories.schema.contribution:SCHEMA",
    pages="ledgerpress.features.categories.pages:PAGES",
)
