"""Merging categories and undoing it: through GraphQL, on pages, in histories, and as of any position."""

import asyncio
import json
from pathlib import Path
from typing import Any, Final

from typer.testing import CliRunner

from ledgerpress.cli import app
from ledgerpress.graphql.relay import global_ids
from tests.integration.graphql_client import Client, client
from tests.integration.test_mutations import user_error

SECTION: Final = """
query ($slug: String!, $at: AsOf) {
  category(slug: $slug, asOf: $at) {
    slug version articleCount children { slug } ancestors { slug }
    articles(first: 10) { totalCount nodes { slug } }
  }
}
"""
HISTORY: Final = """
query ($id: ID!, $first: Int!, $after: String) {
  post(id: $id) {
    version
    history(first: $first, after: $after, orderBy: OLDEST) {
      totalCount pageInfo { hasNextPage endCursor }
      nodes {
        position version type recordedAt reason changedFields actor { name } subject { __typename }
        before after
      }
    }
  }
}
"""


async def section(api: Client, slug: str, position: int | None = None) -> Any:
    at = None if position is None else {"position": position}
    section = (await api.ask(SECTION, slug=slug, at=at))["category"]
    if section is not None:
        section["articles"] = sorted(node["slug"] for node in section["articles"]["nodes"])
        section["children"] = [child["slug"] for child in section["children"]]
        section["ancestors"] = [ancestor["slug"] for ancestor in section["ancestors"]]
        del section["version"]
    return section


async def categories_of(api: Client, post: str) -> list[str]:
    query = "query ($id: ID!) { post(id: $id) { categories { slug } } }"
    categories = (await api.ask(query, id=post))["post"]["categories"]
    return [category["slug"] for category in categories]


async def merged_newsroom(api: Client) -> dict[str, str]:
    """Create news > town > streets and sport with a post in each, merge town into sport; return the ids of the posts."""
    for name, parent in (("News", None), ("Town", "news"), ("Streets", "town"), ("Sport", None)):
        await api.do("categoryCreate", name=name, parent=parent and {"slug": parent})
    posts = {
        name: (await api.write(f"In {name}", publish=True, categories=[{"slug": name}]))["id"]
        for name in ("town", "streets", "sport")
    }
    await api.do("categoryMerge", category={"slug": "town"}, into={"slug": "sport"}, reason="Too small.")
    return posts


async def test_undoing_a_merge_gives_the_category_its_posts_slugs_and_place_again(api: Client) -> None:
    posts = await merged_newsroom(api)
    before = (await api.store.log.head()) - 1
    names = ("news", "town", "streets", "sport")
    expected = {name: await section(api, name, before) for name in names}
    assert (await section(api, "town"))["slug"] == "sport"
    during = {name: await section(api, name) for name in names}
    merged = await api.store.log.head()

    result = await api.do(
        "categoryUnmerge", "category { slug version parent { slug } }", category={"slug": "town"}
    )
    assert result["userErrors"] == []
    assert result["category"] == {"slug": "town", "version": 3, "parent": {"slug": "news"}}
    assert {name: await section(api, name) for name in names} == expected
    assert await categories_of(api, posts["town"]) == ["town"]
    page = await api.http.get("/categories/town")
    assert (page.status_code, "In town" in page.text) == (200, True)
    # The past stays as it was.
    assert {name: await section(api, name, merged) for name in names} == during
    assert {name: await section(api, name, before) for name in names} == expected


async def test_posts_that_were_added_to_the_other_category_since_stay_there(api: Client) -> None:
    posts = await merged_newsroom(api)
    new = await api.write("New", publish=True, categories=[{"slug": "town"}])
    await api.do("postUncategorize", id=posts["town"], category={"slug": "sport"})
    await api.do("categoryUnmerge", category={"slug": "town"})
    assert await categories_of(api, new["id"]) == ["sport"]
    assert await categories_of(api, posts["town"]) == []
    assert (await section(api, "town"))["articles"] == ["in-streets"]
    assert (await section(api, "sport"))["articles"] == ["in-sport", "new"]


async def test_the_page_of_a_merged_category_redirects_until_the_unmerge(api: Client) -> None:
    await merged_newsroom(api)
    redirect = await api.http.get("/categories/town")
    assert (redirect.status_code, redirect.headers["location"]) == (301, "/categories/sport")
    await api.do("categoryUnmerge", category={"slug": "town"})
    assert (await api.http.get("/categories/town")).status_code == 200


async def test_a_conflicting_change_prevents_the_undoing_and_is_named(api: Client) -> None:
    await merged_newsroom(api)
    await api.do("categoryRename", category={"slug": "sport"}, slug="town")
    town = (await api.ask('{ changes(filter: { types: ["category.merged"] }) { nodes { event } } }'))[
        "changes"
    ]
    town_id = town["nodes"][0]["event"]["payload"]["data"]["categoryId"]
    head = await api.store.log.head()
    by_id = {"id": global_ids.encode("Category", town_id)}
    conflict = await api.do("categoryUnmerge", "category { slug }", category=by_id)
    assert user_error(conflict) == ("UNMERGE_CONFLICT", ["input", "category"])
    assert "“town” is now the slug of “Sport”" in conflict["userErrors"][0]["message"]
    assert await api.store.log.head() == head

    await api.do("categoryRename", category={"slug": "sport"}, slug="sport")
    assert (await api.do("categoryUnmerge", category=by_id))["userErrors"] == []
    again = await api.do("categoryUnmerge", category=by_id)
    assert user_error(again) == ("CATEGORY_NOT_MERGED", ["input", "category"])


