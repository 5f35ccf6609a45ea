"""The guard around resolvers: it checks permissions first, and a resolver stays synchronous or asynchronous."""

from collections.abc import AsyncIterator
from inspect import isawaitable, iscoroutinefunction
from types import SimpleNamespace
from typing import Any, Final

import pytest
from graphql import ExecutionResult, GraphQLSchema, build_schema, graphql_sync, parse, subscribe

from ledgerpress.commands.client_identity import ANONYMOUS, LOCAL_OPERATOR, Identity
from ledgerpress.commands.roles_and_permissions import READ_HISTORY, READ_OPERATIONS, RequiredPermission, Role
from ledgerpress.features.registry import FEATURES
from ledgerpress.features.site import WRITE_SITE
from ledgerpress.graphql.access_control import GUARDED, guard_fields
from tests.identities import identity

TEXT: Final = """
    type Query { projections: Int! viewer: Int! undecided: Int! }
    type Mutation { siteName: Int! }
    type Subscription { changes: Int! articleChanged: Int! }
"""


def schema(calls: list[str]) -> GraphQLSchema:
    """Return a guarded schema. Each call of a resolver is added to `calls`."""
    guarded = build_schema(TEXT)
    assert guarded.query_type
    assert guarded.mutation_type
    assert guarded.subscription_type

    def number(*_: Any) -> int:
        calls.append("sync")
        return 1

    async def later(*_: Any) -> int:
        calls.append("async")
        return 1

    async def numbers(*_: Any) -> AsyncIterator[int]:
        calls.append("subscription")
        yield 1

    for field in guarded.query_type.fields.values():
        field.resolve = number
    guarded.mutation_type.fields["siteName"].resolve = later
    for field in guarded.subscription_type.fields.values():
        field.subscribe, field.resolve = numbers, lambda event, _: event
    guard_fields(
        guarded,
        {
            "Query.projections": RequiredPermission(READ_OPERATIONS),
            "Query.viewer": None,
            "Mutation.siteName": RequiredPermission(WRITE_SITE),
            "Subscription.changes": RequiredPermission(READ_HISTORY),
            "Subscription.articleChanged": None,
        },
        FEATURES.roles,
    )
    return guarded


def context(user: Identity) -> Any:
    return SimpleNamespace(identity=user)


def test_a_resolver_stays_sync_or_async() -> None:
    guarded = schema([])
    assert guarded.query_type
    assert guarded.mutation_type
    assert not iscoroutinefunction(guarded.query_type.fields["projections"].resolve)
    assert iscoroutinefunction(guarded.mutation_type.fields["siteName"].resolve)
    assert GUARDED not in guarded.query_type.fields["viewer"].extensions


def test_a_root_field_without_a_declared_permission_requires_every_permission() -> None:
    calls: list[str] = []
    guarded = schema(calls)
    for user, value in ((LOCAL_OPERATOR, 1), (identity(Role.EDITOR, "a"), None), (ANONYMOUS, None)):
        result = graphql_sync(guarded, "{ viewer undecided }", context_value=context(user))
        assert result.data == {"viewer": 1, "undecided": value}
    assert len(calls) == 4


@pytest.mark.parametrize(
    ("user", "code"), [(ANONYMOUS, "UNAUTHENTICATED"), (identity(Role.READER, "a"), "FORBIDDEN")]
)
async def test_a_subscription_is_rejected_before_it_begins(user: Identity, code: str) -> None:
    calls: list[str] = []
    guarded = schema(calls)

    async def begin(query: str, user: Identity) -> Any:
        result = subscribe(guarded, parse(query), context_value=context(user))
        return await result if isawaitable(result) else result

    rejected = await begin("subscription { changes }", user)
    assert isinstance(rejected, ExecutionResult)
    assert [error.extensions for error in rejected.errors or ()] == [{"code": code}]
    assert calls == []
    for query, permitted in (("{ articleChanged }", user), ("{ changes }", LOCAL_OPERATOR)):
        events = await begin(f"subscription {query}", permitted)
        assert [event.data async for event in events] == [{query.strip("{ }"): 1}]
    assert calls == ["subscription"] * 2
