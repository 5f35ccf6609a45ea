"""The Merkle tree over the log, as a projection."""

from typing import Final

from ledgerpress.feature import Feature
from ledgerpress.features.integrity import projector

FEATURE: Final = Feature(
    name="integrity",
    requires=(),
    # --- writing ---
    # --- views ---
    projectors=(projector.IntegrityProjector(),),
    # --- GraphQL, pages ---
)
