"""The GraphQL schema of authors, and its public names for features above authors."""

from functools import partial
from typing import Final

import strawberry

from ledgerpress.commands.roles_and_permissions import READ_HISTORY
from ledgerpress.features.actors.permissions import READ_OWN_POSTS, READ_POSTS, WRITE_PEOPLE
from ledgerpress.features.authors import projector_and_queries as authors_queries
from ledgerpress.features.authors.commands import RegisterAuthor, RenameAuthor
from ledgerpress.graphql.as_of import AsOf, moment_of
from ledgerpress.graphql.context import Context, PointInTime, RequestInfo
from ledgerpress.graphql.errors import BadRequest
from ledgerpress.graphql.feature_declarations import SchemaContribution
from ledgerpress.graphql.input_rules import derived_field, given_value, given_value_or_null, kept_field
from ledgerpress.graphql.mutations import MutationInput, Payload, command_mutation
from ledgerpress.graphql.relay import global_ids
from ledgerpress.graphql.relay.connection import Connection, connect_in_order_of_creation
from ledgerpress.graphql.relay.global_ids import Node
from ledgerpress.views.snapshot_and_cache_dependencies import NO_POSITION

__all__ = [
    "SCHEMA",
    "Author",
    "AuthorPayload",
    "AuthorRegisterInput",
    "AuthorRenameInput",
    "author_of",
    "load_author",
]

_STAFF: Final = (READ_OWN_POSTS, READ_POSTS, READ_HISTORY, WRITE_PEOPLE)
"""The permissions of which each one lets a viewer see authors without a public article."""


@strawberry.type(description="An author, whose name is shown in the byline of articles.")
class Author(Node):
    seq: strawberry.Private[int]
    moment: strawberry.Private[PointInTime]
    version: int = strawberry.field(
        description="Increases with every change of the author. Pass it as `expectedVersion`."
    )
    slug: str = strawberry.field(
        description="The last part of the address of the author's page. Former slugs still lead to the author."
    )
    name: str


def author_of(record: authors_queries.Author, moment: PointInTime) -> Author:
    return Author(
        id=global_ids.id_of(moment, "Author", record.id),
        seq=record.seq,
        moment=moment,
        version=record.version,
        slug=record.slug,
        name=record.name,
    )


def load_author(moment: PointInTime, author_id: str) -> Author | None:
    """Return the author with an id, if the viewer may see the author."""
    record = authors_queries.author(moment.snapshot, author_id)
    # As many statements for a hidden author as for an unknown one.
    seq = record.seq if record else NO_POSITION
    visible = _sees_every_author(moment) or authors_queries.is_public_author(moment.snapshot, seq)
    return author_of(record, moment) if record and visible else None


def _by_slug(context: Context, moment: PointInTime, slug: str) -> Author | None:
    """Return the author that a slug leads to, if the viewer may see the author, and that the author had the slug."""
    if _sees_every_author(moment):
        record = authors_queries.by_slug(moment.snapshot, slug)
    else:
        record = authors_queries.public_by_slug(moment.snapshot, slug, lambda: context.public_today)
    return author_of(record, moment) if record else None


def _sees_every_author(moment: PointInTime) -> bool:
    """Return whether the viewer may see authors without a public article, as of `moment`.

    Staff may: everyone who may see or write more than readers. What the public past shows to staff without
    `history:read`, it shows to readers as well.
    """
    return moment.snapshot.only is None and any(map(moment.viewer.may, _STAFF))


@strawberry.type
class AuthorQueries:
    @strawberry.field(
        description="The author with this `id` or `slug`. Former slugs work too. Readers see only authors that have a "
        "public article, and only slugs under which an article was public."
    )
    def author(
        self,
        info: RequestInfo,
        id: strawberry.ID | None = None,
        slug: str | None = None,
        as_of: AsOf | None = None,
    ) -> Author | None:
        moment = moment_of(info.context, as_of)
        if (id is None) == (slug is None):
            raise BadRequest("Give either id or slug.")
        if id is not None:
            return load_author(moment, global_ids.argument(id, "Author"))
        return _by_slug(info.context, moment, slug or "")

    @strawberry.field(
        description="The authors in the order of registration. Readers see only those that have a public article."
    )
    def authors(
        self, info: RequestInfo, first: int | None = None, after: str | None = None, as_of: AsOf | None = None
    ) -> Connection[Author]:
        moment = moment_of(info.context, as_of)
        if _sees_every_author(moment):
            read, count = authors_queries.authors_after, authors_queries.count_authors
        else:
            read, count = authors_queries.public_authors_after, authors_queries.count_public_authors
        return connect_in_order_of_creation(first, after, moment, read, author_of, count)


@strawberry.input
class AuthorRegisterInput(MutationInput):
    name: str
    slug: str | None = strawberry.field(default=None, description="Default: derived from the name.")

    def command(self) -> RegisterAuthor:
        return RegisterAuthor(name=self.name, slug=self.slug)


@strawberry.input
class AuthorRenameInput(MutationInput):
    """An author and a new name, slug or both. The old slug still leads to the author."""

    id: strawberry.ID
    name: str | None = kept_field()
    slug: str | None = derived_field()

    def command(self) -> RenameAuthor:
        return RenameAuthor(
            author_id=global_ids.in_input(self.id, "Author", field=("id",)),
            name=given_value(self.name),
            slug=given_value_or_null(self.slug),
        )


@strawberry.type
class AuthorPayload(Payload):
    author: Author | None


_mutation = partial(command_mutation, payload=AuthorPayload, field="author", load=load_author)


@strawberry.type
class AuthorMutations:
    author_register = _mutation(RegisterAuthor, AuthorRegisterInput, "Add an author.")
    author_rename = _mutation(
        RenameAuthor,
        AuthorRenameInput,
        "Change the name, the slug or both of an author. The old slug still leads to the author.",
    )


SCHEMA: Final = SchemaContribution(
    query=AuthorQueries,
    mutation=AuthorMutations,
    types=(Author,),
    permissions={
        "Query.author": None,
        "Query.authors": None,
    },
    objects={"Author": None},
    nodes={"Author": load_author},
)
