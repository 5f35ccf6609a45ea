"""The GraphQL schema of authors, and its public names for features above authors."""

from functools import partial
from typing import Final

import strawberry

from ledgerpress.features.authors import projector_and_queries as authors_queries
from ledgerpress.features.authors.commands import RegisterAuthor, RenameAuthor
from ledgerpress.graphql.as_of import AsOf, moment_of
from ledgerpress.graphql.context import PointInTime, RequestInfo
from ledgerpress.graphql.feature_declarations import SchemaContribution
from ledgerpress.graphql.mutations import MutationInput, Payload, command_mutation
from ledgerpress.graphql.relay import global_ids
from ledgerpress.graphql.relay.connection import Connection, connect_in_order_of_creation
from ledgerpress.graphql.relay.global_ids import Node

__all__ = [
    "SCHEMA",
    "Author",
    "AuthorPayload",
    "AuthorRegisterInput",
    "AuthorRenameInput",
    "author_of",
    "load_author",
]


@strawberry.type(description="An author, whose name is shown in the byline of articles.")
class Author(Node):
    seq: strawberry.Private[int]
    moment: strawberry.Private[PointInTime]
    version: int = strawberry.field(
        description="Increases with every change of the author. Pass it as `expectedVersion`."
    )
    name: str


def author_of(record: authors_queries.Author, moment: PointInTime) -> Author:
    return Author(
        id=global_ids.encode("Author", record.id),
        seq=record.seq,
        moment=moment,
        version=record.version,
        name=record.name,
    )


def load_author(moment: PointInTime, author_id: str) -> Author | None:
    record = authors_queries.author(moment.snapshot, author_id)
    return author_of(record, moment) if record else None


@strawberry.type
class AuthorQueries:
    @strawberry.field
    def author(self, info: RequestInfo, id: strawberry.ID, as_of: AsOf | None = None) -> Author | None:
        return load_author(moment_of(info.context, as_of), global_ids.argument(id, "Author"))

    @strawberry.field(description="All authors, in the order of registration.")
    def authors(
        self, info: RequestInfo, first: int | None = None, after: str | None = None, as_of: AsOf | None = None
    ) -> Connection[Author]:
        moment = moment_of(info.context, as_of)
        return connect_in_order_of_creation(
            first, after, moment, authors_queries.authors_after, author_of, authors_queries.count_authors
        )


@strawberry.input
class AuthorRegisterInput(MutationInput):
    name: str

    def command(self) -> RegisterAuthor:
        return RegisterAuthor(name=self.name)


@strawberry.input
class AuthorRenameInput(MutationInput):
    id: strawberry.ID
    name: str

    def command(self) -> RenameAuthor:
        return RenameAuthor(author_id=global_ids.in_input(self.id, "Author", field=("id",)), name=self.name)


@strawberry.type
class AuthorPayload(Payload):
    author: Author | None


_mutation = partial(command_mutation, payload=AuthorPayload, field="author", load=load_author)


@strawberry.type
class AuthorMutations:
    author_register = _mutation(RegisterAuthor, AuthorRegisterInput, "Add an author.")
    author_rename = _mutation(RenameAuthor, AuthorRenameInput, "Change the name of an author.")


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
