"""The Merkle tree over the log, as a projection."""

from typing import Final

from ledgerpress.feature import Feature

FEATURE: Final = Feature(
    name="integrity",
    requires=(),
    # --- writing ---
    # --- views ---
    # --- GraphQL, pages ---
)
