"""The history in GraphQL: who changed what, when and why."""

from typing import Any

import pytest

from ledgerpress.commands.roles_and_permissions import Role
from ledgerpress.features.actors.model import IMPORTER
from ledgerpress.graphql.relay import global_ids
from tests.identities import identity
from tests.integration.graphql_client import Client

CHANGE = """
  position version type recordedAt occurredAt reason changedFields before after withdrawn
  actor { id kind name } onBehalfOf { name }
  subject { __typename id }
"""
CHANGES = f"""
query ($first: Int, $after: String, $last: Int, $before: String, $filter: ChangeFilter, $orderBy: ChangeOrder! = NEWEST) {{
  changes(first: $first, after: $after, last: $last, before: $before, filter: $filter, orderBy: $orderBy) {{
    totalCount pageInfo {{ hasNextPage hasPreviousPage startCursor endCursor }} nodes {{ {CHANGE} }}
  }}
}}
"""


async def history_of(api: Client, slug: str, order: str = "OLDEST") -> list[dict[str, Any]]:
    query = f"query ($slug: String!) {{ post(slug: $slug) {{ history(first: 100, orderBy: {order}) {{ nodes {{ {CHANGE} }} }} }} }}"
    nodes: list[dict[str, Any]] = (await api.ask(query, slug=slug))["post"]["history"]["nodes"]
    return nodes


async def positions(api: Client, **arguments: Any) -> list[int]:
    return [node["position"] for node in (await api.ask(CHANGES, **arguments))["changes"]["nodes"]]


def as_of(global_id: str, change: dict[str, Any]) -> str:
    """Return the id of an object as of the position of a change."""
    decoded = global_ids.decode(global_id)
    assert decoded
    return global_ids.encode(decoded.type, decoded.id, change["position"])


async def test_the_history_of_a_post_shows_who_changed_what_when_and_why(api: Client) -> None:
    await api.do("categoryCreate", name="News")
    author = (await api.do("authorRegister", "author { id }", name="Ada"))["author"]["id"]
    post = await api.write("One", body="first", reason="A call from the pier.")
    await api.do(
        "postEdit", id=post["id"], body="second", teaser="Soon.", authors=[author], reason="Late news."
    )
    await api.do("postCategorize", id=post["id"], category={"slug": "news"})
    await api.do("postPublish", id=post["id"], publishedAt="2024-05-01T00:00:00Z")
    await api.do("postPublish", id=post["id"], publishedAt="2024-05-02T00:00:00Z", correction="Not first.")

    created, edited, categorized, published, again = await history_of(api, "one")
    assert [change["version"] for change in (created, edited, categorized, published, again)] == [
        1,
        2,
        3,
        4,
        5,
    ]
    assert created["reason"] == "A call from the pier."
    assert created["changedFields"] == ["slug", "title", "body", "status"]
    assert created["before"] == {}
    assert created["after"] == {"slug": "one", "title": "One", "body": "first", "status": "DRAFT"}
    assert created["actor"]["name"] == "Local operator"
    assert created["actor"]["kind"] == "SYSTEM"
    assert created["subject"] == {"__typename": "Post", "id": post["id"]}
    assert edited["reason"] == "Late news."
    assert edited["before"] == {"teaser": None, "body": "first", "authors": []}
    assert edited["after"] == {
        "teaser": "Soon.",
        "body": "second",
        "authors": [{"id": as_of(author, edited), "name": "Ada"}],
    }
    assert [category["name"] for category in categorized["after"]["categories"]] == ["News"]
    assert categorized["occurredAt"] is None
    assert published["occurredAt"] == "2024-05-01T00:00:00Z"
    assert published["before"] == {"status": "DRAFT", "publishedAt": None, "publishedRevision": None}
    assert published["after"] == {
        "status": "PUBLISHED",
        "publishedAt": "2024-05-01T00:00:00Z",
        "publishedRevision": 2,
    }
    assert again["after"] == {"publishedAt": "2024-05-02T00:00:00Z", "correction": "Not first."}
    newest_first = await history_of(api, "one", order="NEWEST")
    assert newest_first == [again, published, categorized, edited, created]


