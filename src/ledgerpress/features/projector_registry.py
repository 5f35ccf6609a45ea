"""What the first-party features declare for the views, merged."""

from functools import cache

from ledgerpress.commands.previous_results_projector import CommandsProjector
from ledgerpress.features import actors, authors, categories, history, integrity, posts, site, slugs, tokens
from ledgerpress.views.declarations import DeclaredViews
from ledgerpress.views.projection.projector import Projector


@cache
def declared_views() -> DeclaredViews:
    """Return what the first-party features declare for the views."""
    modules = (authors, actors, site, tokens, slugs, categories, posts, history, integrity)
    return DeclaredViews.of([module.FEATURE for module in modules], kernel=[CommandsProjector()])


def all_projectors() -> tuple[Projector, ...]:
    """Return every projector, in the order of their names."""
    return declared_views().projectors
