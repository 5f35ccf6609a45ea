"""The pages of authors: contents, addresses, bylines that link to them, feeds, sitemaps, and their past."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from ledgerpress.commands.client_identity import LOCAL_OPERATOR
from ledgerpress.graphql.relay import global_ids
from ledgerpress.operator.withdraw import withdraw_from
from tests.integration.feed_formats import valid_sitemap
from tests.integration.graphql_client import Client, client
from tests.integration.test_author_slugs import add, rename
from tests.integration.test_pages import Outline, link_to, titles
from tests.integration.test_pages_in_time import at, position_of
from tests.integration.test_time_bar import last, marks, step

PAGE = "/authors/ines-okafor"


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Client]:
    """A site whose past and whose histories are public, with an author who has an article."""
    async with client(tmp_path / "store", open_past=True, public_history=True) as site:
        with site.acting_as(LOCAL_OPERATOR):
            await site.do("siteName", name="The Courier")
            await add(site, "Ines Okafor")
            await site.write("The mill", slug="mill", authors=[await id_of(site)], publish=True)
        yield site


async def id_of(site: Client, slug: str = "ines-okafor") -> str:
    with site.acting_as(LOCAL_OPERATOR):
        author = (await site.ask("query ($slug: String!) { author(slug: $slug) { id } }", slug=slug))[
            "author"
        ]
    return str(author["id"])


async def change(site: Client, mutation: str, slug: str = "mill", **input: Any) -> int:
    """Run a mutation on a post, and return the position after it."""
    with site.acting_as(LOCAL_OPERATOR):
        post = (await site.ask("query ($slug: String!) { post(slug: $slug) { id } }", slug=slug))["post"]
        payload = await site.do(mutation, id=post["id"], **input)
    assert payload["userErrors"] == []
    return int(payload["position"])


async def status(site: Client, path: str, moment: object = None) -> int:
    page = await (site.http.get(path) if moment is None else at(site, path, moment))
    return page.status_code


async def changes(site: Client, path: str) -> list[int]:
    """Return the positions of all changes of a page, read by following the links forwards from the beginning."""
    positions, position = list[int](), step(await at(site, path, 0), "next")
    while position is not None:
        positions.append(position)
        position = step(await at(site, path, position), "next")
    return positions


# --- contents ------------------------------------------------------------------------------------


async def test_a_page_has_the_name_and_the_articles_newest_first(site: Client) -> None:
    with site.acting_as(LOCAL_OPERATOR):
        author = await id_of(site)
        for number in range(11):
            await site.write(f"Story {number}", authors=[author], publish=True)
        await site.write("Elsewhere", publish=True)
        await site.write("A draft", authors=[author])
    page = await site.http.get(PAGE)
    assert '<h1 dir="auto">Ines Okafor</h1>' in page.text
    assert "<title>Ines Okafor · The Courier</title>" in page.text
    assert "12 articles<" in page.text
    assert titles(page) == [f"Story {number}" for number in reversed(range(1, 11))]
    older = await site.http.get(f"{PAGE}{link_to(page, 'next')}")
    assert titles(older) == ["Story 0", "The mill"]
    assert titles(await site.http.get(f"{PAGE}{link_to(older, 'prev')}")) == titles(page)
    assert (await site.http.get(f"{PAGE}?after=nonsense")).status_code == 404
    assert Outline(page).levels[0] == 1


async def test_an_author_has_a_page_exactly_while_an_article_is_public(site: Client) -> None:
    with site.acting_as(LOCAL_OPERATOR):
        await add(site, "Bo Lind")
        await site.write("Draft", slug="draft", authors=[await id_of(site, "bo-lind")])
    assert (await status(site, PAGE), await status(site, "/authors/bo-lind")) == (200, 404)
    await change(site, "postEdit", authors=[await id_of(site, "bo-lind")])
    assert (await status(site, PAGE), await status(site, "/authors/bo-lind")) == (200, 404)
    await change(site, "postPublish")
    assert (await status(site, PAGE), await status(site, "/authors/bo-lind")) == (404, 200)
    await change(site, "postUnpublish")
    assert (await status(site, PAGE), await status(site, "/authors/bo-lind")) == (404, 404)
    hidden, unknown = await site.http.get(PAGE), await site.http.get("/authors/nobody")
    assert hidden.text.replace(PAGE, "") == unknown.text.replace("/authors/nobody", "")


async def test_former_slugs_and_other_spellings_redirect(site: Client) -> None:
    with site.acting_as(LOCAL_OPERATOR):
        author = {"id": await id_of(site)}
        await rename(site, author, slug="ines-bell")
        await rename(site, author, slug="ines-été")
    target = "/authors/ines-%C3%A9t%C3%A9"
    for path in (
        PAGE,
        "/authors/ines-bell",
        "/authors/Ines-Été",
        "/authors/ines-e\u0301te\u0301",
        "/AUTHORS/ines-bell/",
    ):
        redirect = await site.http.get(f"{path}?utm=1")
        assert (redirect.status_code, redirect.headers["location"]) == (301, f"{target}?utm=1"), path
    await change(site, "postUnpublish")
    for path in (target, PAGE, "/authors/ines-bell"):
        assert await status(site, path) == 404, "a redirect would reveal the author"


async def test_a_slug_from_before_the_first_article_does_not_redirect(site: Client) -> None:
    with site.acting_as(LOCAL_OPERATOR):
        bo = await add(site, "Robert Real")
        await rename(site, bo, name="Bo Lind", slug=None)
        await site.write("B", authors=[bo["id"]], publish=True)
    assert await status(site, "/authors/robert-real") == 404
    assert await status(site, "/feeds/authors/robert-real.atom") == 404
    assert await status(site, "/authors/robert-real", await position_of(site)) == 404


async def test_bylines_link_to_pages_that_exist(site: Client) -> None:
    with site.acting_as(LOCAL_OPERATOR):
        await site.do("categoryCreate", name="Town")
        bo = await add(site, "Bo <Lind>")
    await change(site, "postCategorize", category={"slug": "town"})
    await change(site, "postEdit", authors=[bo["id"]], publish=True)
    link = '<a rel="author" href="/authors/bo-lind">'
    for path in ("/", "/articles/mill", "/categories/town", "/authors/bo-lind", "/articles/mill/history/2"):
        page = await site.http.get(path)
        assert link in page.text, path
        assert "Bo <Lind>" not in page.text
    first = await site.http.get("/articles/mill/history/1")
    assert "Ines Okafor" in first.text
    assert PAGE not in first.text, "the author has no page now"


# --- the past ------------------------------------------------------------------------------------


async def test_a_page_as_of_a_moment_shows_what_was_public_then(site: Client) -> None:
    first = await position_of(site)
    with site.acting_as(LOCAL_OPERATOR):
        author = {"id": await id_of(site)}
        await site.write("The tram", slug="tram", authors=[author["id"]], publish=True)
        await rename(site, author, name="Ines Bell", slug=None)
    renamed = await position_of(site)
    page = await at(site, PAGE, first)
    assert ('<h1 dir="auto">Ines Okafor</h1>' in page.text, titles(page)) == (True, ["The mill"])
    assert f"/feeds{PAGE}.atom?asOf={first}" in page.text
    for path, moment, target in (
        (PAGE, renamed, "/authors/ines-bell"),
        ("/authors/ines-bell", first, PAGE),
        ("/Authors/Ines-Bell/", first, PAGE),
    ):
        redirect = await at(site, path, moment)
        assert (redirect.status_code, redirect.headers["location"]) == (301, f"{target}?asOf={moment}"), path
    assert await status(site, PAGE, 1) == 404
    assert f"{PAGE}?asOf={first}" in Outline(await at(site, "/", first)).links
    await change(site, "postUnpublish")
    assert await status(site, PAGE, first) == 404, "no article of then is public now"
    assert titles(await site.http.get("/authors/ines-bell")) == ["The tram"]


async def test_the_time_bar_leads_through_the_changes_of_the_page(site: Client) -> None:
    published = await last(site, "post.published")
    with site.acting_as(LOCAL_OPERATOR):
        author = {"id": await id_of(site)}
        await site.write("Elsewhere", publish=True)
        await site.write("A draft", authors=[author["id"]])
        await rename(site, author, name="Ines Bell")
        renamed = await last(site, "author.renamed")
        await site.write("The tram", slug="tram", authors=[author["id"]], publish=True)
        tram = await last(site, "post.published")
    assert await changes(site, PAGE) == [published, renamed, tram]
    page = await site.http.get(PAGE)
    assert set(marks(page)) <= {published, renamed, tram}
    assert marks(page)
    assert step(page, "next") is None
    await change(site, "postUnpublish")
    assert await changes(site, PAGE) == [tram], "the name changed while nothing was public that is public now"


async def test_a_change_of_the_name_before_the_first_article_does_not_count(site: Client) -> None:
    with site.acting_as(LOCAL_OPERATOR):
        bo = await add(site, "Bo")
        await rename(site, bo, name="Bo Lind")
        await site.write("B", authors=[bo["id"]], publish=True)
        published = await last(site, "post.published")
    assert await changes(site, "/authors/bo") == [published]
    assert marks(await site.http.get("/authors/bo")) == [published]


# --- erasure ------------------------------------------------------------------------------------


async def test_an_erased_registration_leaves_an_author_without_a_page(tmp_path: Path) -> None:
    async with client(tmp_path) as api:
        ines = await add(api, "Ines Okafor")
        await api.write("A", authors=[ines["id"]], publish=True)
        assert (await api.http.get("/authors/ines-okafor")).status_code == 200
        position = next(
            event.position
            for event in await api.store.log.read(0, await api.store.log.head())
            if event.header.type == "author.registered"
        )
        await withdraw_from(api.store, tmp_path, position, "a request")
        id_ = global_ids.argument(ines["id"], "Author")
        (author,) = (await api.ask("{ authors { nodes { name slug } } }"))["authors"]["nodes"]
        assert author == {"name": "", "slug": id_}
        for path in ("/authors/ines-okafor", f"/authors/{id_}", f"/feeds/authors/{id_}.atom"):
            assert (await api.http.get(path)).status_code == 404, path
        assert "okafor" not in (await api.http.get("/")).text.casefold()
        assert (await rename(api, ines, name="I. O.", slug=None))["slug"] == "i-o"
        assert (await api.http.get("/authors/i-o")).status_code == 200
        assert (await add(api, "Ines Okafor"))["slug"] == "ines-okafor-2", (
            "an erased claim is never given away"
        )


# --- feeds and sitemaps --------------------------------------------------------------------------


async def test_the_feeds_of_an_author_have_the_slug_in_their_addresses(site: Client) -> None:
    author = await id_of(site)
    uuid = global_ids.argument(author, "Author")
    page = await site.http.get(PAGE)
    for format_ in ("atom", "json"):
        path = f"/feeds{PAGE}.{format_}"
        assert f'"{path}"' in page.text
        feed = await site.http.get(path)
        assert feed.status_code == 200
        assert f"http://test{PAGE}" in feed.text
        old = await site.http.get(f"/feeds/authors/{uuid}.{format_}?text=teaser")
        assert (old.status_code, old.headers["location"]) == (301, f"{path}?text=teaser")
    assert (
        f'rel="alternate" type="application/atom+xml" title="Ines Okafor · The Courier" href="/feeds{PAGE}.atom"'
        in (page.text.replace("\u2068", "").replace("\u2069", ""))
    )
    with site.acting_as(LOCAL_OPERATOR):
        await rename(site, {"id": author}, slug="bell")
    moved = await site.http.get(f"/feeds{PAGE}.atom")
    assert (moved.status_code, moved.headers["location"]) == (301, "/feeds/authors/bell.atom")
    assert (await site.http.get("/feeds/authors/bell.atom")).text.count("http://test/authors/bell") == 1
    await change(site, "postUnpublish")
    for name in ("ines-okafor", "bell", uuid):
        assert await status(site, f"/feeds/authors/{name}.atom") == 404


async def test_pages_of_authors_are_in_the_sitemap_while_they_exist(site: Client) -> None:
    async def pages() -> set[str]:
        return set(valid_sitemap(await site.http.get("/sitemap-pages.xml")))

    home = "http://test/"
    with site.acting_as(LOCAL_OPERATOR):
        await add(site, "Bo")
    assert await pages() == {home, f"http://test{PAGE}"}
    with site.acting_as(LOCAL_OPERATOR):
        await rename(site, {"id": await id_of(site)}, slug="bell")
    assert await pages() == {home, "http://test/authors/bell"}
    await change(site, "postEdit", authors=[await id_of(site, "bo")], publish=True)
    assert await pages() == {home, "http://test/authors/bo"}
    await change(site, "postUnpublish")
    assert await pages() == {home}


async def test_a_cached_feed_and_sitemap_change_exactly_with_the_author(site: Client) -> None:
    async def tags() -> list[str]:
        paths = (f"/feeds{PAGE}.atom", "/sitemap-pages.xml")
        return [(await site.http.get(path)).headers["etag"] for path in paths]

    feed, sitemap = before = await tags()
    with site.acting_as(LOCAL_OPERATOR):
        bo = await add(site, "Bo")
        await site.write("A draft", authors=[await id_of(site)])
        await site.write("Elsewhere", publish=True)
    assert await tags() == before
    with site.acting_as(LOCAL_OPERATOR):
        await site.write("B", authors=[bo["id"]], publish=True)
    assert [(await tags())[0] == feed, (await tags())[1] == sitemap] == [True, False]
    with site.acting_as(LOCAL_OPERATOR):
        sitemap = (await tags())[1]
        await rename(site, {"id": await id_of(site)}, name="Ines Bell")
    assert [(await tags())[0] == feed, (await tags())[1] == sitemap] == [False, True]
