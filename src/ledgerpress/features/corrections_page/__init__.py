"""The page of all corrections, which also lists published edits without a note."""

from typing import Final

from ledgerpress.feature import Feature

FEATURE: Final = Feature(
    name="corrections_page",
    requires=("posts", "public_history"),
    schema="ledgerpress.features.corrections_page.schema:SCHEMA",
    pages="ledgerpress.features.corrections_page.html_pages:PAGES",
)
