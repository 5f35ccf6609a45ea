"""Bulk requests over HTTP: many commands in one request, together or individually."""

import asyncio
from pathlib import Path
from typing import Any, Final

import pytest

from ledgerpress.eventlog.errors import AppendUnresolved, LogUnavailable
from tests.integration.graphql_client import Client
from tests.integration.production_application import EDITOR, operated
from tests.integration.users_by_role import AUTHOR, OTHER_AUTHOR, people

pytestmark = pytest.mark.usefixtures("workers")

BULK: Final = """
mutation ($input: BulkInput!) {
  bulk(input: $input) {
    results {
      __typename position replayed viewsBehind userErrors { code field message currentVersion holder }
      ... on PostPayload { post { id slug title status version categories { slug } } }
      ... on CategoryPayload { category { id slug name version articleCount } }
      ... on AuthorPayload { author { id name slug } }
    }
    userErrors { code field message }
  }
}
"""
CHANGES: Final = "{ changes(first: 100, orderBy: OLDEST) { nodes { type reason position } } }"


async def bulk(api: Client, mode: str, *commands: dict[str, Any], **input: Any) -> list[dict[str, Any]]:
    """Return the results of a bulk request that is not rejected as a whole."""
    payload = await payload_of(api, mode, *commands, **input)
    assert payload["userErrors"] == []
    results: list[dict[str, Any]] = payload["results"]
    assert len(results) == len(commands)
    return results


async def payload_of(api: Client, mode: str, *commands: dict[str, Any], **input: Any) -> dict[str, Any]:
    data = await api.ask(BULK, input={"mode": mode, "commands": list(commands), **input})
    payload: dict[str, Any] = data["bulk"]
    return payload


def create(title: str, **input: Any) -> dict[str, Any]:
    return {"postCreate": {"title": title, **input}}


def errors(results: list[dict[str, Any]]) -> list[list[str]]:
    return [[error["code"] for error in result["userErrors"]] for result in results]


async def head(api: Client) -> int:
    return await api.store.log.head()


async def test_commands_that_depend_on_each_other_are_executed_together(api: Client) -> None:
    before = await head(api)
    results = await bulk(
        api,
        "ATOMIC",
        {"categoryCreate": {"name": "Town"}},
        {"categoryCreate": {"name": "Harbour", "parent": {"slug": "town"}}},
        create("Ferry", publish=True, categories=[{"slug": "harbour"}]),
        create("Ferry", categories=[{"slug": "town"}]),
        {"categoryRename": {"category": {"slug": "harbour"}, "name": "Port"}},
        {"authorRegister": {"name": "Ada Brook"}},
        {"authorRegister": {"name": "Ada Brook"}},
        reason="A new section",
    )
    assert errors(results) == [[]] * 7
    town, harbour, first, second, renamed, ada, other_ada = results
    assert [town["category"]["slug"], renamed["category"]["name"]] == ["town", "Port"]
    # All objects are read after the last command.
    assert harbour["category"] == {**renamed["category"], "articleCount": 1}
    assert (first["post"]["slug"], first["post"]["status"]) == ("ferry", "PUBLISHED")
    assert (second["post"]["slug"], second["post"]["categories"]) == ("ferry-2", [{"slug": "town"}])
    assert [ada["author"]["slug"], other_ada["author"]["slug"]] == ["ada-brook", "ada-brook-2"]
    assert [result["__typename"] for result in results] == [
        *["CategoryPayload"] * 2, *["PostPayload"] * 2, "CategoryPayload", *["AuthorPayload"] * 2
    ]  # fmt: skip
    positions = [result["position"] for result in results]
    assert positions == sorted(positions)
    assert positions[-1] == await head(api)
    changes = (await api.ask(CHANGES))["changes"]["nodes"]
    assert {change["reason"] for change in changes if int(change["position"]) > before} == {"A new section"}


