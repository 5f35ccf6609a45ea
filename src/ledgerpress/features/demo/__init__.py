"""The demo newsroom: three weeks of an invented harbour town's paper, written with ordinary commands."""

from typing import Final

from ledgerpress.feature import Feature

FEATURE: Final = Feature(
    name="demo",
    requires=("site", "actors", "authors", "categories", "posts"),
)
