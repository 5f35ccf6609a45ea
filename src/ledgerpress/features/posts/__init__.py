"""Posts and articles."""

from typing import Final

from ledgerpress.feature import Feature

FEATURE: Final = Feature(
    name="posts",
    requires=("slugs", "authors", "categories"),
    # --- writing ---
    # --- views ---
    # --- GraphQL, pages ---
    schema="ledgerpress.features.posts.schema.contribution:SCHEMA",
    pages="ledgerpress.features.posts.pages:PAGES",
)
