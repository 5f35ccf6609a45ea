"""The language, the time zone and the direction of text on the pages for readers."""

import re
import unicodedata
from html import unescape
from typing import Any

import pytest

from ledgerpress.http.pages.language_and_direction import bdi, direction_of, isolated
from tests.integration.graphql_client import Client

OVERRIDE, POP_ISOLATE, ISOLATE = "\u202e", "\u2069", "\u2067"
SITE = "query ($at: AsOf) { site(asOf: $at) { name language timeZone version } }"
EVENING = "2024-03-10T02:30:00Z"
"""In New York it is still the evening of 9 March."""


async def text_of(api: Client, path: str) -> str:
    page = await api.http.get(path)
    assert page.status_code == 200
    return page.text


def title_of(page: str) -> str:
    match = re.search("<title>(.*?)</title>", page)
    assert match
    return unescape(match[1])


async def test_a_site_is_in_english_and_in_utc_until_it_is_localized(api: Client) -> None:
    assert (await api.ask(SITE))["site"] == {"name": None, "language": "en", "timeZone": "UTC", "version": 0}
    assert '<html lang="en" dir="ltr">' in await text_of(api, "/")


async def test_language_and_time_zone_have_a_history(api: Client) -> None:
    await api.do("siteName", name="The Pier")
    before = await api.store.log.head()
    await api.do("siteLocalize", language="AR-eg", timeZone="africa/cairo", reason="New readers.")
    await api.do("siteLocalize", timeZone="UTC", expectedVersion=2)
    head = await api.store.log.head()
    assert (await api.do("siteLocalize", language="ar-EG"))["userErrors"] == []
    assert await api.store.log.head() == head, "nothing to do"
    expected = {"name": "The Pier", "language": "ar-EG", "timeZone": "UTC", "version": 3}
    assert (await api.ask(SITE))["site"] == expected
    past = (await api.ask(SITE, at={"position": before}))["site"]
    assert past == {"name": "The Pier", "language": "en", "timeZone": "UTC", "version": 1}
    query = '{ changes(first: 2, filter: { types: ["site.localized"] }, orderBy: OLDEST) { nodes { before after reason } } }'
    first, second = (await api.ask(query))["changes"]["nodes"]
    assert first == {
        "before": {"language": None, "timeZone": None},
        "after": {"language": "ar-EG", "timeZone": "Africa/Cairo"},
        "reason": "New readers.",
    }
    assert second == {
        "before": {"timeZone": "Africa/Cairo"},
        "after": {"timeZone": "UTC"},
        "reason": None,
    }


@pytest.mark.parametrize(
    ("input", "code", "field"),
    [
        ({"language": "english"}, "INVALID_VALUE", "language"),
        ({"language": "en", "timeZone": "Berlin"}, "INVALID_VALUE", "timeZone"),
        ({"language": None}, "INVALID_VALUE", "language"),
        ({"timeZone": None}, "INVALID_VALUE", "timeZone"),
        ({"timeZone": " "}, "BLANK", "timeZone"),
        ({"language": "x" * 101}, "TOO_LONG", "language"),
        ({"language": "ar", "expectedVersion": 7}, "VERSION_CONFLICT", "expectedVersion"),
    ],
)
async def test_an_invalid_locale_changes_nothing(
    api: Client, input: dict[str, Any], code: str, field: str
) -> None:
    head = await api.store.log.head()
    (error,) = (await api.do("siteLocalize", **input))["userErrors"]
    assert (error["code"], error["field"]) == (code, ["input", field])
    assert await api.store.log.head() == head


