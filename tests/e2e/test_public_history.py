"""Histories, corrections and the comparison of front pages in a browser, without JavaScript, in English and in Arabic."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

import pytest

from tests.e2e.chromium import Page
from tests.e2e.demo_site import EVERYTHING
from tests.e2e.pages_in_browser import foreign_requests, save_picture
from tests.integration.graphql_client import client
from tests.integration.server_process import Servers

WIDTHS: Final = (1200, 360, 320)
ARABIC: Final = ("طاحونة المد تدور من جديد", "للطاحونة عجلتان.", "للطاحونة ثلاث عجلات.", "ثلاث عجلات")
ENGLISH: Final = ("The tide mill turns again", "It has two wheels.", "It has three wheels.", "three wheels")

TEXTS: Final = {
    "en": (
        "3 published versions", "Version 2 of 3", "History", "Edited without a note", "Compare two front pages",
        "Articles that are not public today",
    ),
    "ar": (
        "3 نسخ منشورة", "النسخة 2 من 3", "تاريخ التعديلات", "عُدّل من دون ملاحظة", "مقارنة صفحتين رئيسيتين",
        "لا تُعرض المقالات غير المتاحة للجمهور",
    ),
}  # fmt: skip


@pytest.fixture(params=["en", "ar"])
async def public_site(
    request: pytest.FixtureRequest, tmp_path: Path, any_silence: None
) -> AsyncIterator[str]:
    """The address of a site with public histories and an open past, in English or in Arabic."""
    data = tmp_path / "store"
    title, before, after, passage = ARABIC if request.param == "ar" else ENGLISH
    async with client(data) as newsroom:
        await newsroom.do("siteName", name="The Courier")
        await newsroom.do("siteLocalize", language=request.param)
        post = await newsroom.write(title, body=before, slug="mill", publish=True)
        note = {"note": after, "passage": passage}
        await newsroom.do("postEdit", id=post["id"], body=after, publish=True, withCorrection=note)
        await newsroom.do("postEdit", id=post["id"], title=f"{title}!", publish=True)
        await newsroom.write("x" * 90, body="y" * 300, publish=True)
        blocks = await newsroom.write("Blocks", slug="blocks", body=EVERYTHING, publish=True)
        edited = EVERYTHING.replace("06:40", "06:41").replace("- [ ]", "- [x] oil\n- [ ]")
        await newsroom.do("postEdit", id=blocks["id"], body=edited, publish=True)
    async with Servers(tmp_path) as servers:
        server = await servers.start(data, "--public-history", "--open-past")
        host, port = await server.address()
        yield f"http://{host}:{port}"


async def click(page: Page, selector: str, path: str, text: str) -> None:
    """Click a link or a button, and wait for the page at a path, which contains a text."""
    await page.value(f"document.querySelector({selector!r}).click()")
    await page.until(
        f"location.pathname === {path!r} && document.readyState === 'complete'"
        f" && document.querySelector('main')?.innerText.includes({text!r})"
    )


async def test_readers_go_from_an_article_to_a_difference_and_back_without_javascript(
    page: Page, public_site: str, tmp_path: Path
) -> None:
    await page.disable_scripts()
    await page.go(f"{public_site}/articles/mill")
    versions, number, article, kind, fronts, hidden = TEXTS[await page.value("document.documentElement.lang")]
    history = "/articles/mill/history"
    await click(page, '.reading a[href$="/history"]', history, versions)
    await click(page, 'a[href$="/history/2"]', f"{history}/2", number)
    assert await page.value("document.querySelectorAll('.diff ins, .diff del').length") >= 2
    assert await page.value("document.querySelectorAll('.diff mark').length") == 1
    await page.value("document.querySelector('#page_view').value = 'side-by-side'")
    await page.value("document.querySelector('.compare button').click()")
    await page.until("document.querySelector('table.sides') && document.readyState === 'complete'")
    assert "view=side-by-side" in await page.value("location.search")
    assert await page.value("document.querySelectorAll('table.sides mark').length") == 1
    await click(page, 'h1 a[href$="/articles/mill"]', "/articles/mill", article)
    await click(page, '.colophon a[href="/corrections"]', "/corrections", kind)
    await click(page, '.colophon a[href="/compare"]', "/compare", fronts)
    await page.value("document.querySelector('.compare button').click()")
    await page.until("location.search.includes('from=') && document.readyState === 'complete'")
    assert hidden in await page.value("document.body.innerText")
    assert foreign_requests(page, public_site) == []
    assert page.complaints == []


async def test_the_pages_fit_every_width_in_both_directions(
    page: Page, public_site: str, tmp_path: Path
) -> None:
    language = None
    for name, path in {
        "history": "/articles/mill/history",
        "revision": "/articles/mill/history/2",
        "sides": "/articles/mill/history/3?from=1&view=side-by-side",
        "corrections": "/corrections",
        "compare": "/compare?from=1",
        "exchanged": "/compare?from=9&to=2",
        "problem": "/compare?from=1&to=999999",
        "proof": "/articles/mill/history/2/check",
        "blocks": "/articles/blocks/history/2",
        "block-sides": "/articles/blocks/history/2?view=side-by-side",
    }.items():
        for width in WIDTHS:
            await page.go(f"{public_site}{path}", width=width)
            language = await page.value("document.documentElement.lang")
            assert await page.value("document.documentElement.scrollWidth") <= width, (path, width)
            small = "[...document.querySelectorAll('main :is(input, select, button)')]"
            assert await page.value(f"{small}.every(each => each.getBoundingClientRect().height >= 24)")
            await save_picture(page, f"{name}-{language}-{width}", tmp_path)
        assert await page.value("document.querySelectorAll('h1').length") == 1
        unnamed = (
            "[...document.querySelectorAll('main :is(input, select)')].filter(each => !each.labels.length)"
        )
        assert await page.value(f"{unnamed}.length") == 0
    assert await page.value("document.documentElement.dir") == ("rtl" if language == "ar" else "ltr")


async def test_readers_check_a_proof_and_compare_without_javascript(page: Page, public_site: str) -> None:
    await page.disable_scripts()
    await page.go(f"{public_site}/articles/mill/history/2")
    await page.value("document.querySelector('.steps a[href$=\"/check\"]').click()")
    await page.until("location.pathname.endsWith('/check') && document.readyState === 'complete'")
    assert await page.value("document.querySelectorAll('.proof dd').length") == 4
    assert await page.value("document.querySelectorAll('.proof a[download]').length") == 2
    assert await page.value("document.querySelector('#time')") is None
    await page.go(f"{public_site}/articles/mill/history")
    await page.value("document.querySelector('.steps a[href*=\"asOf=\"]').click()")
    await page.until("location.search.startsWith('?asOf=') && document.readyState === 'complete'")
    position = (await page.value("location.search")).removeprefix("?asOf=")
    await page.value("document.querySelector('.colophon a[href*=\"/compare\"]').click()")
    await page.until("location.pathname === '/compare' && document.readyState === 'complete'")
    assert await page.value("location.search") == f"?to={position}"
    assert await page.value("document.querySelectorAll('main a[href*=\"asOf=\"]').length") > 0
    assert await page.value("document.querySelector('#time')") is None


async def test_a_history_has_marks_and_a_difference_has_its_blocks(page: Page, public_site: str) -> None:
    await page.go(f"{public_site}/articles/mill/history")
    await page.until("document.querySelector('.time-bar-slider')?.hidden === false")
    assert await page.value("document.querySelector('.time-bar-slider').dataset.marks.split(' ').length") >= 1
    await page.go(f"{public_site}/articles/blocks/history/2")
    for blocks in ("tr > td ins", "li > .inserted", "blockquote > p", "pre", "h4, h5"):
        assert await page.value(f"document.querySelectorAll('.diff :is({blocks})').length") > 0, blocks