async def test_one_rejected_command_rejects_an_atomic_request(api: Client) -> None:
    post = await api.write("Tram")
    before = await head(api)
    results = await bulk(
        api,
        "ATOMIC",
        create("New"),
        {"postEdit": {"id": post["id"], "title": "Tram line"}},
        {"postEdit": {"id": post["id"], "slug": "Not a slug"}},
        {"postPublish": {"id": post["id"]}},
    )
    assert errors(results) == [["NOT_EXECUTED"], ["NOT_EXECUTED"], ["SLUG_MALFORMED"], ["NOT_EXECUTED"]]
    (error,) = results[2]["userErrors"]
    assert error["field"] == ["input", "commands", "2", "postEdit", "slug"]
    assert "index 2" in results[0]["userErrors"][0]["message"]
    assert [result["post"] for result in results] == [None] * 4
    assert await head(api) == before

    invalid = await bulk(api, "ATOMIC", create("New"), {"postPublish": {"id": "nonsense"}})
    assert errors(invalid) == [["NOT_EXECUTED"], ["INVALID_ID"]]
    without_title = await bulk(api, "ATOMIC", {"postEdit": {"id": post["id"], "title": None}})
    assert without_title[0]["userErrors"][0]["field"] == ["input", "commands", "0", "postEdit", "title"]
    assert await head(api) == before


async def test_individual_commands_are_executed_in_order_even_if_one_is_rejected(api: Client) -> None:
    results = await bulk(
        api,
        "INDIVIDUAL",
        {"categoryCreate": {"name": "Town"}},
        create(""),
        create("Ferry", categories=[{"slug": "town"}], reason="Its own"),
        {"postPublish": {"id": "nonsense"}},
        {"categoryDescribe": {"category": {"slug": "town"}, "description": "All of it"}},
        reason="Many",
    )
    assert errors(results) == [[], ["BLANK"], [], ["INVALID_ID"], []]
    assert results[1]["userErrors"][0]["field"] == ["input", "commands", "1", "postCreate", "title"]
    assert results[2]["post"]["categories"] == [{"slug": "town"}]
    assert not any(result["viewsBehind"] for result in results)
    changes = (await api.ask(CHANGES))["changes"]["nodes"]
    reasons = {change["type"]: change["reason"] for change in changes}
    assert (reasons["category.created"], reasons["post.created"]) == ("Many", "Its own")


async def test_expected_versions_count_the_commands_before(api: Client) -> None:
    post = await api.write("Tram")

    def edit(title: str, version: int) -> dict[str, Any]:
        return {"postEdit": {"id": post["id"], "title": title, "expectedVersion": version}}

    first, second = await bulk(api, "ATOMIC", edit("Two", 1), edit("Three", 2))
    assert (first["post"]["version"], second["post"]["title"]) == (3, "Three")
    stale = await bulk(api, "ATOMIC", edit("Four", 3), edit("Five", 3))
    assert errors(stale) == [["NOT_EXECUTED"], ["VERSION_CONFLICT"]]
    assert stale[1]["userErrors"][0]["currentVersion"] == 4
    assert (await api.do("postEdit", "post { version }", id=post["id"], title="Six"))["post"]["version"] == 4


async def test_a_repeated_request_has_the_same_results_and_records_nothing(api: Client) -> None:
    tram = await api.write("Tram")
    commands = [
        create("Ferry", publish=True),
        {"postEdit": {"id": tram["id"], "teaser": None}},  # nothing to do
        {"categoryCreate": {"name": "Town"}},
    ]
    first = await bulk(api, "ATOMIC", *commands, idempotencyKey="once")
    after = await head(api)
    # Without the request, the second command would now have something to do.
    await api.do("postEdit", id=tram["id"], teaser="It runs.")
    again = await bulk(api, "ATOMIC", *commands, idempotencyKey=" once ")
    assert [result["replayed"] for result in first] == [False] * 3
    assert [result["replayed"] for result in again] == [True] * 3
    assert [result["position"] for result in again] == [result["position"] for result in first]
    assert again[0]["post"] == first[0]["post"]
    assert again[1]["post"]["id"] == tram["id"]
    assert again[2]["category"]["id"] == first[2]["category"]["id"]
    assert await head(api) == after + 1

    for other in (commands[:2], [*commands, create("More")], [commands[0], create("Other"), commands[2]]):
        payload = await payload_of(api, "ATOMIC", *other, idempotencyKey="once")
        (error,) = payload["userErrors"]
        assert (payload["results"], error["code"]) == ([], "IDEMPOTENCY_KEY_REUSED")
        assert error["field"] == ["input", "idempotencyKey"]
    assert await head(api) == after + 1


async def test_individual_commands_are_repeated_with_their_own_keys(api: Client) -> None:
    commands = [create("One"), create("Two", idempotencyKey="two"), create("")]
    first = await bulk(api, "INDIVIDUAL", *commands, idempotencyKey="many")
    single = await api.do("postCreate", "post { id }", title="Two", idempotencyKey="two")
    assert (single["replayed"], single["post"]["id"]) == (True, first[1]["post"]["id"])
    commands[2] = create("Three")
    before = await head(api)
    again = await bulk(api, "INDIVIDUAL", *commands, idempotencyKey="many")
    assert [result["replayed"] for result in again] == [True, True, False]
    assert await head(api) > before
    assert errors(await bulk(api, "INDIVIDUAL", create("Other"), idempotencyKey="many")) == [
        ["IDEMPOTENCY_KEY_REUSED"]
    ]


