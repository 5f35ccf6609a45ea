"""Slugs: their syntax, and the streams that make them unique."""

from typing import Final

from ledgerpress.feature import Feature
from ledgerpress.features.slugs import model
from ledgerpress.views.feature_declarations import DependencyRule

FEATURE: Final = Feature(
    name="slugs",
    events=model.EVENTS,
    error_codes=model.ERROR_CODES,
    dependencies=(DependencyRule.by_type({"slug.claimed": [], "slug.released": []}),),
)
