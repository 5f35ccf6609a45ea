"""The features that LedgerPress ships, and third-party features that are installed."""

from functools import lru_cache
from typing import TYPE_CHECKING, Final

from ledgerpress.feature import Feature, FeatureSet
from ledgerpress.features import (
    actors,
    author_pages,
    authors,
    bulk,
    categories,
    corrections_page,
    demo,
    feeds,
    front_page_comparison,
    history,
    integrity,
    page_import,
    page_metadata,
    posts,
    public_history,
    related_articles,
    site,
    site_pages,
    slugs,
    time_bar,
    tokens,
)
from ledgerpress.features.third_party_loading import load_features
from ledgerpress.views.feature_declarations import DeclaredViews
from ledgerpress.views.projection.projector_interface_and_composition import Projector

if TYPE_CHECKING:
    from ledgerpress.graphql.schema import Schema

__all__ = ["FIRST_PARTY", "installed_features"]

_ORDER = (
    slugs,
    actors,
    tokens,
    site,
    authors,
    categories,
    posts,
    site_pages,
    history,
    integrity,
    feeds,
    author_pages,
    related_articles,
    page_metadata,
    public_history,
    corrections_page,
    front_page_comparison,
    demo,
    page_import,
    bulk,
    time_bar,
)
FIRST_PARTY: Final[tuple[Feature, ...]] = tuple(package.FEATURE for package in _ORDER)
"""The features that LedgerPress ships, each after the features that it requires."""
FEATURES: Final = FeatureSet(FIRST_PARTY)
"""The features of a process that has no third-party features."""
EVENT_TYPES: Final = FEATURES.events
event_codec: Final = FEATURES.codec
page_contributions: Final = FEATURES.page_contributions


@lru_cache(maxsize=1)
def installed_features() -> FeatureSet:
    """Return the features that LedgerPress ships and those of all installed packages.

    Raises `InvalidFeature` if a third-party feature is invalid.
    """
    return FeatureSet(FIRST_PARTY, third_party=load_features())


def declared_views(*more: Feature) -> DeclaredViews:
    """Return the declarations for the views of the features that LedgerPress ships and of `more`."""
    return FeatureSet((*FIRST_PARTY, *more)).views


def all_projectors() -> tuple[Projector, ...]:
    """Return all projectors of the features that LedgerPress ships, sorted by name."""
    return FEATURES.projectors


@lru_cache(maxsize=1)
def graphql_schema() -> "Schema":
    return FEATURES.graphql_schema()
