"""Every mutation, over HTTP, on a real store."""

import asyncio
from typing import Any

import pytest

from tests.integration.graphql_client import Client

POST = (
    "post { id version status slug title teaser hasUnpublishedChanges body { markdown } article { title } }"
)


def refused(payload: dict[str, Any]) -> tuple[str, list[str] | None]:
    assert payload["position"] is None
    (error,) = payload["userErrors"]
    return error["code"], error["field"]


async def test_a_post_goes_from_draft_to_archive_and_back(door: Client) -> None:
    post = await door.write("First light", body="# One\n\ntext")
    assert (post["status"], post["version"], post["slug"]) == ("DRAFT", 1, "first-light")

    published = await door.do("postPublish", POST, id=post["id"])
    assert published["post"]["status"] == "PUBLISHED"
    assert published["post"]["article"] == {"title": "First light"}

    edited = await door.do("postEdit", POST, id=post["id"], title="Second light", teaser="Soon.")
    assert edited["post"]["hasUnpublishedChanges"] is True
    assert edited["post"]["article"] == {"title": "First light"}

    again = await door.do("postEdit", POST, id=post["id"], teaser=None, publish=True)
    assert again["post"]["teaser"] is None
    assert again["post"]["article"] == {"title": "Second light"}

    unpublished = await door.do("postUnpublish", POST, id=post["id"])
    assert (unpublished["post"]["status"], unpublished["post"]["article"]) == ("UNPUBLISHED", None)

    archived = await door.do("postArchive", POST, id=post["id"])
    assert archived["post"]["status"] == "ARCHIVED"
    assert refused(await door.do("postEdit", id=post["id"], title="No")) == ("POST_ARCHIVED", ["input", "id"])

    back = await door.do("postUnarchive", POST, id=post["id"])
    assert back["post"]["status"] == "UNPUBLISHED"


async def test_create_and_publish_is_one_command(door: Client) -> None:
    payload = await door.do(
        "postCreate", POST, title="At once", publish=True, publishedAt="2024-02-01T10:00:00Z"
    )
    assert payload["post"]["status"] == "PUBLISHED"
    article = (await door.ask('{ article(slug: "at-once") { publishedAt updatedAt } }'))["article"]
    assert article == {"publishedAt": "2024-02-01T10:00:00Z", "updatedAt": "2024-02-01T10:00:00Z"}


async def test_a_correction_is_public(door: Client) -> None:
    post = await door.write("Numbers", publish=True)
    await door.do("postEdit", id=post["id"], body="Nine, not ten.")
    await door.do("postPublish", id=post["id"], correction="An earlier version said ten.")
    found = await door.ask('{ article(slug: "numbers") { corrections { note at } updatedAt publishedAt } }')
    (correction,) = found["article"]["corrections"]
    assert correction["note"] == "An earlier version said ten."
    assert found["article"]["updatedAt"] > found["article"]["publishedAt"]


async def test_categorising_shows_in_the_listing_at_once(door: Client) -> None:
    category = (await door.do("categoryCreate", "category { id slug version }", name="Harbour"))["category"]
    post = await door.write("Ferry", publish=True)
    listing = '{ category(slug: "harbour") { articleCount articles { nodes { title } totalCount } } }'

    done = await door.do(
        "postCategorize", "post { categories { name } }", id=post["id"], category={"id": category["id"]}
    )
    assert done["post"]["categories"] == [{"name": "Harbour"}]
    page = {"nodes": [{"title": "Ferry"}], "totalCount": 1}
    assert (await door.ask(listing))["category"] == {"articleCount": 1, "articles": page}

    await door.do("postUncategorize", id=post["id"], category={"slug": "harbour"})
    assert (await door.ask(listing))["category"]["articleCount"] == 0


async def test_the_category_tree_can_be_changed(door: Client) -> None:
    for name in ("News", "Culture", "Films"):
        await door.do("categoryCreate", name=name)
    moved = await door.do(
        "categoryMove",
        "category { parent { name } ancestors { name } }",
        category={"slug": "films"},
        parent={"slug": "culture"},
    )
    assert moved["category"] == {"parent": {"name": "Culture"}, "ancestors": [{"name": "Culture"}]}
    cycle = await door.do("categoryMove", category={"slug": "culture"}, parent={"slug": "films"})
    assert refused(cycle) == ("CATEGORY_CYCLE", ["input", "parent"])

    renamed = await door.do(
        "categoryRename", "category { name slug }", category={"slug": "films"}, slug="cinema"
    )
    assert renamed["category"] == {"name": "Films", "slug": "cinema"}
    assert (await door.ask('{ category(slug: "films") { slug } }'))["category"] == {"slug": "cinema"}

    described = await door.do(
        "categoryDescribe", "category { description }", category={"slug": "cinema"}, description="On screen"
    )
    assert described["category"]["description"] == "On screen"

    await door.write("A film", publish=True, categories=[{"slug": "cinema"}])
    full = await door.do("categoryDelete", category={"slug": "cinema"})
    assert refused(full) == ("CATEGORY_NOT_EMPTY", ["input", "id"])
    merged = await door.do(
        "categoryMerge", "category { name articleCount }", category={"slug": "cinema"}, into={"slug": "news"}
    )
    assert merged["category"] == {"name": "News", "articleCount": 1}
    assert (await door.ask('{ category(slug: "films") { name } }'))["category"] == {"name": "News"}

    gone = await door.do("categoryDelete", "category { name }", category={"slug": "culture"})
    assert (gone["userErrors"], gone["category"]) == ([], None)
    assert (await door.ask('{ category(slug: "culture") { name } }'))["category"] is None


