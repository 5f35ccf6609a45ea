"""Authors, the names in the byline: the manifest, and the public names for features above that write authors.

Features above import queries from `authors.queries` and GraphQL types from `authors.schema`: see
docs/reference/public-modules.md.
"""

from typing import Final

from ledgerpress.feature import Feature
from ledgerpress.features.actors.permissions import WRITE_PEOPLE
from ledgerpress.features.authors import commands, model, projector_and_queries
from ledgerpress.features.authors.commands import RegisterAuthor, RenameAuthor
from ledgerpress.features.authors.model import AUTHORS, Author, AuthorRegistered, AuthorRenamed

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
    requires=("actors",),
    events=model.EVENTS,
    commands=commands.COMMANDS,
    projectors=(projector_and_queries.PROJECTOR,),
    listings=(projector_and_queries.LISTINGS,),
    dependencies=(projector_and_queries.DEPENDENCIES,),
    subjects=(projector_and_queries.SUBJECT,),
    schema="ledgerpress.features.authors.schema:SCHEMA",
)
