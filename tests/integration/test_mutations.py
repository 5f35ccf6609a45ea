"""Mutations over HTTP on a real store."""

import asyncio
from typing import Any

import pytest

from tests.integration.graphql_client import Client

POST = (
    "post { id version status slug title teaser hasUnpublishedChanges body { markdown } article { title } }"
)


def user_error(payload: dict[str, Any]) -> tuple[str, list[str] | None]:
    assert payload["position"] is None
    (error,) = payload["userErrors"]
    return error["code"], error["field"]


async def test_a_post_can_be_published_archived_and_unarchived(api: Client) -> None:
    post = await api.write("First light", body="# One\n\ntext")
    assert (post["status"], post["version"], post["slug"]) == ("DRAFT", 1, "first-light")

    published = await api.do("postPublish", POST, id=post["id"])
    assert published["post"]["status"] == "PUBLISHED"
    assert published["post"]["article"] == {"title": "First light"}

    edited = await api.do("postEdit", POST, id=post["id"], title="Second light", teaser="Soon.")
    assert edited["post"]["hasUnpublishedChanges"] is True
    assert edited["post"]["article"] == {"title": "First light"}

    again = await api.do("postEdit", POST, id=post["id"], teaser=None, publish=True)
    assert again["post"]["teaser"] is None
    assert again["post"]["article"] == {"title": "Second light"}

    unpublished = await api.do("postUnpublish", POST, id=post["id"])
    assert (unpublished["post"]["status"], unpublished["post"]["article"]) == ("UNPUBLISHED", None)

    archived = await api.do("postArchive", POST, id=post["id"])
    assert archived["post"]["status"] == "ARCHIVED"
    assert user_error(await api.do("postEdit", id=post["id"], title="No")) == (
        "POST_ARCHIVED",
        ["input", "id"],
    )

    back = await api.do("postUnarchive", POST, id=post["id"])
    assert back["post"]["status"] == "UNPUBLISHED"


async def test_a_post_can_be_created_and_published_in_one_command(api: Client) -> None:
    payload = await api.do(
        "postCreate", POST, title="At once", publish=True, publishedAt="2024-02-01T10:00:00Z"
    )
    assert payload["post"]["status"] == "PUBLISHED"
    article = (await api.ask('{ article(slug: "at-once") { publishedAt updatedAt } }'))["article"]
    assert article == {"publishedAt": "2024-02-01T10:00:00Z", "updatedAt": "2024-02-01T10:00:00Z"}


async def test_a_correction_is_public(api: Client) -> None:
    post = await api.write("Numbers", publish=True)
    await api.do("postEdit", id=post["id"], body="Nine, not ten.")
    await api.do("postPublish", id=post["id"], correction="An earlier version said ten.")
    response = await api.ask('{ article(slug: "numbers") { corrections { note at } updatedAt publishedAt } }')
    (correction,) = response["article"]["corrections"]
    assert correction["note"] == "An earlier version said ten."
    assert response["article"]["updatedAt"] > response["article"]["publishedAt"]


async def test_a_categorized_post_is_listed_immediately(api: Client) -> None:
    category = (await api.do("categoryCreate", "category { id slug version }", name="Harbour"))["category"]
    post = await api.write("Ferry", publish=True)
    listing = '{ category(slug: "harbour") { articleCount articles { nodes { title } totalCount } } }'

    done = await api.do(
        "postCategorize", "post { categories { name } }", id=post["id"], category={"id": category["id"]}
    )
    assert done["post"]["categories"] == [{"name": "Harbour"}]
    page = {"nodes": [{"title": "Ferry"}], "totalCount": 1}
    assert (await api.ask(listing))["category"] == {"articleCount": 1, "articles": page}

    await api.do("postUncategorize", id=post["id"], category={"slug": "harbour"})
    assert (await api.ask(listing))["category"]["articleCount"] == 0


