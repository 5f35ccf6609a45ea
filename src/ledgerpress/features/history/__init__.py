"""History: changes, differences between versions, blame.

Features that require this one read with `history.change_queries` and build on `history.schema`. See
docs/reference/public-modules.md.
"""

from typing import Final

from ledgerpress.feature import Feature
from ledgerpress.features.history import change_queries as queries
from ledgerpress.features.history import projector

__all__ = ["FEATURE"]

FEATURE: Final = Feature(
    name="history",
    requires=("site", "actors", "authors", "categories", "posts"),
    projectors=(projector.ChangesProjector(),),
    recent_events=queries.recent_events,
    schema="ledgerpress.features.history.schema:SCHEMA",
)
