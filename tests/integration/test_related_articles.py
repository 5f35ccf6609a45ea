"""Related articles, and the articles before and after an article: on its page and in GraphQL."""

import re
from collections.abc import AsyncIterator
from html import unescape
from pathlib import Path

import pytest

from tests.fixed_sources import SetClock
from tests.integration.graphql_client import Client, client

DAY = 86_400_000_000
FIELDS = """
    query ($slug: String!, $first: Int, $asOf: AsOf) {
        article(slug: $slug, asOf: $asOf) { related(first: $first) { slug } next { slug } previous { slug } }
    }
"""
# Article, and its categories in the order in which it is put into them. One is published each day.
ARTICLES = {
    "mill": ("town", "tides"),
    "tram": ("town",),
    "moon": ("tides",),
    "sluice": ("tides", "town"),
    "opera": ("culture",),
    "bridge": ("town",),
    "letter": (),
    "chess": ("games",),
    "note": (),
}


@pytest.fixture
async def newsroom(tmp_path: Path) -> AsyncIterator[Client]:
    """A site whose past is public. Games is a subcategory of Culture."""
    clock = SetClock()
    async with client(tmp_path / "data", clock=clock, open_past=True) as newsroom:
        await newsroom.do("siteName", name="The Courier")
        for name in ("Town", "Tides", "Culture"):
            await newsroom.do("categoryCreate", "category { id }", name=name)
        await newsroom.do("categoryCreate", "category { id }", name="Games", parent={"slug": "culture"})
        for slug, categories in ARTICLES.items():
            clock.time += DAY
            inside = [{"slug": category} for category in categories]
            await newsroom.write(slug.title(), slug=slug, categories=inside, body="Text.", publish=True)
        yield newsroom


async def others_of(
    newsroom: Client, slug: str, **variables: object
) -> tuple[list[str], str | None, str | None]:
    """Return the related articles of an article, the previous one and the next one."""
    article = (await newsroom.ask(FIELDS, slug=slug, **variables))["article"]
    previous, following = (article[name] and article[name]["slug"] for name in ("previous", "next"))
    return [other["slug"] for other in article["related"]], previous, following


async def links(newsroom: Client, path: str) -> tuple[list[str], list[str]]:
    """Return the titles of the related articles on a page, and the neighbours, as `rel title`."""
    page = (await newsroom.http.get(path)).text
    related = re.search(r'<section class="related".*?</section>', page, re.DOTALL)
    titles = re.findall(r'<h3 dir="auto"><a [^>]*>(.*?)</a>', related[0]) if related else []
    pattern = r'<a rel="(prev|next)" href="/articles/[^"]*">.*?class="title"><bdi>(.*?)</bdi></span>'
    neighbours = [f"{rel} {title}" for rel, title in re.findall(pattern, page, re.DOTALL)]
    return [unescape(title) for title in titles], neighbours


async def test_rare_categories_count_more_and_then_the_newest_come_first(newsroom: Client) -> None:
    # Tides has three articles, Town has four: Sluice shares both, Moon is in Tides, Bridge and Tram are in Town.
    assert (await others_of(newsroom, "mill"))[0] == ["sluice", "moon", "bridge", "tram"]
    assert (await others_of(newsroom, "mill", first=2))[0] == ["sluice", "moon"]
    assert (await others_of(newsroom, "mill", first=0))[0] == []
    assert (await links(newsroom, "/articles/mill"))[0] == ["Sluice", "Moon", "Bridge", "Tram"]


async def test_nothing_is_shown_if_nothing_is_related(newsroom: Client) -> None:
    for slug in ("opera", "letter"):
        assert (await others_of(newsroom, slug))[0] == []
        assert "Related articles" not in (await newsroom.http.get(f"/articles/{slug}")).text


async def test_neighbours_are_those_in_the_list_of_the_first_category(newsroom: Client) -> None:
    assert (await others_of(newsroom, "mill"))[1:] == (None, "tram")
    # Sluice was put into Tides first, Bridge into Town.
    assert (await others_of(newsroom, "sluice"))[1:] == ("moon", None)
    assert (await others_of(newsroom, "bridge"))[1:] == ("sluice", None)
    # The list of a category has the articles of its subcategories.
    assert (await others_of(newsroom, "opera"))[1:] == (None, "chess")
    assert (await others_of(newsroom, "chess"))[1:] == (None, None)
    assert (await links(newsroom, "/articles/tram"))[1] == ["prev Mill", "next Sluice"]
    page = (await newsroom.http.get("/articles/tram")).text
    assert re.search(r'More in\s+<a href="/categories/town"><bdi>Town</bdi></a>', page)


