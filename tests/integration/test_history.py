"""The history at the door: who changed what, when and why."""

from typing import Any

import pytest

from ledgerpress.commands.roles_and_permissions import Role
from ledgerpress.features.actors.model import IMPORTER
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


async def history_of(door: Client, slug: str, order: str = "OLDEST") -> list[dict[str, Any]]:
    query = f"query ($slug: String!) {{ post(slug: $slug) {{ history(first: 100, orderBy: {order}) {{ nodes {{ {CHANGE} }} }} }} }}"
    found: list[dict[str, Any]] = (await door.ask(query, slug=slug))["post"]["history"]["nodes"]
    return found


async def positions(door: Client, **arguments: Any) -> list[int]:
    return [one["position"] for one in (await door.ask(CHANGES, **arguments))["changes"]["nodes"]]


async def test_a_post_tells_who_changed_what_when_and_why(door: Client) -> None:
    await door.do("categoryCreate", name="News")
    author = (await door.do("authorRegister", "author { id }", name="Ada"))["author"]["id"]
    post = await door.write("One", body="first", reason="A call from the pier.")
    await door.do(
        "postEdit", id=post["id"], body="second", teaser="Soon.", authors=[author], reason="Late news."
    )
    await door.do("postCategorize", id=post["id"], category={"slug": "news"})
    await door.do("postPublish", id=post["id"], publishedAt="2024-05-01T00:00:00Z", correction="Not first.")

    created, edited, categorized, published = await history_of(door, "one")
    assert [one["version"] for one in (created, edited, categorized, published)] == [1, 2, 3, 4]
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
        "authors": [{"id": author, "name": "Ada"}],
    }
    assert [one["name"] for one in categorized["after"]["categories"]] == ["News"]
    assert categorized["occurredAt"] is None
    assert published["occurredAt"] == "2024-05-01T00:00:00Z"
    assert published["before"] == {"status": "DRAFT", "publishedAt": None, "publishedRevision": None}
    assert published["after"] == {
        "status": "PUBLISHED",
        "publishedAt": "2024-05-01T00:00:00Z",
        "publishedRevision": 2,
        "correction": "Not first.",
    }
    newest_first = await history_of(door, "one", order="NEWEST")
    assert newest_first == [published, categorized, edited, created]


async def test_a_category_tells_its_own_changes_and_a_filter_adds_the_posts(door: Client) -> None:
    for name in ("News", "Town", "Boats"):
        await door.do("categoryCreate", name=name)
    await door.do("categoryMove", category={"slug": "boats"}, parent={"slug": "town"})
    post = await door.write("One", categories=[{"slug": "town"}])
    await door.do("postUncategorize", id=post["id"], category={"slug": "town"})
    await door.do("postCategorize", id=post["id"], category={"slug": "town"})
    await door.do("categoryRename", category={"slug": "town"}, name="Place")
    await door.do("categoryMerge", category={"slug": "town"}, into={"slug": "news"}, reason="Too small.")

    async def types(slug: str) -> list[str]:
        query = "query ($slug: String!) { category(slug: $slug) { id history { totalCount nodes { type reason } } } }"
        found = (await door.ask(query, slug=slug))["category"]["history"]
        assert found["totalCount"] == len(found["nodes"])
        return [one["type"].removeprefix("category.") for one in found["nodes"]]

    assert await types("boats") == ["merged", "moved", "created"]
    assert await types("news") == ["merged", "renamed", "created", "created"]
    category = (await door.ask('{ category(slug: "news") { id } }'))["category"]["id"]
    found = (await door.ask(CHANGES, filter={"category": category}))["changes"]
    entered = ["post.categorized", "post.uncategorized", "post.categorized"]
    assert [one["type"] for one in found["nodes"]] == [
        "category.merged", "category.renamed", *entered, "category.created", "category.created"
    ]  # fmt: skip
    assert found["totalCount"] == 7
    merged = found["nodes"][0]
    assert merged["after"] == {"mergedInto": {"id": category, "name": "News"}}
    assert merged["reason"] == "Too small."
    both = {"category": category, "stream": post["id"]}
    assert [one["type"] for one in (await door.ask(CHANGES, filter=both))["changes"]["nodes"]] == entered
    by_type = {"category": category, "types": ["post.uncategorized", "category.renamed"]}
    assert [one["type"] for one in (await door.ask(CHANGES, filter=by_type))["changes"]["nodes"]] == [
        "category.renamed", "post.uncategorized"
    ]  # fmt: skip


