"""The demo newsroom: three weeks of a fictional harbour town's newspaper, written with ordinary commands."""

from typing import Final

from ledgerpress.feature import Feature

FEATURE: Final = Feature(
    name="demo",
    requires=("site", "actors", "authors", "categories", "posts", "site_pages"),
    pages="ledgerpress.features.demo.example_article:PAGES",
)