async def test_without_a_category_the_neighbours_are_those_of_the_whole_site(newsroom: Client) -> None:
    assert (await others_of(newsroom, "letter"))[1:] == ("bridge", "chess")
    assert (await links(newsroom, "/articles/letter"))[1] == ["prev Bridge", "next Chess"]
    assert "More articles" in (await newsroom.http.get("/articles/letter")).text


async def test_the_page_of_an_article_alone_in_its_category_ends_with_its_neighbours_on_the_site(
    newsroom: Client,
) -> None:
    assert await others_of(newsroom, "chess") == ([], None, None)
    assert await links(newsroom, "/articles/chess") == ([], ["prev Letter", "next Note"])
    assert "More articles" in (await newsroom.http.get("/articles/chess")).text


async def test_what_is_no_longer_public_disappears_also_from_the_past(newsroom: Client) -> None:
    then = await newsroom.store.log.head()
    for slug in ("sluice", "tram"):
        await newsroom.do("postUnpublish", id=await id_of(newsroom, slug))
    for variables in ({}, {"asOf": {"position": then}}):
        # Town and Tides now have two articles each, so the newest one comes first.
        assert await others_of(newsroom, "mill", **variables) == (["bridge", "moon"], None, "bridge")
        assert await others_of(newsroom, "moon", **variables) == (["mill"], "mill", None)
    assert await links(newsroom, f"/articles/mill?asOf={then}") == (["Bridge", "Moon"], ["next Bridge"])


async def test_the_past_has_the_neighbours_of_then(newsroom: Client) -> None:
    position = (await newsroom.ask('{ article(slug: "bridge") { id } site { position } }'))["site"][
        "position"
    ]
    now = await others_of(newsroom, "mill")
    await newsroom.do("postCategorize", id=await id_of(newsroom, "opera"), category={"slug": "tides"})
    assert (await others_of(newsroom, "mill"))[0] == ["sluice", "bridge", "opera", "moon"]
    assert await others_of(newsroom, "mill", asOf={"position": position}) == now
    page = (await newsroom.http.get(f"/articles/mill?asOf={position}")).text
    assert f'href="/articles/sluice?asOf={position}"' in page


async def test_a_cached_response_changes_with_its_neighbours(newsroom: Client) -> None:
    async def hits() -> int:
        text = (await newsroom.http.get("/metrics")).text
        match = re.search(r'ledgerpress_answers_total\{kind="hits"\} ([0-9]+)', text)
        return int(match[1]) if match else 0

    first = await others_of(newsroom, "mill")
    before = await hits()
    await newsroom.write("A draft", slug="draft", categories=[{"slug": "town"}])
    await newsroom.write("Another opera", categories=[{"slug": "culture"}], publish=True)
    assert await others_of(newsroom, "mill") == first
    assert await hits() == before + 1, (
        "neither a draft nor an article in another category changes the response"
    )
    await newsroom.do("postPublish", id=await id_of(newsroom, "draft"))
    assert (await others_of(newsroom, "mill"))[0] == ["sluice", "moon", "draft", "bridge"]
    await newsroom.do("postEdit", id=await id_of(newsroom, "tram"), slug="tramway", publish=True)
    assert (await others_of(newsroom, "mill"))[2] == "tramway"
    await newsroom.do("categoryMerge", category={"slug": "games"}, into={"slug": "town"})
    assert (await others_of(newsroom, "mill"))[0] == ["sluice", "moon", "draft", "chess"]


async def test_too_many_related_articles_are_a_bad_request(newsroom: Client) -> None:
    for first in (-1, 11):
        (error,) = await newsroom.errors(FIELDS, slug="mill", first=first)
        assert error["message"] == f"first is {first}; it must be between 0 and 10."


async def id_of(newsroom: Client, slug: str) -> str:
    query = "query ($slug: String!) { post(slug: $slug) { id } }"
    with newsroom.acting_as(newsroom.writer):
        return str((await newsroom.ask(query, slug=slug))["post"]["id"])
