"""The time bar in a real browser: with the mouse, with the keyboard, without JavaScript, in Arabic, on a phone."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

import pytest

from tests.e2e.chromium import Page
from tests.e2e.pages_in_browser import foreign_requests, save_picture
from tests.fixed_sources import SetClock
from tests.integration.graphql_client import client
from tests.integration.server_process import Servers

DAY = 86_400_000_000
STORIES = ("The mill", "The tram", "The library")
ENTER, LEFT, UP, RIGHT, HOME, END, TAB, ESCAPE = 13, 37, 38, 39, 36, 35, 9, 27
CONTROLS: Final = ":is(.skip, .moment, .time-bar, .masthead) :is(a, input, button), .skip"
FOCUSED: Final = """(() => {
  const element = document.activeElement, style = getComputedStyle(element), box = element.getBoundingClientRect();
  let around = parseFloat(style.outlineOffset) < 0 ? element : element.parentElement;
  const ground = () => getComputedStyle(around).backgroundColor;
  while (around.parentElement && ground().endsWith(', 0)')) around = around.parentElement;
  // What is drawn over the middle of a control would hide it.
  const top = document.elementFromPoint(box.x + box.width / 2, box.y + box.height / 2);
  const name = element.id || element.rel || element.localName;
  return [name, style.outlineStyle, parseFloat(style.outlineWidth), style.outlineColor,
    ground(), !element.contains(top) && !top?.contains(element)];
})()"""
"""The name of the control with the focus, its outline, the background around it, and whether something covers it."""


@pytest.fixture(params=["en", "ar"])
async def site(request: pytest.FixtureRequest, tmp_path: Path, any_silence: None) -> AsyncIterator[str]:
    """The address of a site whose past is public, with an article on each of three days, in two languages."""
    data, clock = tmp_path / "store", SetClock()
    async with client(data, clock=clock) as newsroom:
        await newsroom.do("siteName", name="The Courier" if request.param == "en" else "البريد")
        await newsroom.do("siteLocalize", language=request.param, timeZone="Africa/Cairo")
        await newsroom.do("categoryCreate", name="Town")
        for title in STORIES:
            clock.time += DAY
            await newsroom.write(title, slug=title[4:].lower(), body=f"{title}.", publish=True)
    async with Servers(tmp_path) as servers:
        host, port = await (await servers.start(data, "--open-past")).address()
        yield f"http://{host}:{port}"


async def titles(page: Page) -> list[str]:
    texts: list[str] = await page.value("[...document.querySelectorAll('.card h3')].map(h => h.innerText)")
    return texts


async def arrived(page: Page, condition: str) -> None:
    await page.until(f"document.readyState === 'complete' && {condition}")


async def test_keys_select_a_change_and_enter_opens_it(page: Page, site: str) -> None:
    is_rtl = await _is_rtl(page, site)
    back, forward = (("ArrowRight", RIGHT), ("ArrowLeft", LEFT))[:: 1 if is_rtl else -1]
    await page.value("document.querySelector('#time_slider').focus()")
    now, month = ("الآن", "مايو 2024") if is_rtl else ("Now", "May 2024")
    assert await page.value("document.querySelector('output').innerText") == now
    await page.press(*back)
    text = await page.value("document.querySelector('#time_slider').getAttribute('aria-valuetext')")
    assert month in text
    assert text == await page.value("document.querySelector('output').innerText")
    assert await page.value("location.search") == ""
    await page.press("Enter", ENTER)
    await arrived(page, "document.querySelector('.moment')")
    assert await titles(page) == ["The tram", "The mill"]
    assert await page.value("document.activeElement.id") == "time_slider"
    await page.press("Home", HOME)
    await page.press("Enter", ENTER)
    await arrived(page, "document.querySelectorAll('.card').length === 1")
    await page.press(*forward)
    await page.press("Enter", ENTER)
    await arrived(page, "document.querySelectorAll('.card').length === 2")
    await page.press("End", END)
    await page.press("Enter", ENTER)
    await arrived(page, "!document.querySelector('.moment')")
    assert await titles(page) == ["The library", "The tram", "The mill"]
    assert page.complaints == []
    assert foreign_requests(page, site) == []


SHOWN: Final = """[document.querySelector('#time_slider').value, document.querySelector('output').innerText,
    document.querySelector('#time_slider').getAttribute('aria-valuetext'), document.querySelector('#time_field').value]"""


async def test_a_time_that_is_left_without_going_there_does_not_stay(page: Page, site: str) -> None:
    is_rtl = await _is_rtl(page, site)
    back = ("ArrowRight", RIGHT) if is_rtl else ("ArrowLeft", LEFT)
    for address in (f"{site}/", f"{site}/?asOf=2024-05-06T23:00"):
        await page.go(address)
        own = await page.value(SHOWN)
        for key, code in (("Tab", TAB), ("Escape", ESCAPE)):
            await page.value("document.querySelector('#time_slider').focus()")
            await page.press(*back)
            assert await page.value(SHOWN) != own
            await page.press(key, code)
            assert await page.value(SHOWN) == own, key
        await page.value("document.querySelector('#time_slider').focus()")
        await page.press(*back)
        await page.press("Escape", ESCAPE)
        await page.press("Enter", ENTER)  # nothing is selected
        assert await page.value("location.href") == address
        field = "document.querySelector('#time_field')"
        for key, code in (("Escape", ESCAPE), ("Tab", TAB)):
            await page.value(f"({field}.focus(), {field}.value = '2024-05-05T23:00')")
            if key == "Tab":
                await page.value("document.querySelector('.time-bar button').focus()")
                assert (await page.value(SHOWN))[3] == "2024-05-05T23:00", "the button submits it"
            await page.press(key, code)
            assert await page.value(SHOWN) == own, key
    assert page.complaints == []


async def test_after_back_the_page_shows_its_own_moment(page: Page, site: str) -> None:
    """Both if the browser shows the page as it was left, and if it loads the page again and fills in its fields."""
    is_rtl = await _is_rtl(page, site)
    back = ("ArrowRight", RIGHT) if is_rtl else ("ArrowLeft", LEFT)
    for is_cached in (True, False):
        await page.go(f"{site}/?asOf=2024-05-06T23:00")
        own = await page.value(SHOWN)
        if not is_cached:
            await page.value("addEventListener('unload', () => {})")
        await page.value("document.querySelector('#time_field').value = '2024-05-05T11:00'")
        await page.value("document.querySelector('#time_slider').focus()")
        await page.press(*back)
        await page.press("Enter", ENTER)
        await arrived(page, "document.querySelectorAll('.card').length === 1")
        await page.value("history.back()")
        await arrived(page, "document.querySelectorAll('.card').length === 2")
        await page.until(
            f"JSON.stringify({SHOWN}) === {json.dumps(json.dumps(own, ensure_ascii=False, separators=(',', ':')))}"
        )
        await page.value("document.querySelector('#time_slider').focus()")
        await page.press(*back)
        await page.press("Enter", ENTER)
        await arrived(page, "document.querySelectorAll('.card').length === 1")


async def test_before_the_first_entry_the_next_change_is_the_first_one(page: Page, site: str) -> None:
    is_rtl = await _is_rtl(page, site)
    await page.go(f"{site}/?asOf=0")
    own = await page.value("document.querySelector('output').innerText")
    assert own == ("قبل أول تسجيل" if is_rtl else "Before the first entry")
    await page.value("document.querySelector('#time_slider').focus()")
    await page.press("ArrowUp", UP)
    assert await page.value("document.querySelector('output').innerText") != own
    await page.press("Enter", ENTER)
    await arrived(page, "document.querySelectorAll('.card').length === 1")


@pytest.mark.parametrize(("then", "today"), [("ar", "en"), ("en", "ar")])
async def test_the_controls_have_the_direction_of_today_and_the_page_that_of_then(
    page: Page, tmp_path: Path, any_silence: None, then: str, today: str
) -> None:
    data, clock = tmp_path / "store", SetClock()
    async with client(data, clock=clock) as newsroom:
        await newsroom.do("siteLocalize", language=then)
        await newsroom.write(STORIES[0], slug="mill", publish=True)
        position = await newsroom.store.log.head()
        clock.time += DAY
        await newsroom.do("siteLocalize", language=today)
        await newsroom.write(STORIES[1], slug="tram", publish=True)
    directions = {"ar": "rtl", "en": "ltr"}
    async with Servers(tmp_path) as servers:
        host, port = await (await servers.start(data, "--open-past")).address()
        for width in (360, 1200):
            await page.go(f"http://{host}:{port}/?asOf={position}", width=width)
            assert await page.value("document.documentElement.scrollWidth") <= width
            for selector in (".moment", ".time-bar", "#time_slider", ".colophon", ".skip"):
                style = f"getComputedStyle(document.querySelector('{selector}'))"
                assert await page.value(f"{style}.direction") == directions[today], selector
            for selector in ("html", ".masthead", "main"):
                style = f"getComputedStyle(document.querySelector('{selector}'))"
                assert await page.value(f"{style}.direction") == directions[then], selector
            is_mirrored = (
                "getComputedStyle(document.querySelector('.time-bar-slider svg')).transform !== 'none'"
            )
            assert await page.value(is_mirrored) == (today == "ar")
        await page.value("document.querySelector('#time_slider').focus()")
        forward = ("ArrowLeft", LEFT) if today == "ar" else ("ArrowRight", RIGHT)
        await page.press(*forward)
        await page.press("Enter", ENTER)
        await arrived(page, "document.querySelectorAll('.card').length === 2")
    assert page.complaints == []


async def test_the_slider_keeps_the_other_parameters(page: Page, site: str) -> None:
    await page.go(f"{site}/?utm=1&asOf=2024-05-06T23:00")
    await page.value("document.querySelector('#time_slider').focus()")
    await page.press("End", END)
    await page.press("Enter", ENTER)
    await arrived(page, "!document.querySelector('.moment')")
    assert await page.value("location.search") == "?utm=1"


async def test_the_focus_is_visible_on_every_control_in_every_scheme(
    page: Page, site: str, tmp_path: Path
) -> None:
    """WCAG 2.2: 2.4.7, 2.4.11 and 2.4.13: an outline of 2 pixels or more, with a contrast of 3, that nothing covers."""
    for scheme, is_forced in (("light", False), ("dark", False), ("light", True), ("dark", True)):
        await page.prefer(scheme, is_forced=is_forced)
        for width in (360, 1200):
            await page.go(f"{site}/?asOf=2024-05-06T23:00", width=width)
            number = await page.value(f"[...document.querySelectorAll({CONTROLS!r})].length")
            assert number >= 9
            for place in range(number):
                control = f"document.querySelectorAll({CONTROLS!r})[{place}]"
                await page.value(f"{control}.focus({{focusVisible: true}})")
                name, style, line, colour, ground, covered = await page.value(FOCUSED)
                assert style not in ("none", "hidden"), (scheme, is_forced, name)
                assert line >= 2, (scheme, is_forced, name)
                assert contrast(colour, ground) >= 3, (scheme, is_forced, name, colour, ground)
                assert not covered, (scheme, is_forced, name)
                picture = f"focus-{name}-{place}-{await page.value('document.dir')}-{width}-{scheme}"
                await save_picture(page, f"{picture}-forced" if is_forced else picture, tmp_path)


async def test_the_banner_stays_in_sight_and_covers_no_control(page: Page, site: str) -> None:
    banner = "document.querySelector('.moment').getBoundingClientRect().toJSON()"
    for width in (360, 1200):
        await page.go(f"{site}/?asOf=2024-05-07T23:00", width=width, height=640)
        await page.value("document.querySelector('.colophon').style.paddingTop = '80rem'")
        await page.value("scrollTo(0, document.body.scrollHeight)")
        box = await page.value(banner)
        assert box["top"] == 0
        assert box["height"] <= 640 / 6, width
        covered = await page.value(
            """[...document.querySelectorAll(':is(main, .masthead) a')].reverse().filter(link => {
              link.focus();
              return link.getBoundingClientRect().top < document.querySelector('.moment').getBoundingClientRect().bottom;
            }).length"""
        )
        assert covered == 0
    await page.resize(360, 400)
    await page.value("scrollTo(0, document.body.scrollHeight)")
    assert (await page.value(banner))["bottom"] < 0, "a low window has more space for the page"


async def test_the_hint_fits_the_pointer(page: Page, site: str) -> None:
    keys = "مفاتيح الأسهم" if await _is_rtl(page, site) else "arrow keys"
    hint = "document.querySelector('#time_hint').innerText"
    assert keys in await page.value(hint)
    await page.tap("document.querySelector('.rubric')")  # from now on, the browser is that of a phone
    assert keys not in await page.value(hint)
    assert await page.value(hint)


async def test_the_slider_is_dragged_to_a_time(page: Page, site: str, tmp_path: Path) -> None:
    await page.go(f"{site}/")
    await page.value("document.querySelector('#time_slider').scrollIntoView({block: 'center'})")
    await page.click("document.querySelector('#time_slider')")
    await arrived(page, "document.querySelector('.moment')")
    assert await titles(page) in (["The mill"], ["The tram", "The mill"])
    assert "asOf=2024-05-0" in await page.value("location.search")
    await save_picture(page, f"time-bar-{await page.value('document.dir')}", tmp_path)
    await page.value("document.querySelector('.moment a').click()")
    await arrived(page, "!document.querySelector('.moment')")
    assert page.complaints == []


async def test_without_javascript_the_links_and_the_form_lead_through_the_past(
    page: Page, site: str, tmp_path: Path
) -> None:
    await page.disable_scripts()
    await page.go(f"{site}/")
    assert await page.value("getComputedStyle(document.querySelector('.time-bar-slider')).display") == "none"
    await page.value("document.querySelector('.time-bar [rel=prev]').click()")
    await arrived(page, "document.querySelector('.moment')")
    assert await titles(page) == ["The tram", "The mill"]
    await page.value("document.querySelector('.time-bar [rel=next]').click()")
    await arrived(page, "document.querySelectorAll('.card').length === 3")
    await page.value("document.querySelector('#time_field').value = '2024-05-05T23:00'")
    await page.value("document.querySelector('.time-bar button').click()")
    await arrived(page, "document.querySelectorAll('.card').length === 1")
    assert await page.value("location.search") == "?asOf=2024-05-05T23%3A00"
    await page.value("document.querySelector('.card a').click()")
    await arrived(page, "document.querySelector('.reading h1')")
    assert await page.value("document.querySelector('h1').innerText") == "The mill"
    assert await page.value("Boolean(document.querySelector('.moment'))")
    await page.value("document.querySelector('.moment a').click()")
    await arrived(page, "!document.querySelector('.moment')")
    assert page.complaints == []


async def test_the_time_bar_fits_phones_and_has_targets_that_can_be_hit(
    page: Page, site: str, tmp_path: Path
) -> None:
    """WCAG 2.2: 1.4.10 (reflow) and 2.5.8 (target size)."""
    for width in (320, 360, 1200, 1920):
        for scheme in ("light", "dark"):
            await page.prefer(scheme)
            await page.go(f"{site}/?asOf=2024-05-06T23:00", width=width)
            assert await page.value("document.documentElement.scrollWidth") <= width
            sizes = await page.value(
                "[...document.querySelectorAll('.time-bar :is(a, input, button), .moment a')]"
                ".map(e => e.getBoundingClientRect()).map(b => Math.min(b.width, b.height))"
            )
            assert min(sizes) >= 24
            direction = await page.value("document.dir")
            await save_picture(page, f"time-bar-{direction}-{width}-{scheme}", tmp_path)


async def test_texts_of_the_time_bar_have_enough_contrast(page: Page, site: str) -> None:
    """WCAG 2.2, 1.4.3 and 1.4.11, in both colour schemes."""
    for scheme in ("light", "dark"):
        await page.prefer(scheme)
        await page.go(f"{site}/?asOf=2024-05-06T23:00")
        pairs = await page.value(
            """[...document.querySelectorAll('.time-bar :is(a, h2, label, output, button, span), .moment :is(p, a)')]
            .map(element => {
              const dark = element.closest('.moment') ? '.moment' : 'html';
              return [getComputedStyle(element).color, getComputedStyle(document.querySelector(dark)).backgroundColor];
            })"""
        )
        assert len(pairs) > 6
        for colour, background in pairs:
            assert contrast(colour, background) >= 4.5, (scheme, colour, background)


def contrast(colour: str, background: str) -> float:
    """Return the contrast ratio of two colours, written as `rgb(…)`, as WCAG defines it."""
    high, low = sorted((_luminance(colour), _luminance(background)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def _luminance(colour: str) -> float:
    channels = [int(part) / 255 for part in colour.removeprefix("rgb(").removesuffix(")").split(",")]
    red, green, blue = (
        channel / 12.92 if channel <= 0.04045 else ((channel + 0.055) / 1.055) ** 2.4 for channel in channels
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


async def _is_rtl(page: Page, site: str) -> bool:
    await page.go(f"{site}/")
    return bool(await page.value("document.dir") == "rtl")