async def test_the_history_of_a_category_omits_posts_and_a_filter_includes_them(api: Client) -> None:
    for name in ("News", "Town", "Boats"):
        await api.do("categoryCreate", name=name)
    await api.do("categoryMove", category={"slug": "boats"}, parent={"slug": "town"})
    post = await api.write("One", categories=[{"slug": "town"}])
    await api.do("postUncategorize", id=post["id"], category={"slug": "town"})
    await api.do("postCategorize", id=post["id"], category={"slug": "town"})
    await api.do("categoryRename", category={"slug": "town"}, name="Place")
    await api.do("categoryMerge", category={"slug": "town"}, into={"slug": "news"}, reason="Too small.")

    async def types(slug: str) -> list[str]:
        query = "query ($slug: String!) { category(slug: $slug) { id history { totalCount nodes { type reason } } } }"
        history = (await api.ask(query, slug=slug))["category"]["history"]
        assert history["totalCount"] == len(history["nodes"])
        return [node["type"].removeprefix("category.") for node in history["nodes"]]

    assert await types("boats") == ["merged", "moved", "created"]
    assert await types("news") == ["merged", "renamed", "created", "created"]
    category = (await api.ask('{ category(slug: "news") { id } }'))["category"]["id"]
    changes = (await api.ask(CHANGES, filter={"category": category}))["changes"]
    post_events = ["post.categorized", "post.uncategorized", "post.categorized"]
    assert [node["type"] for node in changes["nodes"]] == [
        "category.merged", "category.renamed", *post_events, "category.created", "category.created"
    ]  # fmt: skip
    assert changes["totalCount"] == 7
    merged = changes["nodes"][0]
    assert merged["after"] == {"mergedInto": {"id": as_of(category, merged), "name": "News"}}
    assert merged["reason"] == "Too small."
    both = {"category": category, "stream": post["id"]}
    assert [node["type"] for node in (await api.ask(CHANGES, filter=both))["changes"]["nodes"]] == [
        "category.merged", *post_events
    ]  # fmt: skip
    by_type = {"category": category, "types": ["post.uncategorized", "category.renamed"]}
    assert [node["type"] for node in (await api.ask(CHANGES, filter=by_type))["changes"]["nodes"]] == [
        "category.renamed", "post.uncategorized"
    ]  # fmt: skip


async def test_pages_of_changes_are_complete_in_both_directions(api: Client) -> None:
    for number in range(7):
        await api.write(f"Post {number}")
    head = (await api.ask("{ moment { position } }"))["moment"]["position"]
    everything = list(range(1, head + 1))
    for order, expected in (("OLDEST", everything), ("NEWEST", everything[::-1])):
        for size, cursor, info, forwards in (
            ("first", "after", "endCursor", True),
            ("last", "before", "startCursor", False),
        ):
            collected: list[int] = []
            page_cursor = None
            more = True
            while more:
                page = (await api.ask(CHANGES, orderBy=order, **{size: 4, cursor: page_cursor}))["changes"]
                assert page["totalCount"] == head
                part = [node["position"] for node in page["nodes"]]
                assert page["pageInfo"]["hasPreviousPage" if forwards else "hasNextPage"] == bool(collected)
                collected = collected + part if forwards else part + collected
                page_cursor = page["pageInfo"][info]
                more = page["pageInfo"]["hasNextPage" if forwards else "hasPreviousPage"]
            assert collected == expected, (order, size)


