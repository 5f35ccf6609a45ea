"""Authors, the names in the byline: the manifest, and the public names for features above that write authors.

Features above import queries from `authors.queries` and GraphQL types from `authors.schema`: see
docs/reference/public-modules.md.
"""

from typing import TYPE_CHECKING, Final

from ledgerpress.feature import Feature
from ledgerpress.feature.lazy_references import names_in
from ledgerpress.features.actors.permissions import WRITE_PEOPLE
from ledgerpress.features.authors import model, projector_and_queries
from ledgerpress.features.authors.model import AUTHORS, Author, AuthorRegistered, AuthorRenamed

if TYPE_CHECKING:
    from ledgerpress.features.authors.commands import RegisterAuthor, RenameAuthor
else:
    __getattr__ = names_in(__name__, "commands")

__all__ = [
    "AUTHORS",
    "FEATURE",
    "WRITE_PEOPLE",
    "Author",
    "AuthorRegistered",
    "AuthorRenamed",
    "RegisterAuthor",
    "RenameAuthor",
]

FEATURE: Final = Feature(
    name="authors",
    requires=("slugs", "actors"),
    events=model.EVENTS,
    commands=("ledgerpress.features.authors.commands:COMMANDS",),
    projectors=(projector_and_queries.PROJECTOR,),
    listings=(projector_and_queries.LISTINGS,),
    dependencies=(projector_and_queries.DEPENDENCIES,),
    subjects=(projector_and_queries.SUBJECT,),
    schema="ledgerpress.features.authors.schema:SCHEMA",
)
