"""Every page of the demo is checked with axe-core, and read and operated with the keyboard alone."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import pytest

from tests.conformance import node
from tests.e2e.chromium import Page
from tests.e2e.demo_pages import CLOSED_PAGES, EMPTY_PAGES, EVERYTHING, OPEN, html_pages_of
from tests.e2e.demo_site import demo_site, empty_site
from tests.e2e.pages_in_browser import save_picture

pytestmark = pytest.mark.slow

WIDTHS: Final = (1200, 360)
RUN: Final = """
    axe.run(document, {{
        runOnly: {rules},
        rules: {{"target-size": {{enabled: true}}}},
    }}).then(result => result.violations.map(violation => [
        violation.id, violation.help, ...violation.nodes.map(node => node.target.join(" ") + ": " + node.failureSummary),
    ].join("\\n  ")))
"""
TAGS: Final = "wcag2a wcag2aa wcag21a wcag21aa wcag22aa best-practice"
ALL_RULES: Final = RUN.format(rules=f"{{type: 'tag', values: '{TAGS}'.split(' ')}}")
CONTRAST: Final = RUN.format(
    rules="{type: 'rule', values: ['color-contrast', 'link-in-text-block']}"
).replace('rules: {"target-size": {enabled: true}},', "")
OPEN_DETAILS: Final = "document.querySelectorAll('details').forEach(each => { each.open = true; })"
ENTER, TAB, SPACE, RIGHT, DOWN = 13, 9, 32, 39, 40


def axe() -> str:
    """Return the source of axe-core. The version and its digest are in `axe/package-lock.json`."""
    folder = node.packages(Path(__file__).parent / "axe")
    return (folder / "node_modules" / "axe-core" / "axe.min.js").read_text("utf-8")


async def violations(page: Page, source: str, name: str, tmp_path: Path) -> list[str]:
    """Return what axe-core reports about a page, in two widths and two colour schemes."""
    reports: list[str] = []
    await page.value(f"void ({{}}, (0, eval)({json.dumps(source)}))")
    for width in WIDTHS:
        await page.resize(width)
        for scheme in ("light", "dark"):
            await page.prefer(scheme)
            # Everything but contrast is the same in both schemes.
            of_axe = await page.value(ALL_RULES if scheme == "light" else CONTRAST)
            reports += [f"{name}, {width} pixels, {scheme}: {report}" for report in of_axe]
            await save_picture(page, f"axe-{name.replace(' ', '-')}-{width}-{scheme}", tmp_path)
    return reports


@pytest.mark.parametrize("language", ["en", "ar"])
async def test_axe_finds_nothing_on_any_page(page: Page, tmp_path: Path, language: str) -> None:
    source, reports = axe(), list[str]()

    async def check(site: str, pages: Mapping[str, str]) -> None:
        for name, path in pages.items():
            await page.go(f"{site}{path}")
            # The first pages are from before the site had a language.
            direction = "rtl" if language == "ar" and "asOf=1" not in path else "ltr"
            assert await page.value("document.dir") == direction
            await page.value(OPEN_DETAILS)
            reports.extend(await violations(page, source, f"{name} {language}", tmp_path))

    async with demo_site(tmp_path, *OPEN, language=language) as site:
        await check(site, await html_pages_of(site))
    async with demo_site(tmp_path, language=language) as site:
        await check(site, CLOSED_PAGES)
    async with empty_site(tmp_path, *OPEN, language=language) as site:
        await check(site, EMPTY_PAGES)
    assert reports == [], "\n\n".join(reports)


CONTROLS: Final = """
    [...document.querySelectorAll('a[href], button, input, select, textarea, summary, [tabindex="0"]')]
        .filter(each => each.checkVisibility() && !each.disabled)
        .map((each, place) => { each.dataset.place = place; return each.outerHTML.slice(0, 100); })
"""
DISGUISED: Final = """
    [...document.querySelectorAll('[onclick], [role=button], [role=link], [accesskey], [autofocus], [tabindex]')]
        .filter(each => each.getAttribute('tabindex') !== '0' || !each.matches('.scroll, pre'))
        .map(each => each.outerHTML.slice(0, 100))
"""
"""Elements that look or act like controls, or that change the order of the Tab key."""
FOCUS: Final = """
    (() => {
        const element = document.activeElement, style = getComputedStyle(element);
        const box = element.getBoundingClientRect();
        const isVisible = box.bottom > 0 && box.top < innerHeight && box.right > 0 && box.left < innerWidth;
        const line = element.getClientRects()[0] ?? box;
        const top = document.elementFromPoint(line.x + line.width / 2, line.y + line.height / 2);
        const isCovered = Boolean(top) && !top.contains(element) && !element.contains(top);
        const hasOutline = style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2;
        return [Number(element.dataset.place ?? -1), isVisible && !isCovered && hasOutline];
    })()
