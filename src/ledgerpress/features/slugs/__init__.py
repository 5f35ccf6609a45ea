"""Slugs: their form, and the stream that makes each one unique."""

from typing import Final

from ledgerpress.feature import Feature

FEATURE: Final = Feature(
    name="slugs",
    requires=(),
    # --- writing ---
    # --- views ---
    # --- GraphQL, pages ---
)
