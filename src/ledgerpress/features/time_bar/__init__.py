"""The time bar on every page: readers go back in time where the past is public."""

from typing import Final

from ledgerpress.feature import Feature

FEATURE: Final = Feature(
    name="time_bar", requires=("site",), pages="ledgerpress.features.time_bar.page_part:PAGES"
)
