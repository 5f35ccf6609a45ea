"""The features that LedgerPress ships, each after those that it requires."""

from functools import lru_cache
from typing import TYPE_CHECKING, Final

from ledgerpress.feature import Feature, load
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

if TYPE_CHECKING:
    from ledgerpress.graphql.schema import Schema
    from ledgerpress.http.pages.pages import PageContribution

FIRST_PARTY: Final[tuple[Feature, ...]] = (
    slugs.FEATURE,
    actors.FEATURE,
    tokens.FEATURE,
    site.FEATURE,
    authors.FEATURE,
    categories.FEATURE,
    posts.FEATURE,
    history.FEATURE,
    integrity.FEATURE,
    demo.FEATURE,
    page_import.FEATURE,
)


@lru_cache(maxsize=1)
def graphql_schema() -> "Schema":
    """Return the GraphQL schema of these features."""
    from ledgerpress.graphql.schema import build_schema  # noqa: PLC0415 - slow to import

    return build_schema(load(feature.schema) for feature in FIRST_PARTY if feature.schema)


def page_contributions() -> list["PageContribution"]:
    """Return what these features contribute to the pages."""
    return [load(feature.pages) for feature in FIRST_PARTY if feature.pages]
