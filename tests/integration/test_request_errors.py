"""Errors of requests: each has a code, its place, and hides nothing that is valid."""

import json
from typing import Any, Final

import pytest

from ledgerpress.features.registry import graphql_schema
from ledgerpress.graphql.limits.lone_surrogates import in_value, is_unicode
from ledgerpress.graphql.relay import global_ids
from ledgerpress.http.streaming import websocket_messages
from tests.integration.graphql_client import Client

pytestmark = pytest.mark.usefixtures("workers")

JSON: Final = {"Content-Type": "application/json"}
DELETE: Final = "mutation ($by: CategoryBy!) { categoryDelete(input: { category: $by }) { position } }"


async def _rejected(api: Client, query: str, variables: dict[str, Any] | None = None) -> dict[str, Any]:
    head = await api.store.log.head()
    body = (await api.post(query, **(variables or {}))).json()
    assert "data" not in body, "a request error"
    assert await api.store.log.head() == head
    error: dict[str, Any] = body["errors"][0]
    return error


@pytest.mark.parametrize(
    ("query", "variables", "code"),
    [
        ("{ site(asOf: {position: null}) { name } }", None, "GRAPHQL_VALIDATION_FAILED"),
        ("{ site(asOf: {position: 1, time: null}) { name } }", None, "GRAPHQL_VALIDATION_FAILED"),
        (
            "query ($p: Position) { site(asOf: {position: $p}) { name } }",
            {"p": 1},
            "GRAPHQL_VALIDATION_FAILED",
        ),
        ("query ($a: AsOf) { site(asOf: $a) { name } }", {"a": {"position": None}}, "BAD_USER_INPUT"),
        ("query ($a: AsOf) { site(asOf: $a) { name } }", {"a": {}}, "BAD_USER_INPUT"),
        (DELETE, {"by": {"slug": None}}, "BAD_USER_INPUT"),
        (DELETE, {"by": {"slug": "a", "id": "b"}}, "BAD_USER_INPUT"),
        (
            'mutation { postCreate(input: {title: "a", categories: [{slug: null}]}) { position } }',
            None,
            "GRAPHQL_VALIDATION_FAILED",
        ),
        (
            'mutation ($s: String) { postCreate(input: {title: "a", categories: [{slug: $s}]}) { position } }',
            {"s": None},
            "GRAPHQL_VALIDATION_FAILED",
        ),
        (
            "mutation ($s: String) { ...F } fragment F on Mutation { categoryDelete(input: {category: {slug: $s}}) { position } }",
            {"s": "a"},
            "GRAPHQL_VALIDATION_FAILED",
        ),
    ],
)
async def test_an_invalid_one_of_input_is_a_request_error_with_a_code(
    api: Client, query: str, variables: dict[str, Any] | None, code: str
) -> None:
    error = await _rejected(api, query, variables)
    assert "OneOf" in error["message"]
    assert error["extensions"] == {"code": code}
    assert error["locations"]


@pytest.mark.parametrize(
    ("query", "variables", "code"),
    [
        ("{", None, "GRAPHQL_PARSE_FAILED"),
        ("", None, "GRAPHQL_VALIDATION_FAILED"),
        ("{ nothing }", None, "GRAPHQL_VALIDATION_FAILED"),
        ('{ articles(first: "a") { totalCount } }', None, "GRAPHQL_VALIDATION_FAILED"),
        ("fragment F on Query { site { name } }", None, "GRAPHQL_VALIDATION_FAILED"),
        ("query A { site { name } } query B { site { name } }", None, "OPERATION_RESOLUTION_FAILURE"),
        ("query ($n: Int!) { articles(first: $n) { totalCount } }", None, "BAD_USER_INPUT"),
        ("query ($t: DateTime!) { site(asOf: {time: $t}) { name } }", {"t": "now"}, "BAD_USER_INPUT"),
    ],
)
async def test_every_request_error_has_a_code(
    api: Client, query: str, variables: dict[str, Any] | None, code: str
) -> None:
    error = await _rejected(api, query, variables)
    assert error["extensions"]["code"] == code


