"""The metadata of pages: canonical addresses, Open Graph and JSON-LD."""

import json
import re
from collections.abc import AsyncIterator, Mapping
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import httpx2
import pytest

from ledgerpress.commands.client_identity import ANONYMOUS, FixedIdentity
from ledgerpress.features.registry import graphql_schema, page_contributions
from ledgerpress.http.app import make_app
from ledgerpress.http.pages.page_settings import PageSettings
from tests.fixed_sources import SetClock
from tests.integration.graphql_client import Client, client

HOUR = 3_600_000_000
PUBLISHED, CORRECTED = "2024-05-04T08:00:23Z", "2024-05-04T09:00:26Z"
HOSTILE = "</script><script>alert('x')</script> <!-- & \"'> {{ 7 * 7 }}"


class Head(HTMLParser):
    """The metadata in the head of a page."""

    def __init__(self, page: httpx2.Response) -> None:
        super().__init__()
        self.properties: list[tuple[str, str]] = []
        self.canonical: str | None = None
        self.scripts: list[str | None] = []
        self.data: list[Any] = []
        self._is_data = False
        self.feed(page.text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = {name: value or "" for name, value in attrs}
        if tag == "meta" and (name := attributes.get("property") or attributes.get("name")):
            self.properties.append((name, attributes["content"]))
        if tag == "link" and attributes["rel"] == "canonical":
            self.canonical = attributes["href"]
        if tag == "script":
            self.scripts.append(attributes.get("type"))
            self._is_data = attributes.get("type") == "application/ld+json"

    def handle_data(self, data: str) -> None:
        if self._is_data:
            self.data.append(json.loads(data))

    def handle_endtag(self, tag: str) -> None:
        self._is_data = self._is_data and tag != "script"

    @property
    def article(self) -> Mapping[str, Any]:
        """The data of the article."""
        (data,) = self.data
        assert isinstance(data, dict)
        return data

    def all(self, name: str) -> list[str]:
        return [value for key, value in self.properties if key == name]


@pytest.fixture
async def newsroom(tmp_path: Path) -> AsyncIterator[Client]:
    """A site with an article that has two authors, two categories and a correction. Its past is public."""
    clock = SetClock()
    async with client(tmp_path / "data", clock=clock, open_past=True) as newsroom:
        await newsroom.do("siteName", name="The Courier")
        await newsroom.do("siteLocalize", language="en-GB", timeZone="Europe/London")
        authors = [
            (await newsroom.do("authorRegister", "author { id }", name=name))["author"]["id"]
            for name in ("Ines Okafor", "Tom Reed")
        ]
        await newsroom.do("categoryCreate", name="Town", description="Bridge to breakwater.")
        await newsroom.do("categoryCreate", name="Crafts")
        post = await newsroom.write(
            "The tide mill",
            teaser="After ninety years.",
            body="It turns.",
            slug="mill",
            authors=authors,
            categories=[{"slug": "town"}, {"slug": "crafts"}],
            publish=True,
        )
        clock.time += HOUR
        correction = {"note": "It closed in 1931.", "passage": "It turns."}
        await newsroom.do("correctionAdd", id=post["id"], **correction)
        yield newsroom


async def head(newsroom: Client, path: str) -> Head:
    page = await newsroom.http.get(path)
    assert page.status_code == 200
    return Head(page)


async def mill_of(newsroom: Client) -> dict[str, Any]:
    query = '{ article(slug: "mill") { id corrections { id } } }'
    mill: dict[str, Any] = (await newsroom.ask(query))["article"]
    return mill


async def test_an_article_has_the_properties_of_open_graph(newsroom: Client) -> None:
    article = await head(newsroom, "/articles/mill")
    address = f"{newsroom.http.base_url}".rstrip("/") + "/articles/mill"
    assert article.canonical == address
    assert [pair for pair in article.properties if ":" in pair[0]] == [
        ("og:type", "article"),
        ("og:title", "The tide mill"),
        ("og:description", "After ninety years."),
        ("og:url", address),
        ("og:site_name", "The Courier"),
        ("og:locale", "en_GB"),
        ("article:published_time", PUBLISHED),
        ("article:modified_time", CORRECTED),
        ("article:author", "Ines Okafor"),
        ("article:author", "Tom Reed"),
        ("article:section", "Town"),
        ("twitter:card", "summary"),
    ]


async def test_an_article_is_a_news_article_of_schema_org_with_its_corrections(newsroom: Client) -> None:
    site = f"{newsroom.http.base_url}".rstrip("/")
    publisher = {"@type": "Organization", "name": "The Courier", "url": f"{site}/"}
    assert (await head(newsroom, "/articles/mill")).article == {
        "@context": "https://schema.org",
        "@type": "NewsArticle",
        "headline": "The tide mill",
        "description": "After ninety years.",
        "datePublished": PUBLISHED,
        "dateModified": CORRECTED,
        "author": [
            {"@type": "Person", "name": "Ines Okafor", "url": f"{site}/authors/ines-okafor"},
            {"@type": "Person", "name": "Tom Reed", "url": f"{site}/authors/tom-reed"},
        ],
        "publisher": publisher,
        "mainEntityOfPage": {"@type": "WebPage", "@id": f"{site}/articles/mill"},
        "url": f"{site}/articles/mill",
        "articleSection": ["Crafts", "Town"],
        "inLanguage": "en-GB",
        "correction": [
            {
                "@type": "CorrectionComment",
                "name": "Correction",
                "text": "It closed in 1931.",
                "datePublished": CORRECTED,
            }
        ],
    }


async def test_an_article_without_authors_is_by_the_site(newsroom: Client) -> None:
    await newsroom.write("Notice", slug="notice", body="Text.", publish=True)
    article = (await head(newsroom, "/articles/notice")).article
    assert article["author"] == article["publisher"]
    assert article["description"] == "Text."
    assert "correction" not in article
    assert "articleSection" not in article


async def test_nothing_that_a_user_wrote_ends_the_script_element(newsroom: Client) -> None:
    await newsroom.write(HOSTILE, slug="bad", teaser=HOSTILE, body=HOSTILE, publish=True)
    page = await newsroom.http.get("/articles/bad")
    hostile = Head(page)
    scripts = ["application/ld+json", "module"]
    assert hostile.scripts == scripts, "the second one is that of the time bar"
    assert hostile.article["headline"] == HOSTILE
    assert hostile.all("og:title") == [HOSTILE]
    (data,) = re.findall("<script type=.application/ld.json.>(.*?)</script>", page.text, re.DOTALL)
    assert not set("<>&'") & set(data)


async def test_the_policy_of_pages_has_no_exception(tmp_path: Path) -> None:
    async with client(tmp_path / "data") as newsroom:
        await newsroom.write("The mill", slug="mill", body="Text.", publish=True)
        page = await newsroom.http.get("/articles/mill")
        assert Head(page).scripts == ["application/ld+json"]
        assert "script-src 'none'" in page.headers["Content-Security-Policy"]


async def test_a_page_as_of_a_moment_refers_to_the_current_page(newsroom: Client) -> None:
    then = await newsroom.store.log.head()
    mill = await mill_of(newsroom)
    await newsroom.do("postEdit", id=mill["id"], title="The mill turns", slug="mill-turns", publish=True)
    await newsroom.do("categoryRename", category={"slug": "town"}, name="City", slug="city")
    site = f"{newsroom.http.base_url}".rstrip("/")
    past = await head(newsroom, f"/articles/mill?asOf={then}")
    assert past.canonical == f"{site}/articles/mill-turns"
    assert past.all("og:url") == [f"{site}/articles/mill-turns"]
    assert past.all("og:title") == ["The tide mill"]
    assert past.all("robots") == ["noindex"]
    assert past.data == []
    assert (await head(newsroom, f"/?asOf={then}")).canonical == f"{site}/"
    assert (await head(newsroom, f"/categories/town?asOf={then}")).canonical == f"{site}/categories/city"


async def test_what_is_hidden_now_is_in_no_metadata(newsroom: Client) -> None:
    mill = await mill_of(newsroom)
    for correction in mill["corrections"]:
        await newsroom.do("correctionRetract", id=mill["id"], correction=correction["id"])
    await newsroom.do("postEdit", id=mill["id"], title="A secret draft", teaser="Secret.")
    page = await newsroom.http.get("/articles/mill")
    assert "1931" not in page.text
    assert "ecret" not in page.text
    assert Head(page).article["dateModified"] == PUBLISHED


async def test_lists_have_addresses_but_their_other_parts_have_none(newsroom: Client) -> None:
    for number in range(11):
        await newsroom.write(f"Article {number}", categories=[{"slug": "town"}], publish=True)
    site = f"{newsroom.http.base_url}".rstrip("/")
    for path, title in (("/", "The Courier"), ("/categories/town", "Town")):
        page = await newsroom.http.get(path)
        assert Head(page).canonical == f"{site}{path}"
        assert Head(page).all("og:title") == [title]
        assert Head(page).all("og:type") == ["website"]
        (older,) = re.findall(r'rel="next" href="(\?after=[^"]*)"', page.text)[:1]
        part = await head(newsroom, f"{path}{older}")
        assert part.canonical is None
        assert part.all("og:url") == []
    assert (await head(newsroom, "/categories/town")).all("og:description") == ["Bridge to breakwater."]
    assert Head(await newsroom.http.get("/nowhere")).properties[2:] == []


async def test_addresses_begin_with_the_address_of_the_site(newsroom: Client) -> None:
    settings = PageSettings(base_url="https://news.example.org/daily")
    app = make_app(
        newsroom.store,
        graphql_schema(),
        authenticator=FixedIdentity(ANONYMOUS),
        pages=page_contributions(),
        page_settings=settings,
    )
    transport = httpx2.ASGITransport(app=app)
    async with httpx2.AsyncClient(transport=transport, base_url="http://localhost") as http:
        article = Head(await http.get("/articles/mill?utm_source=mail"))
    assert article.canonical == "https://news.example.org/daily/articles/mill"
    assert article.article["publisher"]["url"] == "https://news.example.org/daily/"


@pytest.mark.parametrize(
    ("language", "locale"),
    [
        ("en", "en_US"),
        ("de", "de_DE"),
        ("ar", "ar_EG"),
        ("pt-BR", "pt_BR"),
        ("zh-Hant", "zh_TW"),
        ("es-419", None),
    ],
)
async def test_the_locale_has_a_territory(newsroom: Client, language: str, locale: str | None) -> None:
    await newsroom.do("siteLocalize", language=language)
    assert (await head(newsroom, "/articles/mill")).all("og:locale") == ([locale] if locale else [])
