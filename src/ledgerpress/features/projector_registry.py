"""What the first-party features declare for the views, merged."""

from functools import cache
from typing import Final

from ledgerpress.commands.previous_results_projector import CommandsProjector
from ledgerpress.feature import Feature
from ledgerpress.features import actors, authors, categories, history, integrity, posts, site, slugs, tokens
from ledgerpress.views.declarations import DeclaredViews
from ledgerpress.views.projection.projector import Projector

FEATURES: Final[tuple[Feature, ...]] = tuple(
    module.FEATURE for module in (actors, authors, site, tokens, slugs, categories, posts, history, integrity)
)


@cache
def declared_views(*more: Feature) -> DeclaredViews:
    """Return what the first-party features, and `more`, declare for the views."""
    return DeclaredViews.of([*FEATURES, *more], kernel=[CommandsProjector()])


def all_projectors() -> tuple[Projector, ...]:
    """Return every projector, in the order of their names."""
    return declared_views().projectors
