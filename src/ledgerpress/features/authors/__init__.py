"""Authors: the names in the byline."""

from typing import Final

from ledgerpress.feature import Feature

FEATURE: Final = Feature(
    name="authors",
    requires=(),
    # --- writing ---
    # --- views ---
    # --- GraphQL, pages ---
    schema="ledgerpress.features.authors.schema:SCHEMA",
)