async def test_the_category_tree_can_be_changed(api: Client) -> None:
    for name in ("News", "Culture", "Films"):
        await api.do("categoryCreate", name=name)
    moved = await api.do(
        "categoryMove",
        "category { parent { name } ancestors { name } }",
        category={"slug": "films"},
        parent={"slug": "culture"},
    )
    assert moved["category"] == {"parent": {"name": "Culture"}, "ancestors": [{"name": "Culture"}]}
    cycle = await api.do("categoryMove", category={"slug": "culture"}, parent={"slug": "films"})
    assert user_error(cycle) == ("CATEGORY_CYCLE", ["input", "parent"])

    renamed = await api.do(
        "categoryRename", "category { name slug }", category={"slug": "films"}, slug="cinema"
    )
    assert renamed["category"] == {"name": "Films", "slug": "cinema"}
    assert (await api.ask('{ category(slug: "films") { slug } }'))["category"] == {"slug": "cinema"}

    described = await api.do(
        "categoryDescribe", "category { description }", category={"slug": "cinema"}, description="On screen"
    )
    assert described["category"]["description"] == "On screen"

    await api.write("A film", publish=True, categories=[{"slug": "cinema"}])
    rejection = await api.do("categoryDelete", category={"slug": "cinema"})
    assert user_error(rejection) == ("CATEGORY_NOT_EMPTY", ["input", "id"])
    merged = await api.do(
        "categoryMerge", "category { name articleCount }", category={"slug": "cinema"}, into={"slug": "news"}
    )
    assert merged["category"] == {"name": "News", "articleCount": 1}
    assert (await api.ask('{ category(slug: "films") { name } }'))["category"] == {"name": "News"}

    result = await api.do("categoryDelete", "category { name }", category={"slug": "culture"})
    assert (result["userErrors"], result["category"]) == ([], None)
    assert (await api.ask('{ category(slug: "culture") { name } }'))["category"] is None


async def test_authors_and_the_site_can_be_renamed(api: Client) -> None:
    author = (await api.do("authorRegister", "author { id name }", name="Ada Marsh"))["author"]
    await api.write("By-line", publish=True, authors=[author["id"]])
    renamed = await api.do(
        "authorRename", "author { name articles { nodes { title } } }", id=author["id"], name="Ada Lee"
    )
    assert renamed["author"] == {"name": "Ada Lee", "articles": {"nodes": [{"title": "By-line"}]}}
    assert (await api.do("siteName", "site { name }", name="The Pier"))["site"] == {"name": "The Pier"}


async def test_a_mutation_without_a_change_records_nothing(api: Client) -> None:
    post = await api.write("Still", publish=True)
    head = await api.store.log.head()
    again = await api.do("postPublish", "post { version }", id=post["id"])
    assert (again["position"], again["replayed"], again["post"]["version"]) == (head, False, 2)
    assert await api.store.log.head() == head


async def test_a_version_conflict_contains_the_current_version(api: Client) -> None:
    post = await api.write("Two tabs")
    await api.do("postEdit", id=post["id"], expectedVersion=1, title="Tab one")
    conflict = await api.do("postEdit", id=post["id"], expectedVersion=1, title="Tab two")
    assert user_error(conflict) == ("VERSION_CONFLICT", ["input", "expectedVersion"])
    assert conflict["userErrors"][0]["currentVersion"] == 2

    category = (await api.do("categoryCreate", "category { version }", name="Tides"))["category"]
    await api.do("categoryCreate", name="Winds")
    renamed = await api.do(
        "categoryRename", category={"slug": "tides"}, name="Tide", expectedVersion=category["version"]
    )
    assert renamed["userErrors"] == [], "a change of another category is not a conflict"
    stale = await api.do(
        "categoryRename", category={"slug": "tides"}, name="Ebb", expectedVersion=category["version"]
    )
    assert user_error(stale)[0] == "VERSION_CONFLICT"


async def test_an_idempotency_key_makes_a_command_take_effect_once(api: Client) -> None:
    first = await api.do("postCreate", "post { id }", title="Once", idempotencyKey="k1")
    second = await api.do("postCreate", "post { id }", title="Once", idempotencyKey="k1")
    assert second == {**first, "replayed": True}
    other = await api.do("postCreate", title="Twice", idempotencyKey="k1")
    assert user_error(other) == ("IDEMPOTENCY_KEY_REUSED", ["input", "idempotencyKey"])


