"""The path of a reader through a corrected newspaper: with JavaScript, without it, and in Arabic.

From the front page into the past and back, to an article, its history and a difference, the corrections, the comparison
of front pages, an author, a page of the site, and the next article.
"""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

import pytest

from tests.e2e.chromium import Page
from tests.e2e.pages_in_browser import foreign_requests, save_picture
from tests.fixed_sources import SetClock
from tests.integration.graphql_client import Client, client
from tests.integration.server_process import Servers

DAY: Final = 86_400_000_000
ENTER, LEFT, RIGHT = 13, 37, 39
MILL: Final = "/articles/mill"
MOMENT: Final = "document.querySelector('.moment')"
SLIDER: Final = "document.querySelector('#time_slider')"

Texts = dict[str, str]

TEXTS: Final[dict[str, Texts]] = {
    "en": {
        "wrong": "The mill has two wheels", "right": "The mill has three wheels", "note": "There are three wheels.",
        "tram": "The tram rings", "library": "The library opens", "author": "Ines Okafor", "about": "About us",
        "town": "Town",
        "moment": "You are reading this page as it was on", "return": "Return to the current page",
        "in time": "This page in time", "correction": "Correction", "history": "2 published versions",
        "version": "Version 2 of 2", "corrections": "Corrections, clarifications and updates", "renamed": "With another headline",
        "count": "3 articles", "related": "Related articles", "then": "There was nothing at this address then",
    },
    "ar": {
        "wrong": "للطاحونة عجلتان", "right": "للطاحونة ثلاث عجلات", "note": "عدد العجلات ثلاث.",
        "tram": "الترام يقرع الجرس", "library": "المكتبة تفتح أبوابها", "author": "إيناس عكاشة", "about": "من نحن",
        "town": "المدينة",
        "moment": "أنت تقرأ هذه الصفحة كما كانت في", "return": "العودة إلى الصفحة الحالية",
        "in time": "هذه الصفحة عبر الزمن", "correction": "تصحيح", "history": "نسختان منشورتان",
        "version": "النسخة 2 من 2", "corrections": "تصحيحات وتوضيحات وتحديثات", "renamed": "بعنوان آخر",
        "count": "3 مقالات", "related": "مقالات ذات صلة", "then": "لم يكن هناك شيء على هذا الرابط آنذاك",
    },
}  # fmt: skip
"""What the newsroom writes, and what its readers then see."""


async def write_newspaper(newsroom: Client, clock: SetClock, language: str) -> None:
    """Publish an article on each of three days, and correct the first one on the fourth."""
    texts = TEXTS[language]
    await newsroom.do("siteName", name="The Courier")
    await newsroom.do("siteLocalize", language=language)
    await newsroom.do("categoryCreate", name=texts["town"], slug="town")
    author = (await newsroom.do("authorRegister", "author { id }", name=texts["author"]))["author"]["id"]
    created = await newsroom.do(
        "pageCreate", "pageDraft { id }", title=texts["about"], slug="about", body="…", publish=True
    )
    link = {"label": texts["about"], "place": "HEADER", "target": {"page": created["pageDraft"]["id"]}}
    await newsroom.do("menuArrange", items=[link])
    shared = {"authors": [author], "categories": [{"slug": "town"}], "publish": True}
    posts = {}
    for slug, title in (("mill", "wrong"), ("tram", "tram"), ("library", "library")):
        clock.time += DAY
        posts[slug] = await newsroom.write(texts[title], slug=slug, body=f"{texts[title]}.", **shared)
    clock.time += DAY
    await newsroom.do(
        "postEdit",
        id=posts["mill"]["id"],
        title=texts["right"],
        body=f"{texts['right']}.",
        publish=True,
        withCorrection={"note": texts["note"], "passage": texts["right"]},
    )


@pytest.fixture(params=["en", "ar"])
async def newspaper(
    request: pytest.FixtureRequest, tmp_path: Path, any_silence: None
) -> AsyncIterator[tuple[str, Texts]]:
    """The address of a newspaper in a language, and its texts."""
    data, clock = tmp_path / "store", SetClock()
    async with client(data, clock=clock) as newsroom:
        await write_newspaper(newsroom, clock, request.param)
    async with Servers(tmp_path) as servers:
        host, port = await (await servers.start(data, "--open-past", "--public-history")).address()
        yield f"http://{host}:{port}", TEXTS[request.param]


