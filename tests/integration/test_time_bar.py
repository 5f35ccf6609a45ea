"""The time bar: previous and next change, marks, the form, and where there is no time bar."""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import pytest

from ledgerpress.commands.client_identity import LOCAL_OPERATOR
from tests.integration.graphql_client import Client, client
from tests.integration.test_pages import Outline, titles
from tests.integration.test_pages_in_time import at, publish

DAY = 86_400_000_000


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Client]:
    """A site whose past is public, without articles."""
    async with client(tmp_path / "store", open_past=True) as site:
        with site.acting_as(LOCAL_OPERATOR):
            await site.do("categoryCreate", name="Town")
        yield site


def attribute(page: httpx2.Response, tag: str, name: str, **others: str) -> str | None:
    """Return an attribute of the first element with the tag and the other attributes."""
    for name_of_tag, attributes in Outline(page).elements:
        if name_of_tag == tag and all(attributes.get(key) == value for key, value in others.items()):
            return attributes.get(name)
    return None


def step(page: httpx2.Response, direction: str) -> int | None:
    """Return the position to which the link to the previous or the next change leads."""
    match = re.search(rf'<a rel="{direction}" href="\?asOf=(\d+)#time">', page.text)
    return None if match is None else int(match[1])


def marks(page: httpx2.Response) -> list[int]:
    """Return the positions of the marks."""
    match = re.search(r'data-marks="([^"]*)"', page.text)
    assert match is not None
    return [int(mark.partition(":")[0]) for mark in match[1].split()]


async def changes(site: Client, path: str) -> list[int]:
    """Return the positions of all changes, read by following the links backwards from the current page."""
    page, positions = await site.http.get(path), list[int]()
    while (position := step(page, "prev")) is not None:
        positions.insert(0, position)
        page = await at(site, path, position)
    return positions


async def last(site: Client, event_type: str) -> int:
    """Return the position of the last event of a type."""
    query = "query ($types: [String!]) { changes(first: 1, filter: {types: $types}) { nodes { position } } }"
    with site.acting_as(LOCAL_OPERATOR):
        data = await site.ask(query, types=[event_type])
    return int(data["changes"]["nodes"][0]["position"])


async def wait(site: Client) -> None:
    """Let a day pass, so that each change has a mark of its own."""
    site.store.clock.time += DAY  # type: ignore[attr-defined]


async def test_the_links_lead_through_the_changes_of_the_front_page(site: Client) -> None:
    mill, _ = await publish(site, "The mill", "mill")
    first = await last(site, "post.published")
    await wait(site)
    await publish(site, "The tram", "tram")
    second = await last(site, "post.published")
    await site.do("postEdit", id=mill, title="A draft of the mill")  # readers do not see it
    await site.do("authorRegister", name="Somebody")
    await wait(site)
    await site.do("postPublish", id=mill)
    third = await last(site, "post.published")
    current = await site.http.get("/")
    assert step(current, "next") is None
    assert {first, second} <= set(await changes(site, "/"))
    assert marks(current)[-3:] == [first, second, third]
    page = await at(site, "/", second)
    assert step(page, "next") == third
    assert step(await at(site, "/", third), "next") is None
    assert titles(await at(site, "/", third)) == ["The tram", "A draft of the mill"]
    assert step(await at(site, "/", 1), "next") is not None
    assert step(await at(site, "/", 1), "prev") is None


async def test_the_first_change_of_a_page_always_has_a_mark(site: Client) -> None:
    """Also if another change follows at once, so that both are in the same part of the bar."""
    mill, _ = await publish(site, "The mill", "mill")
    first = await last(site, "post.published")
    await site.do(
        "postEdit", id=mill, body="Corrected.", publish=True, withCorrection={"note": "It was wrong."}
    )
    await wait(site)
    await publish(site, "The tram", "tram")
    assert marks(await site.http.get("/articles/mill"))[0] == first


async def test_a_change_below_the_first_page_is_none_of_the_page(site: Client) -> None:
    ids = [await publish(site, f"Story {number}", f"story-{number}") for number in range(14)]
    before = marks(await site.http.get("/"))
    await wait(site)
    await site.do("postPublish", id=ids[0][0])  # the fourteenth article is published again
    late = await site.write("Late", slug="late")
    await site.do("postPublish", id=late["id"], publishedAt="2001-01-01T00:00:00Z")
    assert step(await site.http.get("/"), "next") is None
    assert max(marks(await site.http.get("/"))) == max(before)


