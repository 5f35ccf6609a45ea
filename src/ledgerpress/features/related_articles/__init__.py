"""Related articles, and the articles published before and after an article."""

from typing import Final

from ledgerpress.feature import Feature

FEATURE: Final = Feature(
    name="related_articles",
    requires=("site", "categories", "posts"),
    schema="ledgerpress.features.related_articles.schema:SCHEMA",
    pages="ledgerpress.features.related_articles.page_part:PAGES",
)
