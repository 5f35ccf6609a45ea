"""History: changes, differences between versions, blame."""

from typing import Final

from ledgerpress.feature import Feature

FEATURE: Final = Feature(
    name="history",
    requires=("site", "actors", "authors", "categories", "posts"),
    # --- writing ---
    # --- views ---
    # --- GraphQL, pages ---
    schema="ledgerpress.features.history.schema.contribution:SCHEMA",
)