async def test_keys_and_reasons_are_checked(api: Client) -> None:
    before = await head(api)
    own = await bulk(api, "ATOMIC", create("One"), create("Two", idempotencyKey="own"), idempotencyKey="all")
    assert errors(own) == [["NOT_EXECUTED"], ["INVALID_VALUE"]]
    assert own[1]["userErrors"][0]["field"][-1] == "idempotencyKey"
    for field, value in (("idempotencyKey", "k" * 191), ("reason", "r" * 1_001), ("commands", [])):
        data = await api.ask(BULK, input={"mode": "ATOMIC", "commands": [create("A")], field: value})
        (error,) = data["bulk"]["userErrors"]
        assert (data["bulk"]["results"], error["field"]) == ([], ["input", field])
    assert await head(api) == before
    longest = [create(f"Post {number}") for number in range(1_000)]
    results = await bulk(api, "ATOMIC", *longest, idempotencyKey="k" * 190)
    assert errors(results) == [[]] * 1_000


async def test_a_command_that_reads_views_comes_first(api: Client) -> None:
    await api.do("categoryCreate", name="Town")
    delete = {"categoryDelete": {"category": {"slug": "town"}}}
    late = await bulk(api, "ATOMIC", create("Ferry", categories=[{"slug": "town"}]), delete)
    assert errors(late) == [["NOT_EXECUTED"], ["MUST_BE_FIRST"]]
    assert errors(await bulk(api, "INDIVIDUAL", create("Ferry", categories=[{"slug": "town"}]), delete)) == [
        [],
        ["CATEGORY_NOT_EMPTY"],
    ]
    await api.do("categoryCreate", name="Sport")
    sport = {"categoryDelete": {"category": {"slug": "sport"}}}
    assert errors(await bulk(api, "ATOMIC", sport, create("Tram"))) == [[], []]


@pytest.mark.parametrize("mode", ["ATOMIC", "INDIVIDUAL"])
async def test_a_user_needs_the_permissions_of_all_commands(api: Client, mode: str) -> None:
    users = await people(api.store)
    before = await head(api)
    commands = [create("Mine"), {"categoryCreate": {"name": "Town"}}]
    for name, code in ((AUTHOR, "FORBIDDEN"), ("anyone", "UNAUTHENTICATED"), ("auditor", "FORBIDDEN")):
        with api.acting_as(users[name]):
            (error,) = await api.errors(BULK, input={"mode": mode, "commands": commands})
        assert (error["extensions"]["code"], error["path"]) == (code, ["bulk"])
    assert await head(api) == before
    with api.acting_as(users[OTHER_AUTHOR]):
        (post,) = await bulk(api, mode, create("Of another"))
    with api.acting_as(users[AUTHOR]):
        own, other = await bulk(
            api, mode, create("Mine"), {"postEdit": {"id": post["post"]["id"], "title": "Taken"}}
        )
    assert [error["code"] for error in other["userErrors"]] == ["NOT_FOUND"]
    assert bool(own["post"]) is (mode == "INDIVIDUAL")


async def test_a_command_is_one_of_the_mutations(api: Client) -> None:
    for command, word in (
        ({}, "exactly one"),
        ({"postCreate": {"title": "A"}, "postPublish": {"id": "A"}}, "exactly one"),
        ({"tokenCreate": {"name": "A"}}, "tokenCreate"),
        ({"postCreate": None}, "null"),
        ({"bulk": {}}, "bulk"),
    ):
        (error, *_) = await api.errors(BULK, input={"mode": "ATOMIC", "commands": [command]})
        assert error["extensions"]["code"] == "BAD_USER_INPUT"
        assert word in error["message"].lower() or word in error["message"]


async def test_commands_can_be_in_the_document(api: Client) -> None:
    data = await api.ask(
        """mutation ($title: String!) {
          bulk(input: {mode: ATOMIC, commands: [{postCreate: {title: $title}}, {categoryCreate: {name: "Town"}}]}) {
            results { ... on PostPayload { post { title } } ... on CategoryPayload { category { slug } } }
          }
        }""",
        title="Ferry",
    )
    assert data["bulk"]["results"] == [{"post": {"title": "Ferry"}}, {"category": {"slug": "town"}}]


