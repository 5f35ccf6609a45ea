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

from ledgerpress.features.actors.schema import Actor
from ledgerpress.features.authors.schema import Author
from ledgerpress.features.categories.schema import Category
from ledgerpress.features.posts.schema.article import Article
from ledgerpress.features.posts.schema.post import Post
from ledgerpress.features.schema_roots.mutations import Mutation
from ledgerpress.features.schema_roots.queries import Query
from ledgerpress.features.schema_roots.subscriptions import Subscription
from ledgerpress.features.tokens.schema import ApiToken
from ledgerpress.graphql import cost_directives
from ledgerpress.graphql.access.field_permissions import guard_fields
from ledgerpress.graphql.scalars import SCALARS


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
    guard_fields(schema._schema)
    cost_directives.assign(schema._schema)
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