async def test_former_slugs_still_find_the_article(api: Client) -> None:
    post = await api.write("Old name", publish=True)
    await api.do("postEdit", id=post["id"], slug="new-name", publish=True)
    response = await api.ask('{ article(slug: "old-name") { slug previousSlugs } }')
    assert response["article"] == {"slug": "new-name", "previousSlugs": ["old-name"]}
    rejection = await api.do("postCreate", title="Thief", slug="old-name")
    assert user_error(rejection) == ("SLUG_TAKEN", ["input", "slug"])
    assert (await api.write("Old name"))["slug"] == "old-name-2"


async def test_a_former_slug_that_was_never_public_can_be_reused(api: Client) -> None:
    post = await api.write("Working title")
    await api.do("postEdit", id=post["id"], slug="final-title")
    assert (await api.write("Working title"))["slug"] == "working-title"


async def test_a_new_slug_is_not_public_until_it_is_published(api: Client) -> None:
    post = await api.write("Public", publish=True)
    await api.do("postEdit", id=post["id"], slug="secret")
    assert (await api.ask('{ article(slug: "secret") { title } }'))["article"] is None


@pytest.mark.parametrize(
    ("mutation", "arguments", "code", "field"),
    [
        ("postCreate", {"title": "  "}, "BLANK", "title"),
        ("postCreate", {"title": "x" * 301}, "TOO_LONG", "title"),
        ("postCreate", {"title": "a\u0000b"}, "INVALID_TEXT", "title"),
        ("postCreate", {"title": "x", "body": "é" * 131_073}, "TOO_LONG", "body"),
        ("postCreate", {"title": "x", "slug": "No Slug"}, "SLUG_MALFORMED", "slug"),
        ("postCreate", {"title": "x", "categories": [{"slug": "none"}]}, "NOT_FOUND", "categories"),
        ("postCreate", {"title": "x", "authors": ["Zm9v"]}, "INVALID_ID", "authors"),
        ("postCreate", {"title": "x", "publishedAt": "2024-01-01T00:00:00Z"}, "INVALID_VALUE", "publishedAt"),
        (
            "postCreate",
            {"title": "x", "publish": True, "publishedAt": "2999-01-01T00:00:00Z"},
            "PUBLISHED_AT_IN_FUTURE",
            "publishedAt",
        ),
        ("postCreate", {"title": "x", "reason": "r" * 1_001}, "TOO_LONG", "reason"),
        ("postCreate", {"title": "x", "idempotencyKey": " "}, "BLANK", "idempotencyKey"),
        ("postEdit", {"id": "bm90IGFuIGlk", "title": "x"}, "INVALID_ID", "id"),
        (
            "postEdit",
            {"id": "UG9zdDowMDAwMDAwMC0wMDAwLTgwMDAtODAwMC0wMDAwMDAwMDAwMDk", "title": "x"},
            "NOT_FOUND",
            "id",
        ),
        ("categoryCreate", {"name": ""}, "BLANK", "name"),
        ("categoryMerge", {"category": {"slug": "none"}, "into": {"slug": "none"}}, "NOT_FOUND", "category"),
        ("authorRegister", {"name": "\n"}, "BLANK", "name"),
    ],
)
async def test_invalid_input_returns_a_user_error_and_records_nothing(
    api: Client, mutation: str, arguments: dict[str, Any], code: str, field: str
) -> None:
    head = await api.store.log.head()
    payload = await api.do(mutation, **arguments)
    error_code, path = user_error(payload)
    assert error_code == code
    assert path is not None
    assert path[:2] == ["input", field]
    assert await api.store.log.head() == head


async def test_deleting_a_category_frees_all_its_slugs(api: Client) -> None:
    for name in ("Food", "Drink"):
        await api.do("categoryCreate", name=name)
    await api.do("categoryRename", category={"slug": "food"}, slug="table")
    await api.do("categoryMerge", category={"slug": "drink"}, into={"slug": "table"})
    deletion = await api.do("categoryDelete", category={"slug": "table"})
    assert deletion["userErrors"] == []
    for name, slug in (("Food", "food"), ("Drink", "drink"), ("Table", "table")):
        creation = await api.do("categoryCreate", "category { slug }", name=name)
        assert creation["category"] == {"slug": slug}
        assert (await api.ask(f'{{ category(slug: "{slug}") {{ name }} }}'))["category"] == {"name": name}


