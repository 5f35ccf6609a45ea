"""History: changes, differences between versions, blame."""

from typing import Final

from ledgerpress.feature import Feature
from ledgerpress.features.history import change_queries as queries
from ledgerpress.features.history import projector

FEATURE: Final = Feature(
    name="history",
    requires=("site", "actors", "authors", "categories", "posts"),
    projectors=(projector.ChangesProjector(),),
    recent_events=queries.recent_events,
    schema="ledgerpress.features.history.schema:SCHEMA",
)
