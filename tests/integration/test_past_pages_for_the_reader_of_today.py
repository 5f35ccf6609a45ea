"""What past pages take from today: the words for the reader, the address of the publisher, and the end of the page."""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import pytest

from tests.integration.graphql_client import Client, client
from tests.integration.test_pages import Outline
from tests.integration.test_pages_in_time import at, position_of, publish
from tests.integration.test_time_bar import DAY, attribute

GERMAN_BANNER = "Sie lesen diese Seite"


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Client]:
    """A site in Arabic, whose past is public, with a category."""
    async with client(tmp_path, open_past=True, public_history=True) as site:
        await site.do("siteLocalize", language="ar", timeZone="Europe/Berlin")
        await site.do("categoryCreate", name="Town")
        yield site


def footer(page: httpx2.Response) -> str:
    return re.sub(r"\s+", " ", page.text.partition('<footer class="colophon"')[2].partition("</footer>")[0])


async def test_the_banner_and_the_controls_are_in_the_language_of_today(site: Client) -> None:
    _, then = await publish(site, "الطاحونة", "mill")
    await site.do("siteLocalize", language="de")
    page = await at(site, "/articles/mill", then)
    assert '<html lang="ar" dir="rtl">' in page.text
    assert "مدة القراءة: دقيقة واحدة" in page.text, "the words of the article stay in Arabic"
    for tag, others in (
        ("aside", {"class": "moment"}),
        ("section", {"id": "time"}),
        ("footer", {"class": "colophon"}),
        ("a", {"class": "skip"}),
    ):
        assert attribute(page, tag, "lang", **others) == "de", tag
        assert attribute(page, tag, "dir", **others) == "ltr", tag
    for text in ("Zum Inhalt springen", GERMAN_BANNER, "Zurück zur aktuellen Seite", ">Anzeigen<"):
        assert text in page.text
    assert 'data-locale="de' in page.text
    assert "4. Mai 2024" in page.text.partition("</aside>")[0]
    assert f"Position {then}" in footer(page)
    for current in (await site.http.get("/"), await at(site, "/", await position_of(site))):
        assert all("lang" not in attributes for tag, attributes in Outline(current).elements if tag != "html")


async def test_a_missing_page_of_the_past_speaks_to_the_reader_of_today(site: Client) -> None:
    then = await position_of(site)
    await site.do("siteLocalize", language="en")
    page = await at(site, "/articles/none", then)
    assert page.status_code == 404
    assert '<html lang="ar" dir="rtl">' in page.text
    assert "There was nothing at this address then" in page.text
    assert (attribute(page, "main", "lang"), attribute(page, "main", "dir")) == ("en", "ltr")
    assert '<title lang="en" dir="ltr">Page not found · ' in page.text


async def test_a_language_of_today_without_translations_has_english_words_that_are_marked(
    site: Client,
) -> None:
    then = await position_of(site)
    await site.do("siteLocalize", language="he")
    page = (await at(site, "/", then)).text
    assert '<aside class="moment" aria-label="Moment" lang="he" dir="rtl">' in page
    assert '<bdi lang="en" dir="ltr">Return to the current page</bdi>' in page


async def test_the_address_and_the_end_of_a_page_are_those_of_today(site: Client) -> None:
    _, then = await publish(site, "The mill", "mill")
    created = await site.do(
        "pageCreate", "pageDraft { id }", title="Imprint", slug="imprint", body="We.", publish=True
    )
    imprint = {"page": created["pageDraft"]["id"]}
    await site.do(
        "menuArrange",
        items=[
            {"label": "The mill", "place": "HEADER", "target": {"address": "/articles/mill"}},
            {"label": "Who is responsible", "place": "FOOTER", "target": imprint},
        ],
    )
    await site.do("siteDescribe", address="1 Mole Street")
    for path in ("/", "/articles/mill", "/articles/none"):
        page = await at(site, path, then)
        assert '<address dir="auto">1 Mole Street</address>' in footer(page)
        assert '<a href="/pages/imprint"><bdi>Who is responsible</bdi></a>' in footer(page)
        assert "The mill</bdi></a></li>" not in page.text, "the menu at the top is that of then"
    await site.do("siteDescribe", address="2 Quay Street")
    await site.do("pageEdit", id=imprint["page"], slug="legal", publish=True)
    assert "2 Quay Street" in footer(await at(site, "/", then))
    assert 'href="/pages/legal"' in footer(await at(site, "/", then))
    await site.do("pageUnpublish", id=imprint["page"])
    assert "Who is responsible" not in (await at(site, "/", then)).text


