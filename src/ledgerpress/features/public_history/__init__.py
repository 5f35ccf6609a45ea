"""Public histories of articles: published revisions, their differences, and proofs that they are in the log."""

from typing import Final

from ledgerpress.feature import Feature
from ledgerpress.features.public_history import publications_projection

FEATURE: Final = Feature(
    name="public_history",
    requires=("site", "authors", "posts", "history", "integrity"),
    projectors=(publications_projection.PROJECTOR,),
    schema="ledgerpress.features.public_history.schema:SCHEMA",
    pages="ledgerpress.features.public_history.html_pages:PAGES",
)
