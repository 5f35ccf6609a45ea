"""Pages as of a moment: what they show, what stays hidden, and what caches and search engines may do with them."""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import pytest

from ledgerpress.commands.client_identity import LOCAL_OPERATOR
from tests.integration.graphql_client import Client, client
from tests.integration.test_pages import Outline, titles


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Client]:
    """A site whose past is public. `positions` of the client has the position after each step of its history."""
    async with client(tmp_path / "store", open_past=True) as site:
        with site.acting_as(LOCAL_OPERATOR):
            await site.do("siteName", name="The Courier")
            await site.do("siteLocalize", timeZone="Europe/Berlin")
            await site.do("categoryCreate", name="Town")
        yield site


async def position_of(site: Client) -> int:
    return int((await site.http.get("/")).headers["ledgerpress-position"])


async def publish(site: Client, title: str, slug: str) -> tuple[str, int]:
    """Publish an article in the category Town; return its id and the position after that."""
    post = await site.write(title, slug=slug, body=f"{title}.", categories=[{"slug": "town"}], publish=True)
    return post["id"], await position_of(site)


async def at(site: Client, path: str, moment: object, **headers: str) -> httpx2.Response:
    return await site.http.get(path, params={"asOf": str(moment)}, headers=headers)


async def test_a_page_as_of_a_position_shows_what_was_public_then(site: Client) -> None:
    mill, first = await publish(site, "The mill", "mill")
    await publish(site, "The tram", "tram")
    await site.do("postEdit", id=mill, title="The tide mill", publish=True)
    assert titles(await at(site, "/", first)) == ["The mill"]
    assert titles(await at(site, "/categories/town", first)) == ["The mill"]
    assert "1 article<" in (await at(site, "/categories/town", first)).text
    assert '<h1 dir="auto">The mill</h1>' in (await at(site, "/articles/mill", first)).text
    assert (await at(site, "/articles/tram", first)).status_code == 404
    assert titles(await site.http.get("/")) == ["The tram", "The tide mill"]


async def test_a_moment_is_a_position_a_time_or_a_local_time(site: Client) -> None:
    clock = site.store.clock
    clock.time = 1_714_860_000_000_000  # type: ignore[attr-defined]  # 2024-05-05 00:00 in Berlin
    await publish(site, "The mill", "mill")
    clock.time = 1_714_863_600_000_000  # type: ignore[attr-defined]  # 01:00
    _, second = await publish(site, "The tram", "tram")
    for moment, expected in {
        second: 2,
        "2024-05-04": 0,
        "2024-05-05": 2,
        "2024-05-05T00:30": 1,
        "2024-05-05T01:00:00": 1,
        "2024-05-05T01:00": 2,  # everything in that minute
        "2024-05-04T22:30:00Z": 1,
        "2024-05-05T00:30:00+02:00": 1,
        0: 0,
    }.items():
        page = await at(site, "/", moment)
        assert (page.status_code, len(titles(page))) == (200, expected), moment
    unencoded = await site.http.get("/?asOf=2024-05-05T00:30:00+02:00")
    assert len(titles(unencoded)) == 1


@pytest.mark.parametrize(
    "moment", ["99999", "2999-01-01", "yesterday", "-1", "2024-02-30", "0000-00-00", "9999-12-31", "<b>"]
)
async def test_an_address_that_names_no_past_moment_gets_a_page_that_explains_it(
    site: Client, moment: str
) -> None:
    page = await at(site, "/", moment)
    assert page.status_code == 400
    assert "This time cannot be shown" in page.text
    assert "<b>" not in page.text
    assert "?" in Outline(page).links
    assert page.headers["x-robots-tag"] == "noindex"


async def test_links_keep_the_moment_and_one_leads_back_to_the_current_page(site: Client) -> None:
    for number in range(12):
        await publish(site, f"Story {number}", f"story-{number}")
    position = await position_of(site)
    page = await at(site, "/", position)
    links = Outline(page).links
    assert f"/articles/story-11?asOf={position}" in links
    assert f"/categories/town?asOf={position}" in links
    assert f"/?asOf={position}" in links
    assert "/graphql" in links
    older = next(link for link in links if link.startswith("?after="))
    assert older.endswith(f"&asOf={position}")
    assert titles(await site.http.get(f"/{older}")) == ["Story 1", "Story 0"]
    assert all("asOf" not in link for link in Outline(await site.http.get("/")).links if "#" not in link)