async def test_individual_results_are_returned_if_the_log_fails(
    api: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = api.store.log
    append, appends = type(log).append, 0

    async def failing(self: Any, writes: Any) -> int:
        nonlocal appends
        appends += 1
        if appends == 3:
            raise AppendUnresolved("it may be recorded")
        return await append(self, writes)

    monkeypatch.setattr(type(log), "append", failing)
    results = await bulk(api, "INDIVIDUAL", *[create(f"Post {number}") for number in range(5)])
    assert errors(results) == [[], [], ["FAILED"], ["NOT_EXECUTED"], ["NOT_EXECUTED"]]
    assert results[1]["post"]["title"] == "Post 1"

    async def unavailable(self: Any, writes: Any) -> int:
        raise LogUnavailable("away")

    monkeypatch.setattr(type(log), "append", unavailable)
    for mode in ("ATOMIC", "INDIVIDUAL"):
        (error,) = await api.errors(BULK, input={"mode": mode, "commands": [create("A"), create("B")]})
        assert error["extensions"]["code"] == "LOG_UNAVAILABLE"


async def test_too_many_events_for_the_engine_are_rejected(
    api: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(type(api.store.log), "max_events", 9)
    before = await head(api)
    payload = await payload_of(api, "ATOMIC", *[create(f"Post {number}") for number in range(5)])
    (error,) = payload["userErrors"]
    assert (payload["results"], error["code"]) == ([], "TOO_MANY_EVENTS")
    assert "10 events" in error["message"]
    assert "9 at once" in error["message"]
    assert await head(api) == before
    results = await bulk(api, "INDIVIDUAL", *[create(f"Post {number}") for number in range(5)])
    assert errors(results) == [[]] * 5


async def test_atomic_requests_and_other_commands_do_not_mix(api: Client) -> None:
    """Concurrent requests that change the same posts in different orders are all executed, each as a whole."""
    posts = [(await api.write(f"Post {number}"))["id"] for number in range(4)]

    def edits(name: str, ids: list[str]) -> list[dict[str, Any]]:
        return [{"postEdit": {"id": id_, "title": f"{name} {number}"}} for number, id_ in enumerate(ids)]

    async def both(name: str, ids: list[str]) -> None:
        assert errors(await bulk(api, "ATOMIC", *edits(name, ids), reason=name)) == [[]] * 4

    await asyncio.gather(
        *(both(f"R{number}", posts[:: 1 if number % 2 else -1]) for number in range(6)),
        *(api.do("postEdit", id=id_, teaser="A teaser") for id_ in posts),
    )
    changes = (await api.ask(CHANGES))["changes"]["nodes"]
    by_reason: dict[str, list[int]] = {}
    for change in changes:
        if change["reason"]:
            by_reason.setdefault(change["reason"], []).append(int(change["position"]))
    assert len(by_reason) == 6
    for positions in by_reason.values():
        assert positions[-1] - positions[0] == len(positions) - 1


async def test_an_editor_can_send_a_thousand_commands_with_default_settings(tmp_path: Path) -> None:
    async with operated(tmp_path / "data") as running:
        text = "A sentence of a usual length, more or less. " * 10
        commands = [create(f"Post {number}", body=text, publish=True) for number in range(1_000)]
        variables = {"mode": "ATOMIC", "commands": commands, "idempotencyKey": "import"}
        response = (await running.post(BULK, EDITOR, input=variables)).json()
        assert "errors" not in response, response["errors"]
        results = response["data"]["bulk"]["results"]
        assert [result["post"]["title"] for result in results] == [f"Post {n}" for n in range(1_000)]
        assert response["extensions"]["cost"]["fieldCost"] > 11_000

        over = {**variables, "commands": [*commands, create("One more")]}
        for input, code, actual in (
            (over, "LIST_TOO_LONG", 1_001),
            (
                {**variables, "commands": [create("A", categories=[{"slug": "a"}] * 30)] * 900},
                "TOO_MANY_VALUES",
                None,
            ),
        ):
            (error,) = (await running.post(BULK, EDITOR, input=input)).json()["errors"]
            assert error["extensions"]["code"] == code
            assert actual is None or error["extensions"]["found"] == actual
        assert (await running.post(BULK, input=variables)).json()["errors"][0]["extensions"]["code"] == (
            "UNAUTHENTICATED"
        )
