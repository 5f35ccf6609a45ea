"""Slugs: their form, and the stream that makes each one unique."""

from typing import Final

from ledgerpress.feature import Feature
from ledgerpress.views.declarations import DependencyRule

FEATURE: Final = Feature(
    name="slugs",
    requires=(),
    # --- writing ---
    # --- views ---
    dependencies=(DependencyRule.by_type({"slug.claimed": [], "slug.released": []}),),
    # --- GraphQL, pages ---
)
