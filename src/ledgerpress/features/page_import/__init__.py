"""Import of article pages that are saved as text."""

from typing import Final

from ledgerpress.feature import Feature

FEATURE: Final = Feature(
    name="page_import",
    requires=("site", "categories", "authors", "posts"),
)