@pytest.mark.parametrize(
    ("language", "direction"),
    [
        ("he-IL", "rtl"), ("iw", "rtl"), ("fa", "rtl"), ("ur-PK", "rtl"), ("ckb", "rtl"),
        ("dv", "rtl"), ("yi", "rtl"), ("nqo", "rtl"), ("az-Arab", "rtl"), ("pa-PK", "rtl"), ("ks", "rtl"),
        ("az", "ltr"), ("pa", "ltr"), ("ar-Latn", "ltr"), ("und", "ltr"), ("x-desk", "ltr"), ("zh-Hant", "ltr"),
    ],
)  # fmt: skip
async def test_without_translations_every_page_declares_its_language_and_has_english_words(
    api: Client, language: str, direction: str
) -> None:
    await api.do("siteLocalize", language=language)
    await api.do("categoryCreate", name="News", slug="news")
    await api.write("A", slug="a", publish=True)
    for path in ("/", "/articles/a", "/categories/news", "/missing"):
        page = (await api.http.get(path)).text
        assert f'<html lang="{language}" dir="{direction}">' in page, path
        assert re.search('lang="en" dir="ltr"[^>]*>', page.partition("<main")[2]), "its own words are English"


async def test_dates_are_in_the_time_zone_of_the_site(api: Client) -> None:
    post = await api.write("A", slug="a", publish=True, publishedAt=EVENING)
    before = await text_of(api, "/articles/a")
    assert f'<time datetime="{EVENING}" title="10 March 2024, 02:30 UTC">10 March 2024</time>' in before
    age = re.search(r"\((.*? ago)\)", before)
    await api.do("siteLocalize", timeZone="America/New_York")
    after = await text_of(api, "/articles/a")
    assert f'<time datetime="{EVENING}" title="9 March 2024, 21:30 EST">9 March 2024</time>' in after
    assert age
    assert age[0] in after, "ages do not depend on the time zone"
    assert 'title="9 March 2024, 21:30 EST"' in await text_of(api, "/")
    # The clock of these tests is at 2024-05-04T08:00Z.
    await api.do("siteLocalize", timeZone="Pacific/Pago_Pago")
    await api.do("postPublish", id=post["id"], correction="It was B.")
    corrected = (await text_of(api, "/articles/a")).partition('class="corrections"')[2]
    assert ">3 May 2024, 21:00 SST</time>" in corrected
    assert '<p dir="auto">It was B.</p>' in corrected


@pytest.mark.parametrize(
    ("zone", "at", "shown"),
    [
        ("America/New_York", "2024-03-10T07:00:00Z", "10 March 2024, 03:00 EDT"),
        ("Asia/Kathmandu", "2024-01-01T18:15:00Z", "2 January 2024, 00:00 UTC+0545"),
        ("America/Sao_Paulo", "2024-01-01T02:59:00Z", "31 December 2023, 23:59 UTC-0300"),
        ("Pacific/Kiritimati", "2023-12-31T10:00:00Z", "1 January 2024, 00:00 UTC+1400"),
        ("Pacific/Apia", "2011-12-30T10:00:00Z", "31 December 2011, 00:00 UTC+1400"),
        ("America/New_York", "1850-01-01T04:00:00Z", "31 December 1849, 23:03 LMT"),
        ("America/New_York", "0001-01-01T00:00:00Z", "1 January 1, 00:00 UTC"),
    ],
)
async def test_local_dates(api: Client, zone: str, at: str, shown: str) -> None:
    await api.do("siteLocalize", timeZone=zone)
    await api.write("A", slug="a", publish=True, publishedAt=at)
    assert f'title="{shown}"' in await text_of(api, "/articles/a")


@pytest.mark.parametrize("query", ["?utm_source=news", "?fbclid=1&utm_medium=x", "?page=2", "?", "?After=x"])
async def test_only_paging_parameters_select_an_archive_page(api: Client, query: str) -> None:
    assert "Nothing has been published yet." in await text_of(api, f"/{query}")
    for number in range(11):
        await api.write(f"A{number}", publish=True)
    page = await text_of(api, f"/{query}")
    assert ">Latest</h2>" in page
    assert 'class="card lead"' in page
    older = re.search(r'rel="next" href="(.*?)"', page)
    assert older
    archive = await text_of(api, f"/{unescape(older[1])}&utm_source=news")
    assert ">From the archive</h2>" in archive
    assert 'class="card lead"' not in archive
    for empty in ("/?after=", "/?before="):
        assert (await api.http.get(empty)).status_code == 404