async def test_a_null_variable_for_an_argument_that_is_not_nullable_has_a_code(api: Client) -> None:
    post = await api.write("A post")
    query = (
        "mutation ($id: ID!, $p: Boolean) "
        "{ postRevert(input: {id: $id, version: 1, publish: $p}) { position } }"
    )
    (error,) = await api.errors(query, id=post["id"], p=None)
    assert error["path"] == ["postRevert"]
    assert error["extensions"] == {"code": "BAD_USER_INPUT"}


async def test_an_invalid_id_leaves_the_other_nodes(api: Client) -> None:
    good = await api.write("A post")
    missing = global_ids.encode("Post", "5f0c3b1e-2d64-4c8e-9d0a-3b6f0d6f7a11")
    ids = [
        "x",
        good["id"],
        "",
        missing,
        good["id"],
        global_ids.encode("Nothing", "5" * 8),
        "\N{KHMER LETTER KA}",
    ]
    for query in (
        "query ($ids: [ID!]!) { nodes(ids: $ids) { id } }",
        # Not compiled: executed by graphql-core, with an asynchronous field.
        "query ($ids: [ID!]!) { nodes(ids: $ids) { id } projections { name } }",
    ):
        body = (await api.post(query, ids=ids)).json()
        nodes = body["data"]["nodes"]
        assert nodes == [None, {"id": good["id"]}, None, None, {"id": good["id"]}, None, None]
        assert [error["path"] for error in body["errors"]] == [
            ["nodes", 0],
            ["nodes", 2],
            ["nodes", 5],
            ["nodes", 6],
        ]
        assert {error["extensions"]["code"] for error in body["errors"]} == {"BAD_USER_INPUT"}


