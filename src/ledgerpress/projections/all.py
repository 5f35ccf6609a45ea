"""Every projector there is."""

from ledgerpress.projections.categories import CategoriesProjector
from ledgerpress.projections.changes import ChangesProjector
from ledgerpress.projections.commands import CommandsProjector
from ledgerpress.projections.integrity import IntegrityProjector
from ledgerpress.projections.listings import ListingsProjector
from ledgerpress.projections.moments import MomentsProjector
from ledgerpress.projections.people import PeopleProjector
from ledgerpress.projections.posts import PostsProjector
from ledgerpress.projections.projector import Projector
from ledgerpress.projections.tokens import TokensProjector


def every_projector() -> tuple[Projector, ...]:
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
