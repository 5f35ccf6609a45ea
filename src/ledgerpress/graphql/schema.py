"""The schema, and how a request is executed against it."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import strawberry
from graphql import (
    GraphQLError,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLSchema,
    Undefined,
)
from strawberry.extensions import MaxTokensLimiter, ParserCache, ValidationCache
from strawberry.schema.config import StrawberryConfig
from strawberry.types import ExecutionContext

from ledgerpress.graphql.context import Context, Store, Viewer
from ledgerpress.graphql.mutations import Mutation
from ledgerpress.graphql.operations import MAX_TOKENS, unexecutable
from ledgerpress.graphql.queries import Query
from ledgerpress.graphql.scalars import SCALARS
from ledgerpress.graphql.types.actor import Actor
from ledgerpress.graphql.types.article import Article
from ledgerpress.graphql.types.author import Author
from ledgerpress.graphql.types.category import Category
from ledgerpress.graphql.types.post import Post

logger = logging.getLogger(__name__)


class PressSchema(strawberry.Schema):
    """The schema; errors are logged where they are masked, once, and not by strawberry."""

    def process_errors(
        self, errors: list[GraphQLError], execution_context: ExecutionContext | None = None
    ) -> None:
        """Leave the logging to `execute`."""


def make_schema() -> strawberry.Schema:
    """Return the schema."""
    schema = PressSchema(
        query=Query,
        mutation=Mutation,
        types=[Actor, Article, Author, Category, Post],
        config=StrawberryConfig(scalar_map=SCALARS),
        extensions=[
            lambda: MaxTokensLimiter(max_token_count=MAX_TOKENS),
            lambda: ParserCache(maxsize=256),
            lambda: ValidationCache(maxsize=256),
        ],
    )
    _drop_null_defaults(schema._schema)
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


@dataclass(frozen=True, slots=True)
class Answer:
    """A response in the shape of the specification, section 7. `position` is that of the views it was read from."""

    body: dict[str, Any]
    position: int
    executed: bool


async def execute(
    schema: strawberry.Schema,
    store: Store,
    query: str,
    *,
    variables: Mapping[str, Any] | None = None,
    operation_name: str | None = None,
    viewer: Viewer = Viewer.STAFF,
    open_past: bool = False,
) -> Answer:
    """Execute a request. It does not raise: what fails stands in the answer's `errors`."""
    context = Context(store, viewer, open_past=open_past)
    try:
        if refusal := unexecutable(query, operation_name):
            return Answer({"errors": [{"message": refusal}]}, context.today.snapshot.position, executed=False)
        result = await schema.execute(
            query,
            variable_values=dict(variables) if variables else None,
            context_value=context,
            operation_name=operation_name,
        )
        body: dict[str, Any] = {}
        errors = [_presentable(error) for error in result.errors or ()]
        if errors:
            body["errors"] = errors
        executed = result.data is not None or any(error.path for error in result.errors or ())
        if executed:
            body["data"] = result.data
        if result.extensions:
            body["extensions"] = result.extensions
        return Answer(body, context.today.snapshot.position, executed)
    finally:
        context.close()


def _presentable(error: GraphQLError) -> dict[str, Any]:
    """Return an error as a client may see it: one that is not of its making tells nothing."""
    original = error.original_error
    if original is None or isinstance(original, GraphQLError):
        return dict(error.formatted)
    logger.error("a resolver failed at %s", error.path, exc_info=original)
    masked = GraphQLError(
        "Something went wrong on the server.",
        nodes=error.nodes,
        path=error.path,
        extensions={"code": "INTERNAL_SERVER_ERROR"},
    )
    return dict(masked.formatted)