async def test_a_failure_at_one_id_is_masked_at_its_index(
    api: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = await api.write("A post")
    author = (await api.do("authorRegister", "author { id }", name="Ada"))["author"]

    def broken(*_: object) -> None:
        raise RuntimeError("the password is 1234")

    monkeypatch.setattr("ledgerpress.features.authors.projector_and_queries.author", broken)
    body = (
        await api.post("query ($ids: [ID!]!) { nodes(ids: $ids) { id } }", ids=[author["id"], good["id"]])
    ).json()
    assert body["data"]["nodes"] == [None, {"id": good["id"]}]
    (error,) = body["errors"]
    assert error["path"] == ["nodes", 0]
    assert error["extensions"]["code"] == "INTERNAL_SERVER_ERROR"
    assert "1234" not in json.dumps(body)


SITE: Final = b'"query": "{ site { name } }"'


@pytest.mark.parametrize(
    ("body", "place", "character"),
    [
        (b'{%s, "variables": {"a": "\\ud800"}}' % SITE, "variables.a ", "U+D800 at character 1:"),
        (
            b'{%s, "variables": {"a": {"b": [1, "ab\\udfff"]}}}' % SITE,
            "variables.a.b[1] ",
            "U+DFFF at character 3:",
        ),
        (b'{%s, "variables": {"a": "\\udbff\\u0041"}}' % SITE, "variables.a ", "U+DBFF"),
        (b'{%s, "variables": {"a": "\\udc00\\ud800"}}' % SITE, "variables.a ", "U+DC00"),
        (
            b'{%s, "variables": {"a": "\\ud83d\\ude00\\ud83d"}}' % SITE,
            "variables.a ",
            "U+D83D at character 2:",
        ),
        (b'{%s, "variables": {"a": "\xed\xa0\x80"}}' % SITE, "variables.a ", "U+D800"),
        (b'{%s, "variables": {"\\ud800": 1}}' % SITE, "A name in variables ", "U+D800"),
        (b'{%s, "operationName": "\\udc00x"}' % SITE, "operationName ", "U+DC00"),
        (b'{%s, "extensions": {"a": ["\\ud800"]}}' % SITE, "extensions.a[0] ", "U+D800"),
        (b'{"documentId": "\\ud800"}', "documentId ", "U+D800"),
        (b'{"query": "{ site { name } }\\n # \\ud800"}', "query ", "U+D800 at line 2, character 4:"),
        (b'{"query": "{ site { name } }", "\\ud800": 1}', "A name in the object ", "U+D800"),
    ],
)
async def test_a_lone_surrogate_is_reported_with_its_place(
    api: Client, body: bytes, place: str, character: str
) -> None:
    response = await api.http.post("/graphql", content=body, headers=JSON)
    assert response.status_code == 400
    (error,) = response.json()["errors"]
    assert error["extensions"] == {"code": "LONE_SURROGATE"}
    assert error["message"].startswith(place)
    assert f"lone surrogate {character}" in error["message"]


@pytest.mark.parametrize(
    ("parameters", "place"),
    [
        ("variables=%7B%22a%22%3A%22%5Cud800%22%7D", "variables.a "),
        ("variables=%7B%22a%22%3A%22%ED%A0%80%22%7D", "variables "),
        ("extensions=%7B%22a%22%3A%22%5Cudfff%22%7D", "extensions.a "),
        ("operationName=%ED%A0%80", "operationName "),
    ],
)
async def test_a_lone_surrogate_in_a_query_string_is_reported(
    api: Client, parameters: str, place: str
) -> None:
    response = await api.http.get(f"/graphql?query=%7Bsite%7Bname%7D%7D&{parameters}")
    assert response.status_code == 400
    (error,) = response.json()["errors"]
    assert error["extensions"] == {"code": "LONE_SURROGATE"}
    assert error["message"].startswith(place)


async def test_other_invalid_text_is_not_reported_as_a_lone_surrogate(api: Client) -> None:
    for body in (
        b'{"query": "\xff"}',
        b'{"query": "\\ud800',
        b'{"query": "{ a }", "variables": {"a": "\\ud8"}}',
    ):
        response = await api.http.post("/graphql", content=body, headers=JSON)
        assert response.json()["errors"][0]["extensions"] == {"code": "BAD_REQUEST"}
    whole = b'{%s, "variables": {"a": "\\ud83d\\ude00 \\\\ud800"}}' % SITE
    assert "errors" not in (await api.http.post("/graphql", content=whole, headers=JSON)).json()


def test_a_lone_surrogate_in_a_message_closes_the_socket_with_its_place() -> None:
    message = '{"id": "1", "type": "subscribe", "payload": {"query": "{ a }", "variables": {"a": "\\ud800"}}}'
    with pytest.raises(websocket_messages.Closing) as caught:
        websocket_messages.read(message)
    assert caught.value.code == 4400
    assert caught.value.reason.startswith("payload.variables.a contains the lone surrogate U+D800")


async def test_a_program_in_the_same_process_gets_the_same_error(api: Client) -> None:
    from ledgerpress.graphql.executor import Executor

    executor = Executor(graphql_schema())
    query = "query ($s: String) { article(slug: $s) { title } }"
    for text, variables in (
        (query, {"s": "a\ud800"}),
        (query, {"s": "a", "\ud800": 1}),
        ("{ site { name } } # \ud800", None),
    ):
        result = await executor.execute_document(api.store, text, variables=variables)
        (error,) = result.body["errors"]
        assert error["extensions"] == {"code": "LONE_SURROGATE"}
        assert "data" not in result.body


def test_a_place_with_many_levels_is_found_and_its_name_is_short() -> None:
    value: Any = "\ud800"
    for _ in range(5_000):
        value = {"level": value}
    surrogate = in_value(value, "variables")
    assert surrogate is not None
    assert len(surrogate.message) < 300
    assert is_unicode(surrogate.message)
