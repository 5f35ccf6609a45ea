"""History: changes, differences between versions, blame.

`history.change_queries` has what features above the history need to read, `history.schema` what they need to show:
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