async def test_addresses_resolve_as_of_the_moment(site: Client) -> None:
    mill, first = await publish(site, "The mill", "mill")
    await site.do("postEdit", id=mill, slug="tide-mill", publish=True)
    await site.do("categoryRename", category={"slug": "town"}, slug="city")
    later = await position_of(site)
    assert (await at(site, "/articles/mill", first)).status_code == 200
    assert (await at(site, "/categories/town", first)).status_code == 200
    for path, moment, target in (
        ("/articles/mill", later, "/articles/tide-mill"),
        ("/articles/tide-mill", first, "/articles/mill"),  # today's address, which was unknown then
        ("/categories/town", later, "/categories/city"),
        ("/categories/city", first, "/categories/town"),
        ("/Articles/Mill/", first, "/articles/mill"),
    ):
        redirect = await at(site, path, moment)
        assert redirect.status_code == 301, path
        assert redirect.headers["location"] == f"{target}?asOf={moment}"
        assert redirect.headers["x-robots-tag"] == "noindex"


async def test_what_is_not_public_now_is_hidden_at_every_moment(site: Client) -> None:
    secret, position = await publish(site, "The secret", "secret")
    await publish(site, "The mill", "mill")
    assert titles(await at(site, "/", position)) == ["The secret"]
    tag = (await at(site, "/", position)).headers["etag"]
    await site.do("postUnpublish", id=secret)
    hidden = await at(site, "/", position, **{"If-None-Match": tag})
    assert (hidden.status_code, titles(hidden)) == (200, [])
    assert "secret" not in hidden.text
    assert (await at(site, "/articles/secret", position)).status_code == 404
    assert "0 articles<" in (await at(site, "/categories/town", position)).text
    await site.do("postPublish", id=secret)
    assert titles(await at(site, "/", position)) == ["The secret"]


async def test_pages_of_the_past_are_revalidated_and_not_indexed(site: Client) -> None:
    _, first = await publish(site, "The mill", "mill")
    await publish(site, "The tram", "tram")
    page = await at(site, "/", first)
    tag = page.headers["etag"]
    assert page.headers["cache-control"] == "no-cache"
    assert page.headers["x-robots-tag"] == "noindex"
    assert ("meta", {"name": "robots", "content": "noindex"}) in Outline(page).elements
    for condition in (tag, f"W/{tag}", f'"x", {tag}', "*"):
        again = await at(site, "/", first, **{"If-None-Match": condition})
        assert (again.status_code, again.content) == (304, b"")
        assert again.headers["etag"] == tag
        assert again.headers["cache-control"] == "no-cache"
        assert "content-type" not in again.headers
    other = await at(site, "/", first, **{"If-None-Match": '"x"'})
    assert other.status_code == 200
    current = await site.http.get("/")
    assert "x-robots-tag" not in current.headers
    assert "noindex" not in current.text
    article = await at(site, "/articles/mill", first)
    (canonical,) = re.findall('<link rel="canonical" href="([^"]*)">', article.text)
    assert canonical.endswith("/articles/mill"), "the address of the current page"


async def test_the_position_in_the_header_is_that_of_the_response(site: Client) -> None:
    _, first = await publish(site, "The mill", "mill")
    _, last = await publish(site, "The tram", "tram")
    page = await at(site, "/", first)
    assert page.headers["ledgerpress-position"] == str(last)
    assert f"As of position {first} of the log." in page.text


async def test_ages_are_those_of_the_moment(site: Client) -> None:
    _, first = await publish(site, "The mill", "mill")
    site.store.clock.time += 400 * 86_400_000_000  # type: ignore[attr-defined]
    await publish(site, "The tram", "tram")
    assert "just now" in (await at(site, "/articles/mill", first)).text
    assert "1 year ago" in (await site.http.get("/articles/mill")).text


@pytest.mark.parametrize("moment", ["1", "99999", "nonsense", "2024-05-04"])
@pytest.mark.parametrize("path", ["/", "/articles/mill", "/articles/none", "/articles/draft", "/none"])
async def test_where_the_past_is_not_public_a_page_explains_that(
    tmp_path: Path, path: str, moment: str
) -> None:
    async with client(tmp_path / "store") as site:
        await site.write("The mill", slug="mill", publish=True)
        await site.write("Draft", slug="draft")
        page = await at(site, path, moment)
        assert page.status_code == 403
        assert "The past of this site is not public" in page.text
        assert page.headers["x-robots-tag"] == "noindex"
        assert "?" in Outline(page).links
        assert "etag" not in page.headers
        assert (await site.http.get("/?asOf=")).status_code == 200
