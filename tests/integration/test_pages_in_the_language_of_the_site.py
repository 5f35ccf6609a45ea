"""Pages and feeds in each language that LedgerPress ships, and in others."""

import re
from collections.abc import Iterator, Sequence
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from typing import Final

import httpx2
import pytest
from starlette.applications import Starlette

from ledgerpress.commands.client_identity import ANONYMOUS, FixedIdentity
from ledgerpress.commands.command_request_and_context import CommandRequest
from ledgerpress.eventlog.clock_randomness_ids import SystemClock
from ledgerpress.features.demo.load import DemoClock, load_demo
from ledgerpress.features.registry import FEATURES, graphql_schema, page_contributions
from ledgerpress.features.site import LocalizeSite
from ledgerpress.http.app import make_app
from ledgerpress.http.feature_routes import RouteContext
from ledgerpress.http.pages.interface_texts.catalogues import Catalogue, read_catalogue
from ledgerpress.http.pages.interface_texts.placeholders import parts_of
from ledgerpress.http.pages.interface_texts.translations import translations_of
from ledgerpress.server.store import Store, open_store
from tests.integration.graphql_client import Client, client
from tests.integration.test_demo import LENGTH

SOURCE: Final = Path(__file__).parents[2] / "src" / "ledgerpress"
LANGUAGES: Final = ("de", "fr", "es", "ar")
SPECIAL: Final = (
    "/missing",
    "/missing?asOf={head}",
    "/?asOf=99999999",
    "/?asOf=3026-01-01",
    "/?asOf=x",
    "/?asOf={head}",
    "/compare?from=x",
    "/compare?from=99999999",
    "/compare?from=3026-01-01T09:00",
    "/compare?from=1&to=60",
    "/compare?from=60&to=1",
    "/compare?from=60&to=60",
    "/compare?from=0&to=1",
    "/articles/keeper/history/2?view=side-by-side",
)
"""Addresses that no link leads to: errors, and pages as of a moment."""
CLOSED: Final = ("/?asOf=1", "/articles/keeper/history", "/compare", "/corrections")


class OwnWords(HTMLParser):
    """Collects the text of a page that is not of users: outside of `bdi`, of `dir="auto"`, of data and code."""

    VOID: Final = frozenset({"meta", "link", "input", "br", "img", "path", "hr"})
    ATTRIBUTES: Final = ("aria-label", "title", "placeholder", "alt", "data-now", "data-pattern")

    def __init__(self, page: str) -> None:
        super().__init__()
        self.words: list[str] = []
        self.title = ""
        self._open: list[tuple[str, bool]] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        is_of_user = self._is_of_user or tag in {"bdi", "script"} or values.get("dir") == "auto"
        # The titles of feeds have names of users.
        if not is_of_user and tag != "link":
            self.words += [value for name in self.ATTRIBUTES if (value := values.get(name))]
        if tag not in self.VOID:
            self._open.append((tag, is_of_user))

    def handle_endtag(self, tag: str) -> None:
        while self._open and self._open.pop()[0] != tag:
            pass

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1][0] == "title":
            self.title += data
        elif not self._is_of_user and data.strip():
            self.words.append(" ".join(data.split()))

    @property
    def _is_of_user(self) -> bool:
        return bool(self._open) and self._open[-1][1]


def catalogues(language: str) -> Iterator[Catalogue]:
    for path in SOURCE.rglob(f"translations/{language}.po"):
        yield read_catalogue(path)


def english_words(language: str) -> set[str]:
    """Return the words in English that no page in another language has, from the catalogues."""
    english, translated = set[str](), set[str]()
    for catalogue in catalogues(language):
        for (_, text), translation in catalogue.items():
            english |= {part.strip(" :.,()“”") for part in parts_of(text)[::2]}
            for form in translation.forms:
                translated |= {part.strip(" :.,()«»") for part in parts_of(form)[::2]}
    return {words for words in english if len(words) > 3} - translated - {"article", "Text"} | {"ago"}