async def test_a_page_before_the_first_event_states_that(site: Client) -> None:
    await site.do("siteLocalize", language="en")
    first = (await at(site, "/", 1)).text.partition('<time datetime="')[2].partition('"')[0]
    for moment in ("0", "2001-01-01"):
        page = await at(site, "/", moment)
        banner = page.text.partition('<aside class="moment"')[2].partition("</aside>")[0]
        assert "as it was before this site recorded anything" in banner
        assert re.search(rf'Its first entry is from <time datetime="{first}">4 May 2024', banner)
        assert "as it was on" not in page.text
        assert "Before the first entry</output>" in page.text
        field = attribute(page, "input", "value", type="datetime-local")
        assert field is not None
        assert (await at(site, "/", field)).text.partition('<aside class="moment"')[2].partition("</aside>")[
            0
        ] == banner
        assert "As of position 0 of the log." in footer(page)
    assert "as it was on" in (await at(site, "/", 1)).text


async def test_the_link_to_the_time_bar_has_words_that_readers_know(site: Client) -> None:
    await site.do("siteLocalize", language="en")
    for page in (await site.http.get("/"), await at(site, "/", 2)):
        assert '<a href="#time">This page in time</a>' in footer(page)
        assert re.search(r"<p>As of position \d of the log\.</p>", footer(page))


async def test_other_parameters_stay_on_the_way_through_time_and_back(site: Client) -> None:
    mill, _ = await publish(site, "The mill", "mill")
    await site.do("postEdit", id=mill, title="The tide mill", publish=True)
    position = await position_of(site)
    path = "/articles/mill/history/2"
    query = {"from": "1", "view": "side-by-side", "x": 'a&b="c"'}
    page = await site.http.get(path, params={**query, "asOf": str(position)})
    (back,) = (link for link in Outline(page).links if link.startswith("?") and "asOf" not in link)
    current = await site.http.get(f"{path}{back}")
    assert dict(current.request.url.params) == query
    assert 'class="diff sides"' in current.text
    hidden = {
        attributes["name"]: attributes["value"]
        for tag, attributes in Outline(page).elements
        if tag == "input" and attributes.get("type") == "hidden"
    }
    assert {name: hidden[name] for name in query} == query
    front = await site.http.get("/", params={"utm": "1", "asOf": str(position - 1)})
    assert attribute(front, "a", "href", rel="next") == f"?utm=1&asOf={position}#time"
    invalid = await site.http.get(path, params={**query, "asOf": "nonsense"})
    assert back in Outline(invalid).links


async def test_a_page_before_its_first_change_is_on_the_slider(site: Client) -> None:
    before = await position_of(site)
    site.store.clock.time += 3 * DAY  # type: ignore[attr-defined]
    await publish(site, "The mill", "mill")
    site.store.clock.time += 3 * DAY  # type: ignore[attr-defined]
    _, after = await publish(site, "The tram", "tram")
    for path in ("/", "/articles/mill"):
        start_of_all, start_before, start_after = [
            int(attribute(await at(site, path, moment), "input", "min", type="range") or 0)
            for moment in (0, before, after)
        ]
        assert start_of_all <= start_before <= start_after - 3 * DAY // 1_000_000
        page = await at(site, path, before)
        assert attribute(page, "input", "value", type="range") == str(start_before)


async def test_the_slider_names_its_ends(site: Client) -> None:
    await site.do("siteLocalize", language="en")
    await publish(site, "The mill", "mill")
    page = await site.http.get("/")
    ends = page.text.partition('<p class="time-bar-ends"')[2].partition("</p>")[0]
    assert re.findall(r"<span>([^<]*)</span>", ends) == ["4 May 2024", "Now"]