async def test_what_is_hidden_now_was_never_a_change(site: Client) -> None:
    stories = []
    for number in range(12):
        await publish(site, f"Story {number}", f"story-{number}")
        stories.append(await last(site, "post.published"))
    secret, _ = await publish(site, "The secret", "secret")
    entered = await last(site, "post.published")
    await publish(site, "The last", "last")
    assert entered in await changes(site, "/")
    await site.do("postUnpublish", id=secret)
    left = await last(site, "post.unpublished")
    for path in ("/", "/categories/town"):
        positions = await changes(site, path)
        assert not {entered, left} & {*positions, *marks(await site.http.get(path))}
        assert set(stories[-8:]) <= set(positions)
    page = await at(site, "/articles/secret", entered)
    assert page.status_code == 404
    assert "?asOf=" not in "".join(href for href in Outline(page).links if href.startswith("?"))
    assert "data-marks" not in page.text


async def test_an_article_takes_the_place_of_one_that_is_hidden_now(site: Client) -> None:
    """The eleventh article of that time is on the page of that time today, so its changes are changes of the page."""
    eleventh, _ = await publish(site, "The eleventh", "eleventh")
    above = [await publish(site, f"Story {number}", f"story-{number}") for number in range(10)]
    await site.do("postPublish", id=eleventh)
    again = await last(site, "post.published")
    assert again not in await changes(site, "/")
    await site.do("postUnpublish", id=above[3][0])
    positions = await changes(site, "/")
    assert again == positions[-1] or step(await site.http.get("/"), "prev") is not None
    assert step(await at(site, "/", again - 1), "next") == again
    assert "The eleventh" in titles(await at(site, "/", again))


async def test_the_changes_of_an_article_are_those_of_its_text_categories_and_corrections(
    site: Client,
) -> None:
    mill, first = await publish(site, "The mill", "mill")
    await site.do("postEdit", id=mill, title="The tide mill", slug="tide-mill", publish=True)
    second = await last(site, "post.published")
    await site.do("categoryCreate", name="Culture")
    await site.do("postCategorize", id=mill, category={"slug": "culture"})
    third = await last(site, "post.categorized")
    payload = await site.do("correctionAdd", "correction { id }", id=mill, kind="CORRECTION", note="Oak.")
    shown = await last(site, "correction.recorded")
    payload = await site.do("correctionAdd", "correction { id }", id=mill, kind="CORRECTION", note="Elm.")
    retracted = await last(site, "correction.recorded")
    await site.do("correctionRetract", id=mill, correction=payload["correction"]["id"])
    await site.do("postEdit", id=mill, title="A draft")
    positions = marks(await site.http.get("/articles/tide-mill"))
    assert positions[-1] == shown
    for path, moment in (("/articles/tide-mill", shown), ("/articles/mill", first)):
        page = await at(site, path, moment)
        assert page.status_code == 200
        assert marks(page) == positions
    page = await at(site, "/articles/tide-mill", shown)
    assert (step(page, "prev"), step(page, "next")) == (third, None)
    page = await at(site, "/articles/mill", first)
    assert step(page, "next") == second
    assert retracted not in positions
    unpublished = await at(site, "/articles/tide-mill", 1)
    assert (unpublished.status_code, step(unpublished, "prev")) == (404, None)
    assert step(unpublished, "next") is not None


async def test_the_changes_of_a_category_are_those_of_its_first_page_and_of_itself(site: Client) -> None:
    await site.do("categoryCreate", name="Council", parent={"slug": "town"})
    post = await site.write("Vote", slug="vote", categories=[{"slug": "council"}], publish=True)
    below = await last(site, "post.published")
    await site.do("categoryRename", category={"slug": "town"}, name="City", slug="city")
    renamed = await last(site, "category.renamed")
    await site.do("categoryCreate", name="Sport")
    await site.write("Match", slug="match", categories=[{"slug": "sport"}], publish=True)
    positions = await changes(site, "/categories/city")
    assert below in positions
    assert step(await site.http.get("/categories/city"), "next") is None
    assert marks(await site.http.get("/categories/city"))[-1] == renamed
    assert post["slug"] == "vote"


async def test_the_bar_has_a_form_a_slider_and_a_banner(site: Client) -> None:
    _, first = await publish(site, "The mill", "mill")
    page = await at(site, "/", first)
    assert "You are reading this page as it was on" in page.text
    assert "?" in Outline(page).links
    assert attribute(page, "form", "method") == "get"
    assert attribute(page, "input", "name", type="datetime-local") == "asOf"
    value = attribute(page, "input", "value", type="datetime-local")
    assert value is not None
    assert titles(await at(site, "/", value)) == ["The mill"]
    assert ("div", {"class": "time-bar-slider", "hidden": ""}.items()) <= (
        next(
            (tag, attributes.items()) for tag, attributes in Outline(page).elements if "hidden" in attributes
        )
    )
    current = await site.http.get("/")
    assert "You are reading this page as it was" not in current.text
    assert 'href="#time"' in current.text
    assert "time" in Outline(current).ids
    assert current.text.index('id="page_main"') < current.text.index('id="time"')
    assert page.text.index('id="time"') < page.text.index('id="page_main"')


