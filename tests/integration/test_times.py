"""Times in GraphQL requests are those of RFC 3339, in every input that takes one."""

from typing import Any, Final

import pytest
from graphql import GraphQLInputObjectType, get_named_type

from ledgerpress.features.registry import graphql_schema
from tests.integration.graphql_client import Client

INVALID: Final = (
    "2024-W51-7T09:00:00Z",
    "2024-12-22T09Z",
    "2024-12-22T09:00:00+0100",
    "2024-12-22T09:00:00,5Z",
    "2024-12-22 09:00:00Z",
    "2024-12-22T09:00:00",
    "2024-12-22",
    "2024-12-22T09:00:60Z",
    1734858000,
)


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("2023-12-22t09:00:00z", "2023-12-22T09:00:00Z"),
        ("2016-12-31T23:59:60Z", "2017-01-01T00:00:00Z"),
        ("2016-12-31T18:59:60.5-05:00", "2017-01-01T00:00:00.500000Z"),
        ("2023-12-22T09:00:00.1234567Z", "2023-12-22T09:00:00.123456Z"),
        ("2023-12-22T09:00:00-00:00", "2023-12-22T09:00:00Z"),
    ],
)
async def test_a_valid_time_is_stored_and_returned_in_utc(api: Client, written: str, read: str) -> None:
    post = await api.write("A post", publish=True, publishedAt=written)
    assert (await api.ask("{ recentPosts { nodes { publishedAt } } }"))["recentPosts"]["nodes"] == [
        {"publishedAt": read}
    ]
    query = f'mutation {{ postPublish(input: {{ id: "{post["id"]}", publishedAt: "{written}" }}) {{ userErrors {{ code }} }} }}'
    assert (await api.ask(query))["postPublish"]["userErrors"] == []


def _time_inputs() -> set[str]:
    return {
        f"{type_.name}.{name}"
        for type_ in graphql_schema()._schema.type_map.values()
        if isinstance(type_, GraphQLInputObjectType)
        for name, field in type_.fields.items()
        if get_named_type(field.type).name == "DateTime"
    }


USES: Final = {
    "AsOf.time": "{ site(asOf: {time: %s}) { name } }",
    "ChangeFilter.recordedFrom": "{ changes(filter: {recordedFrom: %s}) { totalCount } }",
    "ChangeFilter.recordedTo": "{ changes(filter: {recordedTo: %s}) { totalCount } }",
    "PostCreateInput.publishedAt": 'mutation { postCreate(input: {title: "a", publishedAt: %s}) { position } }',
    "PostPublishInput.publishedAt": 'mutation { postPublish(input: {id: "a", publishedAt: %s}) { position } }',
    "TokenCreateInput.expiresAt": (
        'mutation { tokenCreate(input: {name: "a", role: EDITOR, expiresAt: %s}) { position } }'
    ),
}


def test_every_input_of_a_time_is_tested() -> None:
    assert USES.keys() == _time_inputs()


@pytest.mark.parametrize("use", USES)
async def test_an_invalid_time_is_a_request_error_with_its_place(api: Client, use: str) -> None:
    head = await api.store.log.head()
    for time in INVALID:
        literal = f'"{time}"' if isinstance(time, str) else str(time)
        body = (await api.post(USES[use] % literal)).json()
        _is_rejected(body, "GRAPHQL_VALIDATION_FAILED", USES[use].index("%s") + 1)
        document = USES[use] % "$time"
        kind, selection = (
            ("mutation", document.removeprefix("mutation")) if document[0] == "m" else ("query", document)
        )
        operation = f"{kind} ($time: DateTime!) {selection}"
        body = (await api.post(operation, time=time)).json()
        _is_rejected(body, "BAD_USER_INPUT", None)
    assert await api.store.log.head() == head


def _is_rejected(body: dict[str, Any], code: str, column: int | None) -> None:
    assert "data" not in body
    (error,) = body["errors"]
    assert error["extensions"] == {"code": code}
    assert "DateTime" in error["message"]
    if column is not None:
        assert error["locations"] == [{"line": 1, "column": column}]


async def test_an_invalid_position_literal_is_reported_with_its_place(api: Client) -> None:
    (error,) = await api.errors("{ site(asOf: {position: -1}) { name } }")
    assert error["locations"] == [{"line": 1, "column": 25}]
