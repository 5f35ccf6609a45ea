"""API tokens."""

from typing import Final

from ledgerpress.feature import Feature

FEATURE: Final = Feature(
    name="tokens",
    requires=("actors",),
    # --- writing ---
    # --- views ---
    # --- GraphQL, pages ---
    schema="ledgerpress.features.tokens.schema:SCHEMA",
)
