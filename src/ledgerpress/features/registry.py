"""The first-party features, and what follows from their manifests."""

from typing import Final

from ledgerpress.commands.previous_results import CommandsProjector
from ledgerpress.eventlog.codec import Codec
from ledgerpress.eventlog.event import Event
from ledgerpress.feature import FeatureSet
from ledgerpress.features import (
    actors,
    authors,
    categories,
    history,
    integrity,
    page_import,
    posts,
    site,
    slugs,
    tokens,
)
from ledgerpress.features.categories.projector import CategoriesProjector
from ledgerpress.features.history.projector import ChangesProjector
from ledgerpress.features.integrity.projector import IntegrityProjector
from ledgerpress.features.people_projector import PeopleProjector
from ledgerpress.features.posts.projector import PostsProjector
from ledgerpress.features.tokens.projector import TokensProjector
from ledgerpress.views.listings.projector import ListingsProjector
from ledgerpress.views.projection.projector import Projector
from ledgerpress.views.recorded_time_projector import MomentsProjector

FIRST_PARTY: Final = FeatureSet(
    (
        actors.FEATURE,
        site.FEATURE,
        tokens.FEATURE,
        authors.FEATURE,
        slugs.FEATURE,
        categories.FEATURE,
        posts.FEATURE,
        history.FEATURE,
        integrity.FEATURE,
        page_import.FEATURE,
    )
)
EVENT_TYPES: Final = FIRST_PARTY.events


def event_codec() -> Codec[Event]:
    """Return the codec that reads every event ever stored, and writes the newest versions."""
    return FIRST_PARTY.codec()


def all_projectors() -> tuple[Projector, ...]:
    """Return one of each projector."""
    return (
        CategoriesProjector(),
        ChangesProjector(),
        CommandsProjector(),
        IntegrityProjector(),
        ListingsProjector(),
        MomentsProjector(),
        PeopleProjector(),
        PostsProjector(),
        TokensProjector(),
    )