async def test_text_of_users_cannot_reverse_what_follows(api: Client) -> None:
    hostile = f"Evil {OVERRIDE}title {POP_ISOLATE}{OVERRIDE}end {ISOLATE}open"
    await api.do("siteName", name=f"جريدة {OVERRIDE}")
    author = await api.do("authorRegister", "author { id }", name=hostile)
    await api.do("categoryCreate", name=hostile, slug="news", description=hostile)
    await api.do("categoryCreate", name=hostile, slug="inner", parent={"slug": "news"})
    post = await api.write(
        hostile,
        slug="a",
        body=f"## {hostile}\n\n## B\n\n## C\n",
        teaser=hostile,
        authors=[author["author"]["id"]] * 1,
        categories=[{"slug": "inner"}],
        publish=True,
    )
    await api.do("postPublish", id=post["id"], correction=hostile)
    for path in ("/", "/articles/a", "/categories/news", "/categories/inner"):
        page = await text_of(api, path)
        assert is_balanced(title_of(page)), path
        body = page.partition("<body>")[2]
        hidden = re.sub(r"<bdi>(.*?)</bdi>", lambda match: "" if is_balanced(match[1]) else match[0], body)
        hidden = re.sub(r'<(h1|h3|p|div)( [^>]*)? dir="auto">.*?</\1>', "", hidden, flags=re.DOTALL)
        assert OVERRIDE not in hidden, path


def is_balanced(text: str) -> bool:
    """Return whether each isolate in a text ends in it, and each override is inside an isolate or ends in it."""
    depth = 0
    for character in text:
        kind = unicodedata.bidirectional(character)
        depth += (kind in {"LRI", "RLI", "FSI"}) - (kind == "PDI")
        if depth < 0:
            return False
    return depth == 0


@pytest.mark.parametrize(
    ("text", "plain", "html"),
    [
        ("A & B", "A & B", "A &amp; B"),
        ("Zoë – “Ü”", "Zoë – “Ü”", "Zoë – “Ü”"),
        ("日本語", "日本語", "日本語"),
        ("שלום", "\u2068שלום\u2069", "שלום"),
        ("A\u202eB", "\u2068A\u202eB\u2069", "A\u202eB"),
        ("A\u2069\u202eB", "\u2068A\u202eB\u2069", "A\u202eB"),
        ("A\u2066B", "\u2068A\u2066B\u2069\u2069", "A\u2066B\u2069"),
        ("A\u2067B\u2069\u2069C", "\u2068A\u2067B\u2069C\u2069", "A\u2067B\u2069C"),
        ("٣٤", "\u2068٣٤\u2069", "٣٤"),
    ],
)
def test_isolation(text: str, plain: str, html: str) -> None:
    assert isolated(text) == plain
    assert bdi(text) == f"<bdi>{html}</bdi>"
    assert is_balanced(isolated(text))


def test_the_direction_of_an_unknown_language_is_left_to_right() -> None:
    assert direction_of("xx") == "ltr"


async def test_localizing_the_site_invalidates_only_responses_about_the_site(api: Client) -> None:
    await api.write("A", slug="a", publish=True)
    about_site, about_article = "{ site { language } }", '{ article(slug: "a") { title } }'
    first = [await api.http.get("/graphql", params={"query": query}) for query in (about_site, about_article)]
    await api.do("siteLocalize", language="he")
    second = [
        await api.http.get("/graphql", params={"query": query}) for query in (about_site, about_article)
    ]
    assert second[0].json()["data"] == {"site": {"language": "he"}}
    assert second[0].headers["ETag"] != first[0].headers["ETag"]
    assert second[1].headers["ETag"] == first[1].headers["ETag"]
    assert '<html lang="he" dir="rtl">' in await text_of(api, "/articles/a")