async def test_pages_of_changes_fit_together_in_both_directions(door: Client) -> None:
    for number in range(7):
        await door.write(f"Post {number}")
    head = (await door.ask("{ moment { position } }"))["moment"]["position"]
    everything = list(range(1, head + 1))
    for order, expected in (("OLDEST", everything), ("NEWEST", everything[::-1])):
        for size, cursor, info, forwards in (
            ("first", "after", "endCursor", True),
            ("last", "before", "startCursor", False),
        ):
            found: list[int] = []
            at = None
            more = True
            while more:
                page = (await door.ask(CHANGES, orderBy=order, **{size: 4, cursor: at}))["changes"]
                assert page["totalCount"] == head
                part = [one["position"] for one in page["nodes"]]
                assert page["pageInfo"]["hasPreviousPage" if forwards else "hasNextPage"] == bool(found)
                found = found + part if forwards else part + found
                at = page["pageInfo"][info]
                more = page["pageInfo"]["hasNextPage" if forwards else "hasPreviousPage"]
            assert found == expected, (order, size)


async def test_filters_hold_together(door: Client) -> None:
    one = await door.write("One", publish=True)
    two = await door.write("Two")
    await door.do("postEdit", id=one["id"], title="Uno", publish=True)
    await door.do("postArchive", id=two["id"])
    everything = (await door.ask(CHANGES, first=100, orderBy="OLDEST"))["changes"]["nodes"]
    operator = next(node["actor"]["id"] for node in everything if node["type"] == "post.created")

    async def matches(wanted: dict[str, Any], holds: Any) -> None:
        expected = [node["position"] for node in everything if holds(node)]
        assert expected
        assert await positions(door, filter=wanted, first=100, orderBy="OLDEST") == expected

    published = ["post.published", "post.archived"]
    middle = everything[len(everything) // 2]
    await matches({"stream": one["id"]}, lambda node: (node["subject"] or {}).get("id") == one["id"])
    await matches({"types": published}, lambda node: node["type"] in published)
    await matches({"actor": operator}, lambda node: node["actor"]["id"] == operator)
    await matches(
        {"actor": operator, "types": ["post.archived"]}, lambda node: node["type"] == "post.archived"
    )
    await matches(
        {"recordedFrom": middle["recordedAt"]}, lambda node: node["recordedAt"] >= middle["recordedAt"]
    )
    await matches(
        {"recordedTo": middle["recordedAt"]}, lambda node: node["recordedAt"] <= middle["recordedAt"]
    )
    low, high = middle["position"] - 2, middle["position"] + 2
    await matches({"positionFrom": low, "positionTo": high}, lambda node: low <= node["position"] <= high)
    assert await positions(door, filter={"actor": operator, "types": ["author.renamed"]}) == []
    (error,) = await door.errors(CHANGES, filter={"types": ["post.sparkled"]})
    assert "post.sparkled" in error["message"]
    (error,) = await door.errors(CHANGES, filter={"stream": operator[:-4]})
    assert "stream" in error["message"]


async def test_the_recorded_event_is_told_as_it_is_but_for_the_name_key(door: Client) -> None:
    await door.do("siteName", name="The Pier", reason="At last.", idempotencyKey="site")
    query = "{ changes(first: 100, orderBy: OLDEST) { nodes { position event } } }"
    nodes = (await door.ask(query))["changes"]["nodes"]
    stored = await door.store.log.read(0, 100)
    assert [node["event"]["header"]["eventId"] for node in nodes] == [one.header.event_id for one in stored]
    assert nodes[0]["event"]["payload"]["data"] == {"formatVersion": 1}
    named = nodes[-1]["event"]["payload"]
    assert (named["data"], named["reason"], named["idempotencyKey"]) == (
        {"name": "The Pier"},
        "At last.",
        "site",
    )


async def test_a_past_post_has_the_history_that_it_had_then(door: Client) -> None:
    post = await door.write("One")
    moment = (await door.ask("{ moment { position } }"))["moment"]
    await door.do("postEdit", id=post["id"], title="Two")
    query = 'query ($at: AsOf) { post(slug: "one", asOf: $at) { history { totalCount nodes { type } } } }'
    assert (await door.ask(query, at=moment))["post"]["history"] == {
        "totalCount": 1,
        "nodes": [{"type": "post.created"}],
    }


@pytest.mark.parametrize("query", ["{ changes { totalCount } }", "{ site(asOf: {position: 1}) { name } }"])
async def test_the_past_takes_a_permission(door: Client, query: str) -> None:
    await door.ask(query)
    with door.acting_as(identity(Role.AUTHOR, IMPORTER.id)):
        (error,) = await door.errors(query)
    assert error["extensions"]["code"] == "FORBIDDEN"


DIFF = """
query ($slug: String!, $from: Int!, $to: Int!) { post(slug: $slug) { diff(from: $from, to: $to) {
  from to title { before after } teaser { before after } slug { before after }
  body { spans { kind text } unified }
  categoriesAdded { name } categoriesRemoved { name } authorsAdded { name } authorsRemoved { name }
} } }
"""


async def test_two_versions_differ_field_by_field_and_word_by_word(door: Client) -> None:
    for name in ("News", "Town"):
        await door.do("categoryCreate", name=name)
    authors = [
        (await door.do("authorRegister", "author { id }", name=name))["author"]["id"]
        for name in ("Ada", "Bo")
    ]
    post = await door.write(
        "One", body="The tide mill turns.\n\nAgain.\n", categories=[{"slug": "town"}], authors=authors[:1]
    )
    body = "The old tide mill stands.\n\nAgain.\n"
    await door.do("postEdit", id=post["id"], title="Two", body=body, authors=authors[1:], teaser="Soon.")
    await door.do("postUncategorize", id=post["id"], category={"slug": "town"})
    await door.do("postCategorize", id=post["id"], category={"slug": "news"})
    await door.do("categoryRename", category={"slug": "news"}, name="New news")

    arguments = {"slug": "one", "from": 2, "to": 5}
    assert (await door.ask(DIFF, **arguments))["post"]["diff"] == {
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
    back = (await door.ask(DIFF, **{**arguments, "from": 5, "to": 2}))["post"]["diff"]
    assert back["categoriesAdded"] == [{"name": "Town"}]
    assert back["title"] == {"before": "Two", "after": "One"}
    from_nothing = (await door.ask(DIFF, **{**arguments, "from": 0, "to": 1}))["post"]["diff"]
    assert from_nothing["title"] == {"before": None, "after": "One"}
    assert from_nothing["body"]["spans"] == [{"kind": "INSERT", "text": "The tide mill turns.\n\nAgain.\n"}]
    (error,) = await door.errors(DIFF, **{**arguments, "to": 6})
    assert "No version 6" in error["message"]


async def test_blame_says_who_put_what_there_and_why(door: Client) -> None:
    post = await door.write("One", body="First.\n\nSecond.\n\nThird one.", reason="A call.")
    await door.do("postEdit", id=post["id"], title="Uno")
    await door.do("postEdit", id=post["id"], body="Third one.\n\nFirst.\n\nSecond, changed.", reason="Order.")
    query = (
        '{ post(slug: "one") { body { markdown } blame { text version recordedAt reason actor { name } } } }'
    )
    found = (await door.ask(query))["post"]
    assert "".join(span["text"] for span in found["blame"]) == found["body"]["markdown"]
    new = [span for span in found["blame"] if span["version"] == 3]
    assert "".join(span["text"] for span in new).strip() == ", changed"
    assert {span["reason"] for span in new} == {"Order."}
    assert {(span["version"], span["reason"]) for span in found["blame"]} == {(1, "A call."), (3, "Order.")}
    assert {span["actor"]["name"] for span in found["blame"]} == {"Local operator"}


RESTORED = "slugKept post { version slug title teaser body { markdown } status hasUnpublishedChanges }"
REVERTED = "post { version slug title teaser body { markdown } categories { name } status }"
CONFLICTS = "userErrors { conflicts }"


async def test_a_restored_post_has_the_content_of_a_version_and_loses_nothing_newer(door: Client) -> None:
    post = await door.write("One", body="first", teaser="Soon.", publish=True)
    await door.do(
        "postEdit", id=post["id"], title="Two", body="second", teaser=None, slug="two", publish=True
    )
    done = await door.do("postRestore", RESTORED, id=post["id"], toVersion=1, reason="It was right.")
    assert done["userErrors"] == []
    assert done["slugKept"] is False
    assert done["post"] == {
        "version": 5,
        "slug": "one",
        "title": "One",
        "teaser": "Soon.",
        "body": {"markdown": "first"},
        "status": "PUBLISHED",
        "hasUnpublishedChanges": True,
    }
    history = await history_of(door, "one")
    assert [one["type"] for one in history][-1] == "post.restored"
    assert history[-1]["before"] == {"slug": "two", "title": "Two", "teaser": None, "body": "second"}
    assert (await door.ask('{ article(slug: "two") { title body { markdown } } }'))["article"] == {
        "title": "Two",
        "body": {"markdown": "second"},
    }
    back = await door.do("postRestore", RESTORED, id=post["id"], toVersion=3, publish=True)
    assert (back["post"]["title"], back["post"]["hasUnpublishedChanges"]) == ("Two", False)
    again = await door.do("postRestore", "post { version }", id=post["id"], toVersion=3)
    assert again["post"]["version"] == back["post"]["version"]


async def test_a_slug_that_is_another_posts_by_now_stays_there(door: Client) -> None:
    post = await door.write("One", body="first")
    await door.do("postEdit", id=post["id"], title="Two", slug="two")
    await door.write("One")
    key = {"idempotencyKey": "again"}
    done = await door.do("postRestore", RESTORED, id=post["id"], toVersion=1, **key)
    assert (done["slugKept"], done["post"]["slug"], done["post"]["title"]) == (True, "two", "One")
    await door.do("postEdit", id=post["id"], slug="three")
    replayed = await door.do("postRestore", RESTORED, id=post["id"], toVersion=1, **key)
    assert (replayed["replayed"], replayed["slugKept"]) == (True, True)


@pytest.mark.parametrize("version", [0, -1, 4])
async def test_there_is_no_version_to_restore_or_revert_but_the_posts_own(door: Client, version: int) -> None:
    post = await door.write("One", publish=True)
    await door.do("postEdit", id=post["id"], title="Two")
    for mutation, name in (("postRestore", "toVersion"), ("postRevert", "version")):
        asked: dict[str, Any] = {"id": post["id"], name: version}
        done = await door.do(mutation, **asked)
        (error,) = done["userErrors"]
        assert (error["code"], error["field"]) == ("NOT_FOUND", ["input", name])


async def test_one_change_is_taken_back_and_what_came_since_stays(door: Client) -> None:
    post = await door.write("One", body="The mill turns.\n\nIt is old.\n")
    await door.do(
        "postEdit", id=post["id"], title="Uno", body="The mill stands.\n\nIt is old.\n", teaser="Soon."
    )
    await door.do("postEdit", id=post["id"], body="The mill stands.\n\nIt is new.\n", slug="mill")
    done = await door.do("postRevert", REVERTED, id=post["id"], version=2)
    assert done["userErrors"] == []
    assert done["post"]["title"] == "One"
    assert done["post"]["teaser"] is None
    assert done["post"]["slug"] == "mill"
    assert done["post"]["body"] == {"markdown": "The mill turns.\n\nIt is new.\n"}
    slug = await door.do("postRevert", REVERTED, id=post["id"], version=3, publish=True)
    assert (slug["post"]["slug"], slug["post"]["status"]) == ("one", "PUBLISHED")
    assert slug["post"]["body"] == {"markdown": "The mill turns.\n\nIt is old.\n"}
    found = await history_of(door, "one")
    assert [one["type"] for one in found][-3:] == ["post.reverted", "post.reverted", "post.published"]


async def test_where_a_change_no_longer_applies_is_said(door: Client) -> None:
    post = await door.write("One", body="The mill turns.\n\nIt is old.\n")
    await door.do(
        "postEdit", id=post["id"], title="Two", body="The mill turns.\n\nIt is new.\n", teaser="Soon."
    )
    await door.do("postEdit", id=post["id"], title="Three", body="The mill turns.\n\nIt is gone.\n")
    done = await door.do("postRevert", CONFLICTS, id=post["id"], version=2)
    (error,) = done["userErrors"]
    assert (error["code"], error["field"], error["conflicts"]) == (
        "REVERT_CONFLICT",
        ["input", "version"],
        ["title", "body"],
    )
    assert "body (line 3)" in error["message"]
    await door.do("postEdit", id=post["id"], slug="other")
    await door.write("One")
    taken = await door.do("postRevert", CONFLICTS, id=post["id"], version=4)
    assert taken["userErrors"][0]["conflicts"] == ["slug"]


async def test_entering_and_leaving_a_category_can_be_taken_back(door: Client) -> None:
    for name in ("News", "Town"):
        await door.do("categoryCreate", name=name)
    post = await door.write("One", categories=[{"slug": "town"}])
    await door.do("postUncategorize", id=post["id"], category={"slug": "town"})
    back = await door.do("postRevert", REVERTED, id=post["id"], version=3)
    assert back["post"]["categories"] == [{"name": "Town"}]
    out = await door.do("postRevert", REVERTED, id=post["id"], version=4)
    assert out["post"]["categories"] == []
    await door.do("categoryDelete", category={"slug": "town"})
    gone = await door.do("postRevert", CONFLICTS, id=post["id"], version=3)
    assert gone["userErrors"][0]["conflicts"] == ["categories"]
    refused = await door.do("postRevert", id=post["id"], version=1)
    assert refused["userErrors"][0]["code"] == "INVALID_VALUE"


async def test_an_archived_post_is_neither_restored_nor_reverted(door: Client) -> None:
    post = await door.write("One")
    await door.do("postEdit", id=post["id"], title="Two")
    await door.do("postArchive", id=post["id"])
    past: dict[str, dict[str, Any]] = {"postRestore": {"toVersion": 1}, "postRevert": {"version": 2}}
    for mutation, asked in past.items():
        done = await door.do(mutation, id=post["id"], **asked)
        assert done["userErrors"][0]["code"] == "POST_ARCHIVED"