async def arrive(page: Page, path: str, condition: str = "true") -> None:
    """Wait for the page at a path. Its title and its heading are there, and it is in the reader's direction."""
    await page.until(
        f"location.pathname === {path!r} && document.readyState === 'complete' && Boolean({condition})"
    )
    assert await page.value("document.querySelectorAll('h1').length") == 1
    assert await page.value("document.dir") == await page.value(
        "document.documentElement.lang === 'ar' ? 'rtl' : 'ltr'"
    )


async def follow(page: Page, selector: str, path: str, condition: str = "true") -> None:
    """Click a link or a button, and wait for the page to which it leads."""
    await page.value(f"document.querySelector({selector!r}).click()")
    await arrive(page, path, condition)


async def sees(page: Page, text: str) -> bool:
    return text in await page.value("document.body.innerText")


async def heading(page: Page) -> str:
    text: str = await page.value("document.querySelector('h1').innerText")
    return text


async def titles(page: Page) -> list[str]:
    texts: list[str] = await page.value("[...document.querySelectorAll('.card h3')].map(h => h.innerText)")
    return texts


async def asked_moment(page: Page) -> str | None:
    """Return the moment in the address of the page."""
    moment: str | None = await page.value("new URLSearchParams(location.search).get('asOf')")
    return moment


async def test_a_reader_follows_a_correction_through_the_past_and_back(
    page: Page, newspaper: tuple[str, Texts], tmp_path: Path
) -> None:
    site, texts = newspaper
    for has_scripts in (True, False):
        if not has_scripts:
            await page.disable_scripts()
        await page.go(f"{site}/")
        assert await titles(page) == [texts["library"], texts["tram"], texts["right"]]
        await go_back_in_time(page, texts, has_scripts=has_scripts)
        name = f"reader-past-{await page.value('document.dir')}-{'scripts' if has_scripts else 'no-scripts'}"
        await save_picture(page, name, tmp_path)
        await read_the_article_of_that_time(page, texts)
        await read_what_changed(page, texts)
        await read_about_all_corrections(page, texts)
        await read_on(page, texts)
        await look_for_an_article_before_it_was_published(page, texts)
    assert foreign_requests(page, site) == []
    assert [text for text in page.complaints if "404" not in text] == []


async def go_back_in_time(page: Page, texts: Texts, *, has_scripts: bool) -> None:
    """Go from the link at the end of the front page to the time bar, and to a time before the correction."""
    assert not await page.value(f"Boolean({MOMENT})")
    link = "document.querySelector('.colophon a[href=\"#time\"]')"
    assert await page.value(f"{link}.innerText") == texts["in time"]
    await page.value(f"{link}.click()")
    await page.until("document.querySelector('#time').getBoundingClientRect().top < innerHeight")
    assert await page.value("document.querySelector('.time-bar-slider').checkVisibility()") == has_scripts
    if has_scripts:
        await page.value(f"{SLIDER}.focus()")
        is_rtl = await page.value("document.dir") == "rtl"
        await page.press(*(("ArrowRight", RIGHT) if is_rtl else ("ArrowLeft", LEFT)))
        await page.press("Enter", ENTER)
        await arrive(page, "/", MOMENT)
    else:
        await follow(page, ".time-bar [rel=prev]", "/", MOMENT)
    assert await titles(page) == [texts["library"], texts["tram"], texts["wrong"]]
    assert texts["moment"] in await page.value(f"{MOMENT}.innerText")
    await follow(page, ".time-bar [rel=prev]", "/", "document.querySelectorAll('.card').length === 2")
    await follow(page, ".time-bar [rel=next]", "/", "document.querySelectorAll('.card').length === 3")