async def test_the_links_to_changes_show_their_days(site: Client) -> None:
    mill, _ = await publish(site, "The mill", "mill")
    second = await site.do("postEdit", id=mill, body="Two wheels.", publish=True)
    assert second is not None
    page = await site.http.get("/articles/mill")
    link = page.text.partition('<a rel="prev"')[2].partition("</a>")[0]
    assert '<span aria-hidden="true">(4 May 2024)</span>' in link


@pytest.mark.parametrize("moment", ["2999-01-01T10:00", "nonsense", "99999"])
async def test_an_invalid_moment_has_a_form_to_try_again(site: Client, moment: str) -> None:
    _, position = await publish(site, "The mill", "mill")
    page = await at(site, "/articles/mill", moment)
    assert page.status_code == 400
    assert "The mill" not in page.text.partition('id="time"')[0]
    assert attribute(page, "input", "max", type="datetime-local") == "2024-05-04T23:59"
    assert attribute(page, "input", "name", type="datetime-local") == "asOf"
    assert ("This time is in the future." in page.text) == moment.startswith("2999")
    assert (
        attribute(await at(site, "/", position), "input", "max", type="datetime-local") == "2024-05-04T23:59"
    )


async def test_an_invalid_moment_shows_nothing_of_an_article_that_is_not_public(site: Client) -> None:
    mill, _ = await publish(site, "The mill", "mill")
    await site.do("postUnpublish", id=mill)
    hidden = await at(site, "/articles/mill", "nonsense")
    assert hidden.text == (await at(site, "/articles/none", "nonsense")).text


async def test_a_link_at_the_top_of_current_pages_leads_to_the_bar(site: Client) -> None:
    _, position = await publish(site, "The mill", "mill")
    link = '<p class="in-time"><a href="#time">This page in time</a></p>'
    for path in ("/", "/articles/mill", "/categories/town"):
        assert link in (await site.http.get(path)).text.partition("</header>")[0]
        assert link not in (await at(site, path, position)).text, "the bar is at the top"
    assert link not in (await site.http.get("/none")).text


async def test_pages_with_the_bar_may_load_their_own_scripts_and_nothing_else(site: Client) -> None:
    await publish(site, "The mill", "mill")
    for path in ("/", "/?asOf=3", "/articles/mill", "/categories/town"):
        page = await site.http.get(path)
        policy = page.headers["content-security-policy"]
        assert "script-src 'self';" in policy
        assert "form-action 'self';" in policy
        assert "unsafe" not in policy
        for address in Outline(page).loaded:
            assert (await site.http.get(address)).status_code == 200
        for tag, attributes in Outline(page).elements:
            if tag == "script" and attributes.get("type") != "application/ld+json":
                assert attributes["src"].startswith("/static/")
            assert "style" not in attributes
            assert not any(name.startswith("on") for name in attributes)


@pytest.mark.parametrize("path", ["/", "/?asOf=3", "/none"])
async def test_there_is_no_time_bar_where_the_past_is_not_public(tmp_path: Path, path: str) -> None:
    async with client(tmp_path / "store") as site:
        page = await site.http.get(path)
        assert 'id="time"' not in page.text
        assert "#time" not in page.text
        assert "script-src 'none'" in page.headers["content-security-policy"]


async def test_a_missing_page_has_no_time_bar_unless_a_moment_is_requested(site: Client) -> None:
    assert 'id="time"' not in (await site.http.get("/none")).text
    missing = await at(site, "/articles/none", 3)
    assert "There was nothing at this address then" in missing.text
    assert 'id="time"' in missing.text


async def test_the_technical_notes_are_at_the_very_end_and_a_category_links_to_its_feeds(
    site: Client,
) -> None:
    page = (await site.http.get("/categories/town")).text
    end = page.partition('<footer class="colophon"')[2]
    assert end.index('href="/corrections"') < end.index('href="#time"') < end.index("As of position")
    assert end.index("As of position") < end.index('href="/graphql"')
    assert 'href="/feeds/categories/town.atom"' in page.partition("<main")[2].partition("</main>")[0]
