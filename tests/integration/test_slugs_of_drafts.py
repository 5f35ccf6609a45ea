"""Slugs of drafts follow the title until the first publication, unless the client states one."""

from typing import Any

import pytest

from tests.integration.graphql_client import Client
from tests.integration.test_mutations import user_error

POST = "post { id slug title version status }"


async def edit(api: Client, post: dict[str, Any], mutation: str = "postEdit", **changes: Any) -> str:
    """Change a post, and return its slug."""
    payload = await api.do(mutation, POST, id=post["id"], **changes)
    assert payload["userErrors"] == []
    slug: str = payload["post"]["slug"]
    return slug


async def by_slug(api: Client, slug: str, position: int | None = None) -> str | None:
    """Return the id of the post that a slug leads to."""
    query = "query ($slug: String!, $at: AsOf) { post(slug: $slug, asOf: $at) { title } }"
    at = None if position is None else {"position": position}
    post = (await api.ask(query, slug=slug, at=at))["post"]
    return post["title"] if post else None


async def test_the_slug_of_a_draft_follows_the_title_until_its_first_publication(api: Client) -> None:
    post = await api.write("Tide mill")
    before = await api.store.log.head()
    assert await edit(api, post, title="Night market") == "night-market"
    assert await by_slug(api, "tide-mill") is None
    assert await by_slug(api, "tide-mill", before) == "Tide mill"
    assert (await api.write("Tide mill"))["slug"] == "tide-mill"
    assert await edit(api, post, body="Open.") == "night-market"
    assert await edit(api, post, title="Night market!") == "night-market"
    assert await edit(api, post, title="Tram line", publish=True) == "tram-line"
    assert await edit(api, post, title="Another line") == "tram-line"
    assert await edit(api, post, "postUnpublish") == "tram-line"
    assert await edit(api, post, title="The last line") == "tram-line"
    history = (
        "query ($id: ID!) { post(id: $id) { history(orderBy: OLDEST) { nodes { changedFields after } } } }"
    )
    changes = (await api.ask(history, id=post["id"]))["post"]["history"]["nodes"]
    assert changes[1]["after"] == {"slug": "night-market", "title": "Night market"}


async def test_a_stated_slug_does_not_follow_the_title_and_null_derives_it_again(api: Client) -> None:
    post = await api.write("Tide mill", slug="mill")
    assert await edit(api, post, title="Night market") == "mill"
    assert await edit(api, post, slug=None) == "night-market"
    assert await edit(api, post, title="Tram line") == "tram-line"
    assert await edit(api, post, title="Ferry", slug="tram-line") == "tram-line"
    assert await edit(api, post, title="Night market") == "tram-line"
    assert await edit(api, post, title="Ferry", slug=None) == "ferry"
    head = await api.store.log.head()
    assert await edit(api, post, slug=None) == "ferry"
    assert await api.store.log.head() == head


async def test_null_derives_the_slug_of_an_article_once_and_the_old_one_redirects(api: Client) -> None:
    post = await api.write("Tide mill", slug="mill", publish=True)
    assert await edit(api, post, title="Night market", slug=None, publish=True) == "night-market"
    assert (await api.http.get("/articles/mill")).headers["location"] == "/articles/night-market"
    assert await edit(api, post, title="Tram line", publish=True) == "night-market"


async def test_a_taken_slug_gets_a_number_which_stays_while_the_title_means_the_same(api: Client) -> None:
    await api.write("Tide mill", publish=True)
    post = await api.write("Ferry")
    assert await edit(api, post, title="Tide mill") == "tide-mill-2"
    assert await edit(api, post, title="Tide Mill!") == "tide-mill-2"
    assert await edit(api, post, title="Ferry") == "ferry"


async def test_restoring_and_reverting_the_title_of_a_draft_restores_its_slug(api: Client) -> None:
    post = await api.write("Tide mill")
    assert await edit(api, post, title="Night market", body="Open.") == "night-market"
    assert await edit(api, post, "postRevert", version=2) == "tide-mill"
    assert await edit(api, post, title="Tram line") == "tram-line"
    assert await edit(api, post, "postRestore", toVersion=2) == "night-market"
    assert await edit(api, post, title="Tide mill") == "tide-mill"
    other = await api.write("Night market")
    assert other["slug"] == "night-market"
    restored = await api.do("postRestore", f"slugKept {POST}", id=post["id"], toVersion=2)
    assert (restored["post"]["slug"], restored["slugKept"]) == ("night-market-2", True)


async def test_reverting_a_stated_slug_makes_it_follow_the_title_again(api: Client) -> None:
    post = await api.write("Tide mill")
    assert await edit(api, post, slug="mill") == "mill"
    assert await edit(api, post, title="Night market") == "mill"
    assert await edit(api, post, "postRevert", version=2) == "night-market"
    assert await edit(api, post, title="Tram line") == "tram-line"


async def test_reverting_a_title_keeps_a_slug_that_was_stated_since(api: Client) -> None:
    post = await api.write("Tide mill")
    assert await edit(api, post, title="Night market") == "night-market"
    assert await edit(api, post, slug="market") == "market"
    payload = await api.do("postRevert", POST, id=post["id"], version=2)
    assert (payload["post"]["title"], payload["post"]["slug"]) == ("Tide mill", "market")


@pytest.mark.parametrize("slug", [None, "mill"])
async def test_an_archived_draft_releases_its_slug(api: Client, slug: str | None) -> None:
    post = await api.write("Mill", slug=slug)
    assert await edit(api, post, "postArchive") == "mill"
    assert await by_slug(api, "mill") is None
    assert await edit(api, post, "postUnarchive") == "mill"
    assert await by_slug(api, "mill") == "Mill"

    await edit(api, post, "postArchive")
    archived = await api.store.log.head()
    assert (await api.write("Mill"))["slug"] == "mill"
    assert await by_slug(api, "mill", archived) is None
    assert await edit(api, post, "postUnarchive") == "mill-2"
    assert await edit(api, post, title="Ferry") == ("ferry" if slug is None else "mill-2")


async def test_an_archived_post_that_was_published_keeps_its_slug(api: Client) -> None:
    post = await api.write("Mill", publish=True)
    await edit(api, post, "postArchive")
    assert (await api.write("Mill"))["slug"] == "mill-2"
    payload = await api.do("postCreate", title="Other", slug="mill")
    assert user_error(payload)[0] == "SLUG_TAKEN"
    assert await edit(api, post, "postUnarchive") == "mill"


async def test_a_revert_without_an_effect_is_reported(api: Client) -> None:
    await api.do("categoryCreate", name="News")
    post = await api.write("Mill", body="One.", categories=[{"slug": "news"}])
    await edit(api, post, title="Tide mill")
    assert await edit(api, post, "postRevert", version=3) == "mill"
    await api.do("postUncategorize", id=post["id"], category={"slug": "news"})
    head = await api.store.log.head()
    for version in (2, 3):
        for publish in (False, True):
            payload = await api.do("postRevert", id=post["id"], version=version, publish=publish)
            assert user_error(payload) == ("NOTHING_TO_REVERT", ["input", "version"])
    assert await api.store.log.head() == head