"""


@pytest.mark.parametrize("language", ["en", "ar"])
async def test_the_pages_fit_every_width(page: Page, tmp_path: Path, language: str) -> None:
    """WCAG 2.2, 1.4.10: nothing has to be scrolled sideways but tables."""
    async with demo_site(tmp_path, *OPEN, language=language) as site:
        for name, path in (await html_pages_of(site)).items():
            await page.go(f"{site}{path}")
            for width in (320, 768, 1920):
                await page.resize(width)
                assert await page.value("document.documentElement.scrollWidth") <= width, (name, width)


async def test_an_article_is_printed_in_black_without_links_to_elsewhere(page: Page, tmp_path: Path) -> None:
    await page.prefer("dark")
    await page.prefer_paper()
    async with demo_site(tmp_path, *OPEN) as site:
        await page.go(f"{site}{EVERYTHING}")
        style = "getComputedStyle(document.documentElement)"
        assert await page.value(f"[{style}.backgroundColor, {style}.color]") == [
            "rgb(255, 255, 255)",
            "rgb(0, 0, 0)",
        ]
        shown = "[...document.querySelectorAll({selector!r})].filter(each => each.checkVisibility()).length"
        assert await page.value(shown.format(selector=".time-bar, .related, .neighbours, nav")) == 0
        assert await page.value(shown.format(selector=".colophon a, .meta > a, .corrections p > a")) == 0
        assert await page.value(shown.format(selector="h1, .body table")) == 2
        address = "document.querySelector('.page-address').innerText"
        assert await page.value(address) == f"{site}{EVERYTHING}"
        await save_picture(page, "printed-article", tmp_path)
        await page.go(f"{site}/?asOf=200")
        assert await page.value(shown.format(selector=".moment a")) == 0
        time = "document.querySelector('.card time')"
        date = f"getComputedStyle({time}, '::after').content === JSON.stringify({time}.title)"
        assert await page.value(f"{date} && getComputedStyle({time}).fontSize") == "0px"


@pytest.mark.parametrize("width", WIDTHS)
async def test_the_tab_key_reaches_everything_in_order_and_shows_where_it_is(
    page: Page, tmp_path: Path, width: int
) -> None:
    async def check(site: str, pages: Mapping[str, str]) -> None:
        for name, path in pages.items():
            await page.go(f"{site}{path}", width=width)
            controls: list[str] = await page.value(CONTROLS)
            places = list(range(len(controls)))
            assert await visited(page, controls, name) == places, name
            if width != WIDTHS[0]:
                continue
            last = f"document.querySelector('[data-place=\"{places[-1]}\"]')"
            await page.value(f"{last}.focus()")
            assert await visited(page, controls, name, places[-1]) == places[::-1], name

    async with demo_site(tmp_path, *OPEN) as site:
        await check(site, await html_pages_of(site))
    async with demo_site(tmp_path) as site:
        await check(site, CLOSED_PAGES)
    async with empty_site(tmp_path, *OPEN, language="en") as site:
        await check(site, EMPTY_PAGES)


async def visited(page: Page, controls: Sequence[str], name: str, start: int | None = None) -> list[int]:
    """Press the Tab key until the focus leaves the page; return the controls that had it, each of which was visible.

    Given a control to `start` from, press it backwards.
    """
    places = [] if start is None else [start]
    # A field for a time has a stop for each of its parts, and for its button.
    stops = sum(8 if 'type="datetime-local"' in control else 1 for control in controls)
    for _ in range(stops + 1):
        await page.press("Tab", TAB, shift=start is not None)
        place, is_shown = await page.value(FOCUS)
        if place < 0 or (place in places[:1] and places[-1:] != [place]):
            return places  # after the last one, the browser, or the first one again
        assert is_shown, (name, controls[place])
        if places[-1:] != [place]:
            places.append(place)
    raise AssertionError(f"{name}: the focus does not leave the page: {places}")


async def test_everything_that_a_mouse_operates_is_a_control_of_html(page: Page, tmp_path: Path) -> None:
    """Browsers operate these with the keyboard, and assistive technologies know them."""
    async with demo_site(tmp_path, *OPEN) as site:
        for name, path in (await html_pages_of(site)).items():
            await page.go(f"{site}{path}")
            for listener, element in await page.listeners():
                is_mouse = listener in {
                    "click",
                    "dblclick",
                    "mousedown",
                    "mouseup",
                    "pointerdown",
                    "pointerup",
                }
                # A form notices that one of its controls is pressed.
                assert not is_mouse or element in {"A", "BUTTON", "FORM", "INPUT", "SELECT", "SUMMARY"}, (
                    name,
                    element,
                )
            assert await page.value(DISGUISED) == [], name


async def test_everything_on_the_pages_works_with_the_keyboard(page: Page, tmp_path: Path) -> None:
    async def enter() -> None:
        await page.press("Enter", ENTER, text="\r")

    async with demo_site(tmp_path, *OPEN) as site:
        await page.go(f"{site}{EVERYTHING}", width=360)
        await page.press("Tab", TAB)
        await enter()
        await page.until("location.hash === '#page_main'")
        await page.press("Tab", TAB)
        assert await page.value("Boolean(document.activeElement.closest('main'))"), "the skip link skips"

        await page.value("document.querySelector('.scroll').focus()")
        await page.press("ArrowRight", RIGHT)
        await page.until("document.querySelector('.scroll').scrollLeft > 0")

        await page.value("document.querySelector('summary').focus()")
        await enter()
        await page.until("document.querySelector('details').open")

        await page.value("document.querySelector('.neighbours a').focus()")
        await enter()
        await page.until("location.pathname !== '/articles/everything' && document.readyState === 'complete'")

        await page.go(f"{site}{EVERYTHING}/history/2")
        await page.value("document.querySelector('#page_view').focus()")
        await page.press("ArrowDown", DOWN)
        assert await page.value("document.querySelector('#page_view').value") == "side-by-side"
        await page.press("Tab", TAB)
        await enter()
        await page.until("document.querySelector('table.sides') && document.readyState === 'complete'")

        await page.go(f"{site}/compare")
        await page.value("document.querySelector('.compare button').focus()")
        await page.press(" ", SPACE, text=" ")
        await page.until("location.search.includes('from=') && document.readyState === 'complete'")
    assert page.complaints == []