async def test_authors_and_the_site_have_names(door: Client) -> None:
    author = (await door.do("authorRegister", "author { id name }", name="Ada Marsh"))["author"]
    await door.write("By-line", publish=True, authors=[author["id"]])
    renamed = await door.do(
        "authorRename", "author { name articles { nodes { title } } }", id=author["id"], name="Ada Lee"
    )
    assert renamed["author"] == {"name": "Ada Lee", "articles": {"nodes": [{"title": "By-line"}]}}
    assert (await door.do("siteName", "site { name }", name="The Pier"))["site"] == {"name": "The Pier"}


async def test_nothing_to_do_records_nothing(door: Client) -> None:
    post = await door.write("Still", publish=True)
    head = await door.store.log.head()
    again = await door.do("postPublish", "post { version }", id=post["id"])
    assert (again["position"], again["replayed"], again["post"]["version"]) == (head, False, 2)
    assert await door.store.log.head() == head


async def test_a_stale_version_is_refused_with_the_current_one(door: Client) -> None:
    post = await door.write("Two tabs")
    await door.do("postEdit", id=post["id"], expectedVersion=1, title="Tab one")
    lost = await door.do("postEdit", id=post["id"], expectedVersion=1, title="Tab two")
    assert refused(lost) == ("VERSION_CONFLICT", ["input", "expectedVersion"])
    assert lost["userErrors"][0]["currentVersion"] == 2

    category = (await door.do("categoryCreate", "category { version }", name="Tides"))["category"]
    await door.do("categoryCreate", name="Winds")
    kept = await door.do(
        "categoryRename", category={"slug": "tides"}, name="Tide", expectedVersion=category["version"]
    )
    assert kept["userErrors"] == [], "another category's change is no conflict"
    stale = await door.do(
        "categoryRename", category={"slug": "tides"}, name="Ebb", expectedVersion=category["version"]
    )
    assert refused(stale)[0] == "VERSION_CONFLICT"


async def test_an_idempotency_key_makes_a_command_take_effect_once(door: Client) -> None:
    first = await door.do("postCreate", "post { id }", title="Once", idempotencyKey="k1")
    second = await door.do("postCreate", "post { id }", title="Once", idempotencyKey="k1")
    assert second == {**first, "replayed": True}
    other = await door.do("postCreate", title="Twice", idempotencyKey="k1")
    assert refused(other) == ("IDEMPOTENCY_KEY_REUSED", ["input", "idempotencyKey"])


async def test_old_slugs_keep_leading_to_the_article(door: Client) -> None:
    post = await door.write("Old name", publish=True)
    await door.do("postEdit", id=post["id"], slug="new-name", publish=True)
    found = await door.ask('{ article(slug: "old-name") { slug previousSlugs } }')
    assert found["article"] == {"slug": "new-name", "previousSlugs": ["old-name"]}
    taken = await door.do("postCreate", title="Thief", slug="old-name")
    assert refused(taken) == ("SLUG_TAKEN", ["input", "slug"])
    assert (await door.write("Old name"))["slug"] == "old-name-2"


async def test_a_slug_that_was_never_public_is_free_again(door: Client) -> None:
    post = await door.write("Working title")
    await door.do("postEdit", id=post["id"], slug="final-title")
    assert (await door.write("Working title"))["slug"] == "working-title"


async def test_a_new_slug_of_an_article_is_not_public_before_it_is_published(door: Client) -> None:
    post = await door.write("Public", publish=True)
    await door.do("postEdit", id=post["id"], slug="secret")
    assert (await door.ask('{ article(slug: "secret") { title } }'))["article"] is None


