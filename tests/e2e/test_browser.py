"""The pages for readers in a real browser, served by the real program."""

from pathlib import Path

from tests.e2e.chromium import Page
from tests.e2e.pages_in_browser import HOSTILE, foreign_requests, name_of, save_picture


async def test_the_front_page_shows_its_titles_and_fits_a_phone(
    page: Page, site: str, tmp_path: Path
) -> None:
    for width in (1200, 390, 320):
        await page.go(f"{site}/", width=width)
        text = await page.value("document.body.innerText")
        for title in ("The Courier", "The tide mill turns again", HOSTILE):
            assert title in text
        assert await page.value("document.documentElement.scrollWidth") <= width
        assert await page.value("document.styleSheets.length") == 1
        await save_picture(page, f"front-page-{name_of(site)}-{width}", tmp_path)
    assert foreign_requests(page, site) == []
    assert page.complaints == []


async def test_an_article_fits_a_phone_and_links_to_the_front_page(page: Page, site: str) -> None:
    await page.go(f"{site}/", width=390)
    await page.value("document.querySelector('.card h3 a').click()")
    await page.until("document.querySelector('.reading h1') && document.readyState === 'complete'")
    assert await page.value("document.documentElement.scrollWidth") <= 390
    await page.value("document.querySelector('.site-name a').click()")
    await page.until("document.querySelector('h1.site-name')")
    assert page.complaints == []


async def test_pages_follow_the_colour_scheme_that_the_reader_prefers(page: Page, site: str) -> None:
    colours = []
    for scheme in ("light", "dark"):
        await page.prefer(scheme)
        await page.go(f"{site}/")
        colours.append(await page.value("getComputedStyle(document.documentElement).backgroundColor"))
    assert colours == ["rgb(253, 252, 249)", "rgb(23, 22, 20)"]
