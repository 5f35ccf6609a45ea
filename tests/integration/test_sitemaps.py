"""Sitemaps and robots.txt, requested over HTTP from an application on a real store."""

from datetime import timedelta
from pathlib import Path
from typing import Final

import pytest

from ledgerpress import rfc3339
from ledgerpress.features.feeds import change_queries, changes_projection, sitemaps
from tests.fixed_sources import StandingClock
from tests.integration.feed_formats import parsed, valid_sitemap
from tests.integration.graphql_client import Client, client

NEWS: Final = "{http://www.google.com/schemas/sitemap-news/0.9}"
SITE: Final = "http://test"


async def sitemap(api: Client, path: str) -> dict[str, str | None]:
    return valid_sitemap(await api.http.get(path))


async def test_an_empty_site_has_a_sitemap_of_its_front_page(api: Client) -> None:
    assert await sitemap(api, "/sitemap.xml") == {f"{SITE}/sitemap-pages.xml": None}
    assert await sitemap(api, "/sitemap-pages.xml") == {f"{SITE}/": None}
    for path in ("/sitemap-articles-1.xml", "/sitemap-articles-0.xml", "/sitemap-news.xml"):
        assert (await api.http.get(path)).status_code == 404


async def test_sitemaps_list_what_is_public_with_the_time_of_its_last_change(api: Client) -> None:
    await api.do("categoryCreate", name="Town & country")
    mill = (await api.write("Mill", publish=True))["id"]
    ebb = (await api.write("Ebb", publish=True))["id"]
    await api.write("Draft")
    await api.do("postUnpublish", id=ebb)
    await api.do("postEdit", id=mill, slug="gezeitenmühle", publish=True)
    article = (await api.ask('{ article(slug: "gezeitenmühle") { updatedAt } }'))["article"]
    (only,) = (await sitemap(api, "/sitemap-articles-1.xml")).items()
    assert only == (f"{SITE}/articles/gezeitenm%C3%BChle", article["updatedAt"])
    pages = await sitemap(api, "/sitemap-pages.xml")
    assert pages.keys() == {f"{SITE}/", f"{SITE}/categories/town-country"}
    index = await sitemap(api, "/sitemap.xml")
    assert index[f"{SITE}/sitemap-articles-1.xml"] == article["updatedAt"]
    for address in index:
        assert await sitemap(api, address.removeprefix(SITE))
    await api.do("correctionAdd", id=mill, note="It stands.")
    (later,) = (await sitemap(api, "/sitemap-articles-1.xml")).values()
    assert later is not None
    assert later > article["updatedAt"]


async def test_an_article_stays_in_its_sitemap_and_empty_sitemaps_are_left_out(
    api: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (changes_projection, change_queries, sitemaps):
        monkeypatch.setattr(module, "SITEMAP_SIZE", 3)
    ids = [(await api.write(f"Story {number}", publish=True))["id"] for number in range(7)]
    parts = [set(await sitemap(api, f"/sitemap-articles-{part}.xml")) for part in (1, 2, 3)]
    assert [len(part) for part in parts] == [3, 3, 1]
    for id_ in (ids[0], *ids[3:6]):
        await api.do("postUnpublish", id=id_)
    assert set(await sitemap(api, "/sitemap-articles-1.xml")) == parts[0] - {f"{SITE}/articles/story-0"}
    assert (await api.http.get("/sitemap-articles-2.xml")).status_code == 404
    assert set(await sitemap(api, "/sitemap-articles-3.xml")) == parts[2]
    index = await sitemap(api, "/sitemap.xml")
    assert f"{SITE}/sitemap-articles-2.xml" not in index
    await api.do("postPublish", id=ids[0])
    assert set(await sitemap(api, "/sitemap-articles-1.xml")) == parts[0]


async def test_the_news_sitemap_has_the_articles_of_the_last_two_days(tmp_path: Path) -> None:
    clock = StandingClock()
    async with client(tmp_path, clock=clock) as api:
        await api.do("siteName", name="The <Courier>")
        await api.do("siteLocalize", language="pt-BR")
        await api.write("Old & <new>", publish=True)
        await api.write("From the archive", publish=True, publishedAt="2020-01-01T00:00:00Z")
        clock.time += timedelta(days=2) // timedelta(microseconds=1)
        root = parsed(await api.http.get("/sitemap-news.xml"))
        (news,) = root.iter(f"{NEWS}news")
        assert news.findtext(f"{NEWS}title") == "Old & <new>"
        assert news.findtext(f"{NEWS}publication/{NEWS}name") == "The <Courier>"
        assert news.findtext(f"{NEWS}publication/{NEWS}language") == "pt"
        rfc3339.parse(news.findtext(f"{NEWS}publication_date"))
        assert f"{SITE}/sitemap-news.xml" in await sitemap(api, "/sitemap.xml")
        clock.time += 1
        assert (await api.http.get("/sitemap-news.xml")).status_code == 404
        assert f"{SITE}/sitemap-news.xml" not in await sitemap(api, "/sitemap.xml")


@pytest.mark.parametrize(
    ("language", "code"), [("zh-Hant", "zh-tw"), ("zh", "zh-cn"), ("gsw-CH", "gsw"), ("ar", "ar")]
)
async def test_the_language_of_news_is_a_code_of_iso_639(api: Client, language: str, code: str) -> None:
    await api.do("siteLocalize", language=language)
    await api.write("News", publish=True)
    assert f"<news:language>{code}</news:language>" in (await api.http.get("/sitemap-news.xml")).text


async def test_robots_txt_names_the_sitemap(api: Client) -> None:
    response = await api.http.get("/robots.txt")
    assert response.headers["content-type"] == "text/plain; charset=utf-8"
    assert response.text.splitlines() == [
        "User-agent: *",
        "Disallow: /graphql",
        "",
        f"Sitemap: {SITE}/sitemap.xml",
    ]
