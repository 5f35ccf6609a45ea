"""Every page of the demo is checked with axe-core, and read and operated with the keyboard alone."""

import json
from pathlib import Path
from typing import Final

import httpx2
import pytest

from tests.conformance import node
from tests.e2e.chromium import Page
from tests.e2e.demo_site import demo_site
from tests.e2e.pages_in_browser import save_picture

pytestmark = pytest.mark.slow

WIDTHS: Final = (1200, 360)
OPEN: Final = ("--open-past", "--public-history")
CORRECTED: Final = "/articles/winter-ferry-hours"
EVERYTHING: Final = "/articles/everything"
PAGES: Final = {
    "front page": "/",
    "category": "/categories/harbour",
    "empty category": "/categories/weather",
    "article with corrections": CORRECTED,
    "article with every kind of content": EVERYTHING,
    "history": f"{CORRECTED}/history",
    "first revision": f"{CORRECTED}/history/1",
    "difference": f"{CORRECTED}/history/2",
    "difference side by side": f"{EVERYTHING}/history/2?view=side-by-side",
    "proof": f"{CORRECTED}/history/2/check",
    "corrections": "/corrections",
    "comparison": "/compare?from=100",
    "exchanged comparison": "/compare?from=100&to=50",
    "comparison with a problem": "/compare?from=nonsense",
    "past front page": "/?asOf={then}",
    "past article": f"{CORRECTED}?asOf={{then}}",
    "past history": f"{CORRECTED}/history?asOf={{then}}",
    "invalid moment": "/?asOf=nonsense",
    "missing page": "/nowhere",
    "missing page of the past": "/nowhere?asOf={then}",
}
"""The addresses of pages by name. `{then}` is a position before the last change."""
CLOSED_PAGES: Final = {
    "past that is not public": "/?asOf=5",
    "history that is not public": f"{CORRECTED}/history",
    "comparison that is not public": "/compare",
}
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
ENTER, TAB, SPACE, RIGHT, DOWN = 13, 9, 32, 39, 40


def axe() -> str:
    """Return the source of axe-core. The version and its digest are in `axe/package-lock.json`."""
    folder = node.packages(Path(__file__).parent / "axe")
    return (folder / "node_modules" / "axe-core" / "axe.min.js").read_text("utf-8")


async def paths(site: str) -> dict[str, str]:
    """Return the paths of all pages by name."""
    async with httpx2.AsyncClient() as http:
        now = int((await http.get(f"{site}/")).headers["LedgerPress-Position"])
    return {name: path.format(then=now - 1) for name, path in PAGES.items()}


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
    async with demo_site(tmp_path, *OPEN, language=language) as site:
        for name, path in (await paths(site)).items():
            await page.go(f"{site}{path}")
            assert await page.value("document.dir") == ("rtl" if language == "ar" else "ltr")
            reports += await violations(page, source, f"{name} {language}", tmp_path)
        await page.go(f"{site}/")
        await page.value("document.querySelector('.pages [rel=next]').click()")
        await page.until("location.search.includes('after') && document.readyState === 'complete'")
        reports += await violations(page, source, f"older articles {language}", tmp_path)
    async with demo_site(tmp_path) as site:
        for name, path in CLOSED_PAGES.items():
            await page.go(f"{site}{path}")
            reports += await violations(page, source, f"{name} {language}", tmp_path)
    assert reports == [], "\n\n".join(reports)


CONTROLS: Final = """
    [...document.querySelectorAll('a[href], button, input, select, textarea, summary, [tabindex="0"]')]
        .filter(each => each.checkVisibility() && !each.disabled)
        .map((each, place) => { each.dataset.place = place; return each.outerHTML.slice(0, 100); })
"""
FOCUS: Final = """
    (() => {
        const element = document.activeElement, style = getComputedStyle(element);
        const box = element.getBoundingClientRect();
        const isVisible = box.bottom > 0 && box.top < innerHeight && box.right > 0 && box.left < innerWidth;
        const hasOutline = style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2;
        return [Number(element.dataset.place ?? -1), isVisible && hasOutline];
    })()
"""


@pytest.mark.parametrize("language", ["en", "ar"])
async def test_the_pages_fit_every_width(page: Page, tmp_path: Path, language: str) -> None:
    """WCAG 2.2, 1.4.10: nothing has to be scrolled sideways but tables."""
    async with demo_site(tmp_path, *OPEN, language=language) as site:
        for name, path in (await paths(site)).items():
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
        assert await page.value(shown.format(selector="h1, .body table")) == 2
        await save_picture(page, "printed-article", tmp_path)


@pytest.mark.parametrize("width", WIDTHS)
async def test_the_tab_key_reaches_everything_in_order_and_shows_where_it_is(
    page: Page, tmp_path: Path, width: int
) -> None:
    async with demo_site(tmp_path, *OPEN) as site:
        for name, path in (await paths(site)).items():
            await page.go(f"{site}{path}", width=width)
            controls: list[str] = await page.value(CONTROLS)
            visited: list[int] = []
            # A field for a time has a stop for each of its parts.
            for _ in range(len(controls) + 20):
                await page.press("Tab", TAB)
                place, is_shown = await page.value(FOCUS)
                if place < 0 or place in visited[:1]:
                    break  # after the last one, the browser, or the first one again
                assert is_shown, (name, controls[place])
                if visited[-1:] != [place]:
                    visited.append(place)
            missed = [control for place, control in enumerate(controls) if place not in visited]
            assert missed == [], name
            assert visited == sorted(visited), name


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
