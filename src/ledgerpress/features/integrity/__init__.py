"""The Merkle tree over the log, as a projection."""

from typing import Final

from ledgerpress.feature import Feature
from ledgerpress.features.integrity import merkle_tree_projection

FEATURE: Final = Feature(
    name="integrity",
    projectors=(merkle_tree_projection.IntegrityProjector(),),
)