def app_of(store: Store, *, open_past: bool) -> Starlette:
    identity = FixedIdentity(ANONYMOUS)
    pages = page_contributions()
    words = translations_of(pages).words
    return make_app(
        store,
        graphql_schema(),
        authenticator=identity,
        pages=pages,
        routes=FEATURES.routes(lambda _: RouteContext(store, identity, open_past=open_past, words=words)),
        open_past=open_past,
    )


def http_of(app: Starlette) -> httpx2.AsyncClient:
    return httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app), base_url="http://localhost")


async def crawled(
    http: httpx2.AsyncClient, starts: Sequence[str], head: int, limit: int
) -> dict[str, httpx2.Response]:
    """Return the pages at some addresses, and those that they link to."""
    pages: dict[str, httpx2.Response] = {}
    waiting = list(starts)
    # As of other positions, the site had another language.
    earlier = re.compile(rf"asOf=(?!{head}\b)")
    while waiting and len(pages) < limit:
        address = waiting.pop(0)
        if address in pages:
            continue
        page = await http.get(address, follow_redirects=True)
        pages[address] = page
        links = map(unescape, re.findall(r'<a [^>]*href="(/[^"#]*)', page.text))
        waiting += [
            link
            for link in links
            if not link.startswith(("/graphql", "/feeds/"))
            and "proof" not in link
            and not earlier.search(link)
        ]
    return pages


@pytest.mark.slow
async def test_each_page_of_the_demo_is_in_the_language_of_the_site(tmp_path: Path) -> None:
    clock = DemoClock(SystemClock().now() - LENGTH)
    async with open_store(tmp_path, clock=clock, public_history=True) as store:
        await load_demo(store.commands, clock)
        async with http_of(app_of(store, open_past=True)) as http:
            for language in ("en", *LANGUAGES):
                await store.commands.handle(LocalizeSite(language=language), CommandRequest())
                head = await store.log.head()
                pages = await crawled(
                    http, [address.format(head=head) for address in ("/", *SPECIAL)], head, 70
                )
                statuses = {page.status_code for page in pages.values()}
                assert statuses == {200, 400, 404}
                if language != "en":
                    check(pages, language)
    async with (
        open_store(tmp_path, clock=clock) as store,
        http_of(app_of(store, open_past=False)) as http,
    ):
        for language in LANGUAGES:
            await store.commands.handle(LocalizeSite(language=language), CommandRequest())
            pages = {address: await http.get(address) for address in CLOSED}
            assert [page.status_code for page in pages.values()] == [403, 403, 403, 200]
            check(pages, language)


def check(pages: dict[str, httpx2.Response], language: str) -> None:
    """Fail if a page contains words in English, or another language or direction."""
    direction = "rtl" if language == "ar" else "ltr"
    english = re.compile(rf"\b(?:{'|'.join(map(re.escape, sorted(english_words(language))))})\b")
    for address, page in pages.items():
        assert f'<html lang="{language}" dir="{direction}">' in page.text, address
        assert 'lang="en"' not in page.text, address
        own = OwnWords(page.text)
        remaining = [words for words in own.words if english.search(words)]
        assert remaining == [], address
        assert not english.fullmatch(own.title.partition(" · ")[0].partition(":")[0]), own.title


async def test_a_page_without_a_moment_is_in_the_current_language(api: Client) -> None:
    await api.write("A", slug="a", publish=True)
    before = await api.store.log.head()
    await api.do("siteLocalize", language="de")
    now, then = await api.http.get("/articles/a"), await api.http.get(f"/articles/a?asOf={before}")
    assert 'lang="de"' in now.text
    assert ">Zum Inhalt springen</a>" in now.text
    # This server shows no past, so its page about that is current.
    assert (then.status_code, "Die Vergangenheit dieser Website" in then.text) == (403, True)


async def test_the_past_has_its_own_language(tmp_path: Path) -> None:
    async with client(tmp_path, open_past=True) as api:
        await api.write("A", slug="a", publish=True)
        before = await api.store.log.head()
        await api.do("siteLocalize", language="de")
        then = (await api.http.get(f"/articles/a?asOf={before}")).text
        assert '<html lang="en"' in then
        assert "(just now)" in then
        assert '<aside class="moment" aria-label="Zeitpunkt" lang="de" dir="ltr">' in then
        assert ">Zum Inhalt springen</a>" in (await api.http.get("/articles/a")).text


