"""The pages of authors: the manifest. The feature records no events, and has no rows of its own."""

from typing import Final

from ledgerpress.feature import Feature

FEATURE: Final = Feature(
    name="author_pages",
    requires=("slugs", "authors", "posts"),
    pages="ledgerpress.features.author_pages.html_pages:PAGES",
)
