"""What is put around resolvers: it asks first, and leaves them what they are."""

from collections.abc import AsyncIterator
from inspect import isawaitable, iscoroutinefunction
from types import SimpleNamespace
from typing import Any, Final

import pytest
from graphql import ExecutionResult, GraphQLSchema, build_schema, graphql_sync, parse, subscribe

from ledgerpress.commands.client_identity import ANONYMOUS, LOCAL_OPERATOR, Identity
from ledgerpress.commands.roles_and_permissions import READ_HISTORY, READ_OPERATIONS, RequiredPermission, Role
from ledgerpress.features.registry import FEATURES
from ledgerpress.features.site.commands import WRITE_SITE
from ledgerpress.graphql.access_control import GUARDED, guard_fields
from tests.identities import identity

TEXT: Final = """
    type Query { projections: Int! viewer: Int! undecided: Int! }
    type Mutation { siteName: Int! }
    type Subscription { changes: Int! articleChanged: Int! }
"""


def schema(begun: list[str]) -> GraphQLSchema:
    """Return a guarded schema; `begun` hears of each resolver that is called."""
    made = build_schema(TEXT)
    assert made.query_type
    assert made.mutation_type
    assert made.subscription_type

    def number(*_: Any) -> int:
        begun.append("sync")
        return 1

    async def later(*_: Any) -> int:
        begun.append("async")
        return 1

    async def numbers(*_: Any) -> AsyncIterator[int]:
        begun.append("subscription")
        yield 1

    for field in made.query_type.fields.values():
        field.resolve = number
    made.mutation_type.fields["siteName"].resolve = later
    for field in made.subscription_type.fields.values():
        field.subscribe, field.resolve = numbers, lambda event, _: event
    guard_fields(
        made,
        {
            "Query.projections": RequiredPermission(READ_OPERATIONS),
            "Query.viewer": None,
            "Mutation.siteName": RequiredPermission(WRITE_SITE),
            "Subscription.changes": RequiredPermission(READ_HISTORY),
            "Subscription.articleChanged": None,
        },
        FEATURES.roles,
    )
    return made


def context(who: Identity) -> Any:
    return SimpleNamespace(identity=who)


def test_a_resolver_stays_sync_or_async() -> None:
    made = schema([])
    assert made.query_type
    assert made.mutation_type
    assert not iscoroutinefunction(made.query_type.fields["projections"].resolve)
    assert iscoroutinefunction(made.mutation_type.fields["siteName"].resolve)
    assert GUARDED not in made.query_type.fields["viewer"].extensions


def test_a_field_of_the_root_that_nobody_decided_about_takes_everything() -> None:
    begun: list[str] = []
    made = schema(begun)
    for who, answer in ((LOCAL_OPERATOR, 1), (identity(Role.EDITOR, "a"), None), (ANONYMOUS, None)):
        result = graphql_sync(made, "{ viewer undecided }", context_value=context(who))
        assert result.data == {"viewer": 1, "undecided": answer}
    assert len(begun) == 4


@pytest.mark.parametrize(
    ("who", "code"), [(ANONYMOUS, "UNAUTHENTICATED"), (identity(Role.READER, "a"), "FORBIDDEN")]
)
async def test_a_subscription_is_refused_before_it_begins(who: Identity, code: str) -> None:
    begun: list[str] = []
    made = schema(begun)

    async def begin(query: str, who: Identity) -> Any:
        found = subscribe(made, parse(query), context_value=context(who))
        return await found if isawaitable(found) else found

    refused = await begin("subscription { changes }", who)
    assert isinstance(refused, ExecutionResult)
    assert [error.extensions for error in refused.errors or ()] == [{"code": code}]
    assert begun == []
    for query, somebody in (("{ articleChanged }", who), ("{ changes }", LOCAL_OPERATOR)):
        events = await begin(f"subscription {query}", somebody)
        assert [event.data async for event in events] == [{query.strip("{ }"): 1}]
    assert begun == ["subscription"] * 2
