"""The comparison of the front page at two points in time."""

from typing import Final

from ledgerpress.feature import Feature

FEATURE: Final = Feature(
    name="front_page_comparison",
    requires=("site", "posts"),
    schema="ledgerpress.features.front_page_comparison.schema:SCHEMA",
    pages="ledgerpress.features.front_page_comparison.html_pages:PAGES",
)