@pytest.mark.parametrize(
    ("mutation", "given", "code", "field"),
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
async def test_bad_input_is_answered_with_what_was_wrong_and_records_nothing(
    door: Client, mutation: str, given: dict[str, Any], code: str, field: str
) -> None:
    head = await door.store.log.head()
    payload = await door.do(mutation, **given)
    found, path = refused(payload)
    assert found == code
    assert path is not None
    assert path[:2] == ["input", field]
    assert await door.store.log.head() == head


async def test_deleting_a_category_frees_every_slug_that_led_to_it(door: Client) -> None:
    for name in ("Food", "Drink"):
        await door.do("categoryCreate", name=name)
    await door.do("categoryRename", category={"slug": "food"}, slug="table")
    await door.do("categoryMerge", category={"slug": "drink"}, into={"slug": "table"})
    gone = await door.do("categoryDelete", category={"slug": "table"})
    assert gone["userErrors"] == []
    for name, slug in (("Food", "food"), ("Drink", "drink"), ("Table", "table")):
        made = await door.do("categoryCreate", "category { slug }", name=name)
        assert made["category"] == {"slug": slug}
        assert (await door.ask(f'{{ category(slug: "{slug}") {{ name }} }}'))["category"] == {"name": name}


async def test_a_category_may_take_the_slug_of_one_that_it_took_over(door: Client) -> None:
    for name in ("News", "Reports"):
        await door.do("categoryCreate", name=name)
    await door.do("categoryMerge", category={"slug": "reports"}, into={"slug": "news"})
    renamed = await door.do("categoryRename", "category { slug }", category={"slug": "news"}, slug="reports")
    assert (renamed["userErrors"], renamed["category"]) == ([], {"slug": "reports"})
    assert (await door.ask('{ category(slug: "reports") { name } }'))["category"] == {"name": "News"}


async def test_no_operation_is_carried_out_where_it_is_not_said_which(door: Client) -> None:
    head = await door.store.log.head()
    query = (
        'mutation A { siteName(input: { name: "A" }) { position } }'
        ' mutation B { siteName(input: { name: "B" }) { position } }'
    )
    (error,) = await door.errors(query)
    assert "operationName" in error["message"]
    assert await door.store.log.head() == head


async def test_expected_versions_of_different_categories_do_not_get_in_each_others_way(door: Client) -> None:
    made = [
        (await door.do("categoryCreate", "category { version slug }", name=f"Section {number}"))["category"]
        for number in range(20)
    ]
    renamed = await asyncio.gather(
        *(
            door.do(
                "categoryRename",
                category={"slug": one["slug"]},
                expectedVersion=one["version"],
                name=f"New {number}",
            )
            for number, one in enumerate(made)
        )
    )
    assert [payload["userErrors"] for payload in renamed] == [[]] * 20


async def test_categories_do_not_stand_deeper_than_a_page_can_show(door: Client) -> None:
    await door.do("categoryCreate", name="Level 1")
    for level in range(2, 21):
        made = await door.do("categoryCreate", name=f"Level {level}", parent={"slug": f"level-{level - 1}"})
        assert made["userErrors"] == []
    deep = await door.do("categoryCreate", name="Level 21", parent={"slug": "level-20"})
    assert refused(deep) == ("CATEGORY_TOO_DEEP", ["input", "parent"])
    await door.do("categoryCreate", name="Top")
    await door.do("categoryCreate", name="Below", parent={"slug": "top"})
    moved = await door.do("categoryMove", category={"slug": "top"}, parent={"slug": "level-19"})
    assert refused(moved) == ("CATEGORY_TOO_DEEP", ["input", "parent"])
    merged = await door.do("categoryMerge", category={"slug": "top"}, into={"slug": "level-20"})
    assert refused(merged) == ("CATEGORY_TOO_DEEP", ["input", "into"])
    fits = await door.do("categoryMove", category={"slug": "top"}, parent={"slug": "level-18"})
    assert fits["userErrors"] == []


async def test_inputs_take_former_slugs_too(door: Client) -> None:
    await door.do("categoryCreate", name="Films")
    await door.do("categoryRename", category={"slug": "films"}, slug="cinema")
    described = await door.do("categoryDescribe", category={"slug": "films"}, description="On screen")
    assert described["userErrors"] == []
    silent = await door.do("categoryDescribe", category={"slug": "films"})
    assert refused(silent) == ("INVALID_VALUE", ["input", "description"])


async def test_authors_and_the_site_have_versions_to_expect(door: Client) -> None:
    author = (await door.do("authorRegister", "author { id version }", name="Ada", expectedVersion=0))[
        "author"
    ]
    assert author["version"] == 1
    await door.do("authorRename", id=author["id"], name="Ada Lee", expectedVersion=1)
    stale = await door.do("authorRename", id=author["id"], name="Ada Marsh", expectedVersion=1)
    assert refused(stale)[0] == "VERSION_CONFLICT"
    named = await door.do("siteName", "site { version }", name="The Pier", expectedVersion=0)
    assert named["site"] == {"version": 1}
    assert refused(await door.do("siteName", name="The Quay", expectedVersion=0))[0] == "VERSION_CONFLICT"
    assert refused(await door.do("postCreate", title="New", expectedVersion=3))[0] == "VERSION_CONFLICT"
