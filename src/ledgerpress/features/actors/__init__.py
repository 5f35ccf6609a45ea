"""Actors: who records events."""

from typing import Final

from ledgerpress.feature import Feature

FEATURE: Final = Feature(
    name="actors",
    requires=(),
    # --- writing ---
    # --- views ---
    # --- GraphQL, pages ---
    schema="ledgerpress.features.actors.schema:SCHEMA",
)