async def read_the_article_of_that_time(page: Page, texts: Texts) -> None:
    """Open an article without its later correction, and its history without the later version; return to today."""
    moment = await asked_moment(page)
    assert moment is not None
    await follow(page, ".card:last-of-type h3 a", MILL, MOMENT)
    assert await asked_moment(page) == moment
    assert await heading(page) == texts["wrong"]
    assert not await page.value("Boolean(document.querySelector('.corrections'))")
    await follow(page, '.reading a[href*="/history"]', f"{MILL}/history", MOMENT)
    assert await page.value("document.querySelectorAll('.revisions li').length") == 1
    await follow(page, "h1 a", MILL, MOMENT)
    assert await asked_moment(page) == moment
    await follow(page, ".moment a", MILL, f"!{MOMENT}")
    assert await asked_moment(page) is None


async def read_what_changed(page: Page, texts: Texts) -> None:
    """Read the article of today, its history, and a difference, in one text and side by side."""
    assert await heading(page) == texts["right"]
    notes = await page.value("document.querySelector('.corrections').innerText")
    assert texts["correction"] in notes
    assert texts["note"] in notes
    await follow(page, '.reading a[href$="/history"]', f"{MILL}/history")
    assert await sees(page, texts["history"])
    await follow(page, 'a[href$="/history/2"]', f"{MILL}/history/2")
    assert await sees(page, texts["version"])
    assert await page.value("document.querySelectorAll('.diff ins').length") >= 2
    assert await page.value("document.querySelectorAll('.diff del').length") >= 2
    await page.value("document.querySelector('#page_view').value = 'side-by-side'")
    await follow(page, ".compare button", f"{MILL}/history/2", "document.querySelector('table.sides')")
    columns = await page.value(
        "[...document.querySelectorAll('table.sides thead')]"
        ".map(head => [...head.querySelectorAll('th')].map(th => th.getBoundingClientRect().x))"
    )
    is_rtl = await page.value("document.dir") == "rtl"
    assert columns
    assert all((older > newer) == is_rtl for older, newer in columns), "the older text comes first"
    await follow(page, ".rubric a", f"{MILL}/history")


async def read_about_all_corrections(page: Page, texts: Texts) -> None:
    """Find the correction in the list of all, and what it did to the front page."""
    await follow(page, '.colophon a[href="/corrections"]', "/corrections")
    assert await sees(page, texts["corrections"])
    assert await sees(page, texts["note"])
    await follow(page, '.revisions a[href$="/history/2"]', f"{MILL}/history/2")
    await follow(page, '.colophon a[href="/compare"]', "/compare")
    await page.value("document.querySelector('#page_from').value = '2024-05-06T23:00'")
    await follow(page, ".compare button", "/compare", "location.search.includes('from=2024-05-06')")
    assert await sees(page, texts["renamed"])
    changed = await page.value("document.querySelector('main').innerText")
    assert all(texts[name] in changed for name in ("library", "right", "wrong"))


async def read_on(page: Page, texts: Texts) -> None:
    """Go to an author from a byline, to a page of the site from the menu, and from article to article."""
    await follow(page, ".revisions h3 a", "/articles/library")
    assert texts["related"] in await page.value("document.querySelector('.related').textContent")
    await follow(page, "a[rel=author]", await page.value("document.querySelector('a[rel=author]').pathname"))
    assert await heading(page) == texts["author"]
    assert texts["count"] in await page.value("document.querySelector('main').textContent")
    assert await titles(page) == [texts["library"], texts["tram"], texts["right"]]
    await follow(page, ".masthead nav a", "/pages/about")
    assert await heading(page) == texts["about"]
    await follow(page, ".site-name a", "/")
    await follow(page, '.card h3 a[href="/articles/tram"]', "/articles/tram")
    await follow(page, ".neighbours a[rel=prev]", MILL)
    await follow(page, ".neighbours a[rel=next]", "/articles/tram")


async def look_for_an_article_before_it_was_published(page: Page, texts: Texts) -> None:
    """Choose a time at which the page did not exist, and return to the article and to the front page of today."""
    await page.value("document.querySelector('#time_field').value = '2024-05-05T23:00'")
    await follow(page, ".time-bar button", "/articles/tram", MOMENT)
    assert await sees(page, texts["then"])
    assert await page.value(f"{MOMENT}.querySelector('a').innerText") == texts["return"]
    await follow(page, ".moment a", "/articles/tram", f"!{MOMENT}")
    assert await heading(page) == texts["tram"]
    await follow(page, ".site-name a", "/")
    assert await titles(page) == [texts["library"], texts["tram"], texts["right"]]
