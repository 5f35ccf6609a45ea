"""Every projector there is."""

from ledgerpress.commands.previous_results_projector import CommandsProjector
from ledgerpress.features.categories.projector import CategoriesProjector
from ledgerpress.features.history.projector import ChangesProjector
from ledgerpress.features.integrity.projector import IntegrityProjector
from ledgerpress.features.people_projector import PeopleProjector
from ledgerpress.features.posts.projector import PostsProjector
from ledgerpress.features.tokens.projector import TokensProjector
from ledgerpress.views.listings.projector import ListingsProjector
from ledgerpress.views.projection.projector import Projector
from ledgerpress.views.recorded_time_projector import MomentsProjector


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
