"""The schema."""

import strawberry
from graphql import (
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLSchema,
    Undefined,
)
from strawberry.schema.config import StrawberryConfig

from ledgerpress.graphql import costs
from ledgerpress.graphql.access import guard
from ledgerpress.graphql.mutations import Mutation
from ledgerpress.graphql.queries import Query
from ledgerpress.graphql.scalars import SCALARS
from ledgerpress.graphql.subscriptions import Subscription
from ledgerpress.graphql.types.actor import Actor
from ledgerpress.graphql.types.article import Article
from ledgerpress.graphql.types.author import Author
from ledgerpress.graphql.types.category import Category
from ledgerpress.graphql.types.post import Post
from ledgerpress.graphql.types.token import ApiToken


def make_schema() -> strawberry.Schema:
    """Return the schema."""
    schema = strawberry.Schema(
        query=Query,
        mutation=Mutation,
        subscription=Subscription,
        types=[Actor, ApiToken, Article, Author, Category, Post],
        config=StrawberryConfig(scalar_map=SCALARS),
    )
    _drop_null_defaults(schema._schema)
    guard(schema._schema)
    costs.assign(schema._schema)
    return schema


def _drop_null_defaults(schema: GraphQLSchema) -> None:
    """Take `= null` out of the schema: an argument that may be absent needs no default."""
    for named in schema.type_map.values():
        if isinstance(named, GraphQLInputObjectType):
            values = list(named.fields.values())
        elif isinstance(named, GraphQLObjectType | GraphQLInterfaceType):
            values = [argument for field in named.fields.values() for argument in field.args.values()]
        else:
            continue
        for value in values:
            if value.default_value is None:
                value.default_value = Undefined