async def test_filters_select_changes_alone_and_combined(api: Client) -> None:
    first_post = await api.write("One", publish=True)
    second_post = await api.write("Two")
    await api.do("postEdit", id=first_post["id"], title="Uno", publish=True)
    await api.do("postArchive", id=second_post["id"])
    everything = (await api.ask(CHANGES, first=100, orderBy="OLDEST"))["changes"]["nodes"]
    operator = next(node["actor"]["id"] for node in everything if node["type"] == "post.created")

    async def assert_matches(filter_: dict[str, Any], matches_filter: Any) -> None:
        expected = [node["position"] for node in everything if matches_filter(node)]
        assert expected
        assert await positions(api, filter=filter_, first=100, orderBy="OLDEST") == expected

    published = ["post.published", "post.archived"]
    middle = everything[len(everything) // 2]
    await assert_matches(
        {"stream": first_post["id"]}, lambda node: (node["subject"] or {}).get("id") == first_post["id"]
    )
    await assert_matches({"types": published}, lambda node: node["type"] in published)
    await assert_matches({"actor": operator}, lambda node: node["actor"]["id"] == operator)
    await assert_matches(
        {"actor": operator, "types": ["post.archived"]}, lambda node: node["type"] == "post.archived"
    )
    await assert_matches(
        {"recordedFrom": middle["recordedAt"]}, lambda node: node["recordedAt"] >= middle["recordedAt"]
    )
    await assert_matches(
        {"recordedTo": middle["recordedAt"]}, lambda node: node["recordedAt"] <= middle["recordedAt"]
    )
    low, high = middle["position"] - 2, middle["position"] + 2
    await assert_matches(
        {"positionFrom": low, "positionTo": high}, lambda node: low <= node["position"] <= high
    )
    assert await positions(api, filter={"actor": operator, "types": ["author.renamed"]}) == []
    (error,) = await api.errors(CHANGES, filter={"types": ["post.sparkled"]})
    assert "post.sparkled" in error["message"]
    (error,) = await api.errors(CHANGES, filter={"stream": operator[:-4]})
    assert "stream" in error["message"]


async def test_the_recorded_event_is_returned_without_the_name_key(api: Client) -> None:
    await api.do("siteName", name="The Pier", reason="At last.", idempotencyKey="site")
    query = "{ changes(first: 100, orderBy: OLDEST) { nodes { position event } } }"
    nodes = (await api.ask(query))["changes"]["nodes"]
    stored = await api.store.log.read(0, 100)
    assert [node["event"]["header"]["eventId"] for node in nodes] == [
        event.header.event_id for event in stored
    ]
    assert nodes[0]["event"]["payload"]["data"] == {"formatVersion": 1}
    payload = nodes[-1]["event"]["payload"]
    assert (payload["data"], payload["reason"], payload["idempotencyKey"]) == (
        {"name": "The Pier"},
        "At last.",
        "site",
    )


async def test_the_history_of_a_past_post_ends_at_that_position(api: Client) -> None:
    post = await api.write("One")
    moment = (await api.ask("{ moment { position } }"))["moment"]
    await api.do("postEdit", id=post["id"], title="Two")
    query = 'query ($at: AsOf) { post(slug: "one", asOf: $at) { history { totalCount nodes { type } } } }'
    assert (await api.ask(query, at=moment))["post"]["history"] == {
        "totalCount": 1,
        "nodes": [{"type": "post.created"}],
    }


@pytest.mark.parametrize("query", ["{ changes { totalCount } }", "{ site(asOf: {position: 1}) { name } }"])
async def test_reading_the_past_needs_a_permission(api: Client, query: str) -> None:
    await api.ask(query)
    with api.acting_as(identity(Role.AUTHOR, IMPORTER.id)):
        (error,) = await api.errors(query)
    assert error["extensions"]["code"] == "FORBIDDEN"


DIFF = """
query ($slug: String!, $from: Int!, $to: Int!) { post(slug: $slug) { diff(from: $from, to: $to) {
  from to title { before after } teaser { before after } slug { before after }
  body { spans { kind text } unified }
  categoriesAdded { name } categoriesRemoved { name } authorsAdded { name } authorsRemoved { name }
} } }
"""


async def test_versions_are_compared_field_by_field_and_word_by_word(api: Client) -> None:
    for name in ("News", "Town"):
        await api.do("categoryCreate", name=name)
    authors = [
        (await api.do("authorRegister", "author { id }", name=name))["author"]["id"] for name in ("Ada", "Bo")
    ]
    post = await api.write(
        "One",
        body="The tide mill turns.\n\nAgain.\n",
        slug="one",
        categories=[{"slug": "town"}],
        authors=authors[:1],
    )
    body = "The old tide mill stands.\n\nAgain.\n"
    await api.do("postEdit", id=post["id"], title="Two", body=body, authors=authors[1:], teaser="Soon.")
    await api.do("postUncategorize", id=post["id"], category={"slug": "town"})
    await api.do("postCategorize", id=post["id"], category={"slug": "news"})
    await api.do("categoryRename", category={"slug": "news"}, name="New news")

    arguments = {"slug": "one", "from": 2, "to": 5}
    assert (await api.ask(DIFF, **arguments))["post"]["diff"] == {
        "from": 2,
        "to": 5,
        "title": {"before": "One", "after": "Two"},
        "teaser": {"before": None, "after": "Soon."},
        "slug": None,
        "body": {
            "spans": [
                {"kind": "EQUAL", "text": "The "},
                {"kind": "INSERT", "text": "old "},
                {"kind": "EQUAL", "text": "tide mill "},
                {"kind": "DELETE", "text": "turns"},
                {"kind": "INSERT", "text": "stands"},
                {"kind": "EQUAL", "text": ".\n\nAgain.\n"},
            ],
            "unified": "--- before\n+++ after\n@@ -1,3 +1,3 @@\n-The tide mill turns.\n+The old tide mill stands.\n"
            " \n Again.\n",
        },
        "categoriesAdded": [{"name": "News"}],
        "categoriesRemoved": [{"name": "Town"}],
        "authorsAdded": [{"name": "Bo"}],
        "authorsRemoved": [{"name": "Ada"}],
    }
    back = (await api.ask(DIFF, **{**arguments, "from": 5, "to": 2}))["post"]["diff"]
    assert back["categoriesAdded"] == [{"name": "Town"}]
    assert back["title"] == {"before": "Two", "after": "One"}
    from_nothing = (await api.ask(DIFF, **{**arguments, "from": 0, "to": 1}))["post"]["diff"]
    assert from_nothing["title"] == {"before": None, "after": "One"}
    assert from_nothing["body"]["spans"] == [{"kind": "INSERT", "text": "The tide mill turns.\n\nAgain.\n"}]
    (error,) = await api.errors(DIFF, **{**arguments, "to": 6})
    assert "No version 6" in error["message"]


async def test_blame_shows_who_wrote_each_part_and_why(api: Client) -> None:
    post = await api.write("One", body="First.\n\nSecond.\n\nThird one.", slug="one", reason="A call.")
    await api.do("postEdit", id=post["id"], title="Uno")
    await api.do("postEdit", id=post["id"], body="Third one.\n\nFirst.\n\nSecond, changed.", reason="Order.")
    query = (
        '{ post(slug: "one") { body { markdown } blame { text version recordedAt reason actor { name } } } }'
    )
    blamed = (await api.ask(query))["post"]
    assert "".join(span["text"] for span in blamed["blame"]) == blamed["body"]["markdown"]
    new = [span for span in blamed["blame"] if span["version"] == 3]
    assert "".join(span["text"] for span in new).strip() == ", changed"
    assert {span["reason"] for span in new} == {"Order."}
    assert {(span["version"], span["reason"]) for span in blamed["blame"]} == {(1, "A call."), (3, "Order.")}
    assert {span["actor"]["name"] for span in blamed["blame"]} == {"Local operator"}


RESTORED = "slugKept post { version slug title teaser body { markdown } status hasUnpublishedChanges }"
REVERTED = "post { version slug title teaser body { markdown } categories { name } status }"
CONFLICTS = "userErrors { conflicts }"


async def test_restoring_a_post_copies_an_old_version_and_keeps_newer_ones(api: Client) -> None:
    post = await api.write("One", body="first", teaser="Soon.", publish=True)
    await api.do("postEdit", id=post["id"], title="Two", body="second", teaser=None, slug="two", publish=True)
    result = await api.do("postRestore", RESTORED, id=post["id"], toVersion=1, reason="It was right.")
    assert result["userErrors"] == []
    assert result["slugKept"] is False
    assert result["post"] == {
        "version": 5,
        "slug": "one",
        "title": "One",
        "teaser": "Soon.",
        "body": {"markdown": "first"},
        "status": "PUBLISHED",
        "hasUnpublishedChanges": True,
    }
    history = await history_of(api, "one")
    assert [change["type"] for change in history][-1] == "post.restored"
    assert history[-1]["before"] == {"slug": "two", "title": "Two", "teaser": None, "body": "second"}
    assert (await api.ask('{ article(slug: "two") { title body { markdown } } }'))["article"] == {
        "title": "Two",
        "body": {"markdown": "second"},
    }
    back = await api.do("postRestore", RESTORED, id=post["id"], toVersion=3, publish=True)
    assert (back["post"]["title"], back["post"]["hasUnpublishedChanges"]) == ("Two", False)
    again = await api.do("postRestore", "post { version }", id=post["id"], toVersion=3)
    assert again["post"]["version"] == back["post"]["version"]


async def test_restoring_a_post_does_not_take_the_slug_of_another_post(api: Client) -> None:
    post = await api.write("One", slug="one", body="first")
    await api.do("postEdit", id=post["id"], title="Two", slug="two")
    await api.write("One")
    key = {"idempotencyKey": "again"}
    result = await api.do("postRestore", RESTORED, id=post["id"], toVersion=1, **key)
    assert (result["slugKept"], result["post"]["slug"], result["post"]["title"]) == (True, "two", "One")
    await api.do("postEdit", id=post["id"], slug="three")
    replayed = await api.do("postRestore", RESTORED, id=post["id"], toVersion=1, **key)
    assert (replayed["replayed"], replayed["slugKept"]) == (True, True)


@pytest.mark.parametrize("version", [0, -1, 4])
async def test_only_versions_of_the_post_can_be_restored_or_reverted(api: Client, version: int) -> None:
    post = await api.write("One", publish=True)
    await api.do("postEdit", id=post["id"], title="Two")
    for mutation, name in (("postRestore", "toVersion"), ("postRevert", "version")):
        arguments: dict[str, Any] = {"id": post["id"], name: version}
        result = await api.do(mutation, **arguments)
        (error,) = result["userErrors"]
        assert (error["code"], error["field"]) == ("NOT_FOUND", ["input", name])


async def test_a_change_is_reverted_and_later_changes_remain(api: Client) -> None:
    post = await api.write("One", body="The mill turns.\n\nIt is old.\n")
    await api.do(
        "postEdit", id=post["id"], title="Uno", body="The mill stands.\n\nIt is old.\n", teaser="Soon."
    )
    await api.do("postEdit", id=post["id"], body="The mill stands.\n\nIt is new.\n", slug="mill")
    result = await api.do("postRevert", REVERTED, id=post["id"], version=2)
    assert result["userErrors"] == []
    assert result["post"]["title"] == "One"
    assert result["post"]["teaser"] is None
    assert result["post"]["slug"] == "mill"
    assert result["post"]["body"] == {"markdown": "The mill turns.\n\nIt is new.\n"}
    slug = await api.do("postRevert", REVERTED, id=post["id"], version=3, publish=True)
    assert (slug["post"]["slug"], slug["post"]["status"]) == ("one", "PUBLISHED")
    assert slug["post"]["body"] == {"markdown": "The mill turns.\n\nIt is old.\n"}
    history = await history_of(api, "one")
    assert [change["type"] for change in history][-3:] == ["post.reverted", "post.reverted", "post.published"]


async def test_a_revert_conflict_names_the_conflicting_fields(api: Client) -> None:
    post = await api.write("One", slug="one", body="The mill turns.\n\nIt is old.\n")
    await api.do(
        "postEdit", id=post["id"], title="Two", body="The mill turns.\n\nIt is new.\n", teaser="Soon."
    )
    await api.do("postEdit", id=post["id"], title="Three", body="The mill turns.\n\nIt is gone.\n")
    result = await api.do("postRevert", CONFLICTS, id=post["id"], version=2)
    (error,) = result["userErrors"]
    assert (error["code"], error["field"], error["conflicts"]) == (
        "REVERT_CONFLICT",
        ["input", "version"],
        ["title", "body"],
    )
    assert "body (line 3)" in error["message"]
    await api.do("postEdit", id=post["id"], slug="other")
    await api.write("One")
    slug_conflict = await api.do("postRevert", CONFLICTS, id=post["id"], version=4)
    assert slug_conflict["userErrors"][0]["conflicts"] == ["slug"]


async def test_adding_to_and_removing_from_a_category_can_be_reverted(api: Client) -> None:
    for name in ("News", "Town"):
        await api.do("categoryCreate", name=name)
    post = await api.write("One", categories=[{"slug": "town"}])
    await api.do("postUncategorize", id=post["id"], category={"slug": "town"})
    back = await api.do("postRevert", REVERTED, id=post["id"], version=3)
    assert back["post"]["categories"] == [{"name": "Town"}]
    out = await api.do("postRevert", REVERTED, id=post["id"], version=4)
    assert out["post"]["categories"] == []
    await api.do("categoryDelete", category={"slug": "town"})
    conflict = await api.do("postRevert", CONFLICTS, id=post["id"], version=3)
    assert conflict["userErrors"][0]["conflicts"] == ["categories"]
    rejected = await api.do("postRevert", id=post["id"], version=1)
    assert "Version 1 created the post" in rejected["userErrors"][0]["message"]
    assert rejected["userErrors"][0]["code"] == "INVALID_VALUE"


async def test_an_archived_post_is_neither_restored_nor_reverted(api: Client) -> None:
    post = await api.write("One")
    await api.do("postEdit", id=post["id"], title="Two")
    await api.do("postArchive", id=post["id"])
    mutations: dict[str, dict[str, Any]] = {"postRestore": {"toVersion": 1}, "postRevert": {"version": 2}}
    for mutation, arguments in mutations.items():
        result = await api.do(mutation, id=post["id"], **arguments)
        assert result["userErrors"][0]["code"] == "POST_ARCHIVED"
