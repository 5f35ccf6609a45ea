"""The features that LedgerPress ships, and what follows from their manifests."""

from functools import lru_cache
from typing import TYPE_CHECKING, Final

from ledgerpress.commands.executed_commands_view import CommandsProjector
from ledgerpress.feature import Feature, FeatureSet
from ledgerpress.features import (
    actors,
    authors,
    categories,
    demo,
    history,
    integrity,
    page_import,
    posts,
    site,
    slugs,
    tokens,
)
from ledgerpress.views.feature_declarations import DeclaredViews
from ledgerpress.views.projection.projector_interface_and_composition import Projector

if TYPE_CHECKING:
    from ledgerpress.graphql.schema import Schema

_ORDER = (slugs, actors, tokens, site, authors, categories, posts, history, integrity, demo, page_import)
FIRST_PARTY: Final[tuple[Feature, ...]] = tuple(package.FEATURE for package in _ORDER)
"""Each feature after those that it requires."""
FEATURES: Final = FeatureSet(FIRST_PARTY)
EVENT_TYPES: Final = FEATURES.events
event_codec: Final = FEATURES.codec
page_contributions: Final = FEATURES.page_contributions


def declared_views(*more: Feature) -> DeclaredViews:
    """Return what these features, and `more`, declare for the views."""
    return DeclaredViews.of([*FIRST_PARTY, *more], kernel=[CommandsProjector()])


def all_projectors() -> tuple[Projector, ...]:
    """Return every projector, in the order of their names."""
    return declared_views().projectors


@lru_cache(maxsize=1)
def graphql_schema() -> "Schema":
    return FEATURES.graphql_schema()
