"""Metadata of pages for search engines and social networks: canonical addresses, Open Graph, JSON-LD."""

from typing import Final

from ledgerpress.feature import Feature

FEATURE: Final = Feature(
    name="page_metadata",
    requires=("categories", "posts"),
    pages="ledgerpress.features.page_metadata.page_part:PAGES",
)