@pytest.mark.parametrize(
    ("language", "day", "minute", "latest"),
    [
        ("en", "10 March 2024", "10 March 2024, 14:30 UTC", "Latest"),
        ("en-US", "March 10, 2024", "March 10, 2024, 14:30 UTC", "Latest"),
        ("de-CH", "10. März 2024", "10. März 2024 um 14:30 Uhr UTC", "Neueste Artikel"),
        ("fr", "10 mars 2024", "10 mars 2024 à 14:30 (UTC)", "Derniers articles"),
        ("es-MX", "10 de marzo de 2024", "10 de marzo de 2024, 14:30 (UTC)", "Lo último"),
        ("ar", "10 مارس 2024", "\u206810 مارس 2024\u2069، \u206814:30\u2069 (\u2068UTC\u2069)", "أحدث المقالات"),
        ("ar-LB", "10 آذار 2024", "\u206810 آذار 2024\u2069، \u206814:30\u2069 (\u2068UTC\u2069)", "أحدث المقالات"),
    ],
)  # fmt: skip
async def test_dates_and_words_by_language_and_region(
    api: Client, language: str, day: str, minute: str, latest: str
) -> None:
    await api.do("siteLocalize", language=language)
    await api.write("A", slug="a", publish=True, publishedAt="2024-03-10T14:30:00Z")
    assert f'title="{minute}">{day}</time>' in (await api.http.get("/articles/a")).text
    assert f">{latest}</h2>" in (await api.http.get("/")).text


async def test_a_language_without_translations_has_english_words_that_are_marked(api: Client) -> None:
    await api.do("siteLocalize", language="he")
    await api.write("A", slug="a", publish=True, publishedAt="2024-03-10T14:30:00Z")
    page = (await api.http.get("/")).text
    assert '<h2 class="rubric"><bdi lang="en" dir="ltr">Latest</bdi></h2>' in page
    assert 'title="10 March 2024, 14:30 UTC"' in page
    assert '<bdi lang="en" dir="ltr">1 month ago</bdi></time>' in page


async def test_arabic_has_one_word_for_a_headline_and_another_one_for_the_address_of_a_page(
    tmp_path: Path,
) -> None:
    async with client(tmp_path, open_past=True, public_history=True) as api:
        await api.do("siteLocalize", language="ar")
        post = await api.write("الطاحونة", slug="mill", publish=True)
        await api.do("postEdit", id=post["id"], title="طاحونة المد", slug="tide-mill", publish=True)
        revision = (await api.http.get("/articles/tide-mill/history/2")).text
        assert re.findall(r"<h3>([^<]*)</h3>", revision)[:2] == ["عنوان المقال", "رابط الصفحة"]
        await api.do("postUnpublish", id=post["id"])
        for path in ("/none", "/none?asOf=1", "/articles/tide-mill", "/?asOf=x"):
            main = (await api.http.get(path)).text.partition("<main")[2].partition("</main>")[0]
            assert "رابط" in main, path
            assert "عنوان" not in main, path


async def test_feeds_have_the_words_of_the_site(api: Client) -> None:
    await api.do("siteName", name="Der Bote")
    await api.do("siteLocalize", language="de-AT")
    post = await api.write("A", slug="a", publish=True)
    await api.do("postPublish", id=post["id"], correction="Es war B.")
    feed = (await api.http.get("/feeds/corrections.json")).json()
    assert feed["title"] == "Korrekturen · Der Bote"
    assert feed["items"][0]["tags"] == ["Korrektur"]
    assert (
        '<span lang="de-AT"><strong>Korrektur</strong> (4. Mai 2024):</span>'
        in feed["items"][0]["content_html"]
    )
    assert 'title="Korrekturen · Der Bote"' in (await api.http.get("/")).text
    await api.do("siteLocalize", language="he")
    feed = (await api.http.get("/feeds/corrections.json")).json()
    assert feed["title"] == "Corrections · Der Bote"
    assert '<span lang="en">' in feed["items"][0]["content_html"]