async def test_a_category_can_take_the_slug_of_a_merged_category(api: Client) -> None:
    for name in ("News", "Reports"):
        await api.do("categoryCreate", name=name)
    await api.do("categoryMerge", category={"slug": "reports"}, into={"slug": "news"})
    renamed = await api.do("categoryRename", "category { slug }", category={"slug": "news"}, slug="reports")
    assert (renamed["userErrors"], renamed["category"]) == ([], {"slug": "reports"})
    assert (await api.ask('{ category(slug: "reports") { name } }'))["category"] == {"name": "News"}


async def test_several_operations_without_operation_name_are_not_executed(api: Client) -> None:
    head = await api.store.log.head()
    query = (
        'mutation A { siteName(input: { name: "A" }) { position } }'
        ' mutation B { siteName(input: { name: "B" }) { position } }'
    )
    (error,) = await api.errors(query)
    assert "operationName" in error["message"]
    assert await api.store.log.head() == head


async def test_expected_versions_of_different_categories_are_independent(api: Client) -> None:
    categories = [
        (await api.do("categoryCreate", "category { version slug }", name=f"Section {number}"))["category"]
        for number in range(20)
    ]
    renamed = await asyncio.gather(
        *(
            api.do(
                "categoryRename",
                category={"slug": category["slug"]},
                expectedVersion=category["version"],
                name=f"New {number}",
            )
            for number, category in enumerate(categories)
        )
    )
    assert [payload["userErrors"] for payload in renamed] == [[]] * 20


async def test_the_depth_of_the_category_tree_is_limited(api: Client) -> None:
    await api.do("categoryCreate", name="Level 1")
    for level in range(2, 21):
        created = await api.do("categoryCreate", name=f"Level {level}", parent={"slug": f"level-{level - 1}"})
        assert created["userErrors"] == []
    deep = await api.do("categoryCreate", name="Level 21", parent={"slug": "level-20"})
    assert user_error(deep) == ("CATEGORY_TOO_DEEP", ["input", "parent"])
    await api.do("categoryCreate", name="Top")
    await api.do("categoryCreate", name="Below", parent={"slug": "top"})
    moved = await api.do("categoryMove", category={"slug": "top"}, parent={"slug": "level-19"})
    assert user_error(moved) == ("CATEGORY_TOO_DEEP", ["input", "parent"])
    merged = await api.do("categoryMerge", category={"slug": "top"}, into={"slug": "level-20"})
    assert user_error(merged) == ("CATEGORY_TOO_DEEP", ["input", "into"])
    fits = await api.do("categoryMove", category={"slug": "top"}, parent={"slug": "level-18"})
    assert fits["userErrors"] == []


async def test_inputs_accept_former_slugs(api: Client) -> None:
    await api.do("categoryCreate", name="Films")
    await api.do("categoryRename", category={"slug": "films"}, slug="cinema")
    described = await api.do("categoryDescribe", category={"slug": "films"}, description="On screen")
    assert described["userErrors"] == []
    empty = await api.do("categoryDescribe", category={"slug": "films"})
    assert user_error(empty) == ("INVALID_VALUE", ["input", "description"])


async def test_mutations_of_authors_and_the_site_check_the_expected_version(api: Client) -> None:
    author = (await api.do("authorRegister", "author { id version }", name="Ada", expectedVersion=0))[
        "author"
    ]
    assert author["version"] == 1
    await api.do("authorRename", id=author["id"], name="Ada Lee", expectedVersion=1)
    stale = await api.do("authorRename", id=author["id"], name="Ada Marsh", expectedVersion=1)
    assert user_error(stale)[0] == "VERSION_CONFLICT"
    named = await api.do("siteName", "site { version }", name="The Pier", expectedVersion=0)
    assert named["site"] == {"version": 1}
    assert user_error(await api.do("siteName", name="The Quay", expectedVersion=0))[0] == "VERSION_CONFLICT"
    assert user_error(await api.do("postCreate", title="New", expectedVersion=3))[0] == "VERSION_CONFLICT"