async def test_versions_count_the_changes_of_one_category(api: Client) -> None:
    for name in ("News", "Town"):
        created = await api.do("categoryCreate", "category { version }", name=name)
        assert created["category"]["version"] == 1
    await api.do("categoryDescribe", category={"slug": "town"}, description="Here.")
    fields = "category { version }"
    renamed = await api.do(
        "categoryRename", fields, category={"slug": "news"}, name="Latest", expectedVersion=1
    )
    assert renamed["category"]["version"] == 2
    stale = await api.do("categoryRename", category={"slug": "news"}, name="Old", expectedVersion=1)
    assert user_error(stale) == ("VERSION_CONFLICT", ["input", "expectedVersion"])
    assert stale["userErrors"][0]["currentVersion"] == 2
    (change, *_) = (await api.ask("{ changes(first: 1) { nodes { version type } } }"))["changes"]["nodes"]
    assert change == {"version": 4, "type": "category.renamed"}


async def test_the_history_of_a_post_shows_merges_without_a_new_version(api: Client) -> None:
    posts = await merged_newsroom(api)
    await api.do("categoryUnmerge", category={"slug": "town"}, reason="Readers asked.")
    for name, expected in (
        ("town", ["category.merged", "category.unmerged"]),
        ("sport", []),
        ("streets", []),
    ):
        post = (await api.ask(HISTORY, id=posts[name], first=20, after=None))["post"]
        types = ["post.created", "post.categorized", "post.published", *expected]
        assert [node["type"] for node in post["history"]["nodes"]] == types
        assert post["history"]["totalCount"] == len(types)
        assert post["version"] == 3
    merged, unmerged = (await api.ask(HISTORY, id=posts["town"], first=20, after=None))["post"]["history"][
        "nodes"
    ][-2:]
    assert (merged["version"], merged["reason"]) == (5, "Too small.")
    assert (unmerged["version"], unmerged["reason"]) == (6, "Readers asked.")
    assert merged["subject"] == {"__typename": "Category"}
    assert set(merged["changedFields"]) == {"category", "mergedInto"}
    assert merged["before"]["category"]["name"] == unmerged["after"]["category"]["name"]
    assert merged["before"]["category"]["name"] != "Sport"
    assert merged["after"]["mergedInto"]["name"] == unmerged["before"]["mergedInto"]["name"] == "Sport"

    pages, after = [], None
    while True:
        history = (await api.ask(HISTORY, id=posts["town"], first=2, after=after))["post"]["history"]
        pages += [node["type"] for node in history["nodes"]]
        after = history["pageInfo"]["endCursor"]
        if not history["pageInfo"]["hasNextPage"]:
            break
    assert pages == [
        "post.created",
        "post.categorized",
        "post.published",
        "category.merged",
        "category.unmerged",
    ]

    query = "query ($filter: ChangeFilter) { changes(filter: $filter, orderBy: OLDEST) { totalCount nodes { type } } }"
    for filter_, types in (
        ({"stream": posts["town"]}, pages),
        ({"stream": posts["town"], "types": ["category.merged"]}, ["category.merged"]),
        ({"stream": posts["town"], "positionFrom": unmerged["position"]}, ["category.unmerged"]),
    ):
        changes = (await api.ask(query, filter=filter_))["changes"]
        assert [node["type"] for node in changes["nodes"]] == types
        assert changes["totalCount"] == len(types)


async def test_a_cached_history_of_a_post_shows_a_new_merge(api: Client) -> None:
    posts = await merged_newsroom(api)
    query = "query ($id: ID!) { post(id: $id) { history { totalCount } } }"
    for expected in (4, 5, 6):
        assert (await api.ask(query, id=posts["town"]))["post"]["history"]["totalCount"] == expected
        mutation = "categoryUnmerge" if expected % 2 == 0 else "categoryMerge"
        arguments: dict[str, Any] = {} if expected % 2 == 0 else {"into": {"slug": "news"}}
        assert (await api.do(mutation, category={"slug": "town"}, **arguments))["userErrors"] == []


async def test_the_command_line_shows_merges_in_the_history_of_a_post(tmp_path: Path) -> None:
    data = tmp_path / "store"
    async with client(data) as api:
        await merged_newsroom(api)
        await api.do("categoryUnmerge", category={"slug": "town"})
    await asyncio.to_thread(_check_command_line, data)


def _check_command_line(data: Path) -> None:
    shown = CliRunner().invoke(app, ["history", "in-town", "--data", str(data)])
    assert "category.unmerged  stream version 6, position " in shown.stdout
    assert "category.merged  stream version 5, position " in shown.stdout
    assert "reason   Too small." in shown.stdout
    assert "post.published  version 3, position " in shown.stdout
    lines = CliRunner().invoke(app, ["history", "in-town", "--data", str(data), "--json"]).stdout.splitlines()
    subjects = [json.loads(line)["subject"]["id"] for line in lines]
    assert len(set(subjects)) == 2
