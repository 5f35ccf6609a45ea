"""Take pictures of the path of a reader through the past of the demo, in headless Chromium.

The reader goes from the front page to a time before a correction, through the changes of the front page, to the article as it
was then, to its history, returns to the current page, and reads what the correction changed. The path is walked in English and
Arabic, with and without JavaScript. The pictures show whole pages, and their names are in the order of the path.
"""

import argparse
import asyncio
import sys
import tempfile
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final, NamedTuple

from tests.e2e import chromium
from tests.e2e.chromium import Page
from tests.e2e.demo_pages import CORRECTED, OPEN
from tests.e2e.demo_site import demo_site

LANGUAGES: Final = ("en", "ar")
MAX_HEIGHT: Final = 6_000
"""The height of the tallest picture, in pixels."""
ENTER, LEFT, RIGHT = 13, 37, 39
_MOMENT: Final = "Boolean(document.querySelector('.moment'))"
_IS_SMALLER: Final = "Number(document.querySelector('#time_slider').value) < {seconds}"


class Camera(NamedTuple):
    """A browser on the demo, and where its pictures are saved."""

    page: Page
    site: str
    folder: Path
    name: str
    width: int
    numbers: list[int]

    async def take(self, name: str) -> None:
        """Save a picture of the whole page."""
        height = int(await self.page.value("document.documentElement.scrollHeight"))
        await self.page.resize(self.width, min(height, MAX_HEIGHT))
        self.numbers.append(len(self.numbers) + 1)
        path = self.folder / f"{self.name}-{len(self.numbers):02}-{name}.png"
        path.write_bytes(await self.page.picture())
        await self.page.resize(self.width)

    async def follow(self, selector: str, condition: str) -> None:
        """Click an element, and wait for a page on which a condition holds."""
        await self.page.value(f"document.querySelector({selector!r}).click()")
        await self.page.until(f"document.readyState === 'complete' && ({condition})")


async def walk(camera: Camera, *, has_scripts: bool) -> None:
    """Walk the path, and take a picture of each page."""
    page, site = camera.page, camera.site
    await page.go(f"{site}{CORRECTED}", width=camera.width)
    text: str = await page.value("document.querySelector('.corrections time').dateTime")
    corrected_at = datetime.fromisoformat(text)
    await camera.take("article")
    await page.go(f"{site}/", width=camera.width)
    await camera.take("front-page")
    await (_by_slider if has_scripts else _by_form)(camera, corrected_at)
    await camera.take("front-page-before-the-correction")
    await camera.follow(".time-bar [rel=prev]", _MOMENT)
    await camera.take("previous-change")
    await camera.follow(".time-bar [rel=next]", _MOMENT)
    await camera.take("next-change")
    moment = await page.value("location.search")
    await page.go(f"{site}{CORRECTED}{moment}", width=camera.width)
    if await page.value("Boolean(document.querySelector('.corrections'))"):
        raise SystemExit(f"The article as of {moment} has a later correction.")
    await camera.take("article-before-the-correction")
    await camera.follow('.reading a[href*="/history"]', "location.pathname.endsWith('/history')")
    await camera.take("history-before-the-correction")
    await camera.follow(".moment a", f"!{_MOMENT}")
    await camera.take("history")
    await camera.follow('a[href$="/history/2"]', "location.pathname.endsWith('/history/2')")
    await camera.take("difference")
    await page.value("document.querySelector('#page_view').value = 'side-by-side'")
    await camera.follow("form.compare button", "document.querySelector('table.sides')")
    await camera.take("difference-side-by-side")
    await camera.follow("h1 a", f"location.pathname === {CORRECTED!r}")
    await camera.follow('.colophon a[href="/corrections"]', "location.pathname === '/corrections'")
    await camera.take("corrections")


async def _by_slider(camera: Camera, corrected_at: datetime) -> None:
    """Move the slider with the keyboard to the last change before the correction, and open it."""
    page = camera.page
    is_rtl = await page.value("document.dir") == "rtl"
    await page.value("document.querySelector('#time_slider').focus()")
    for _ in range(1_000):
        await page.press(*(("ArrowRight", RIGHT) if is_rtl else ("ArrowLeft", LEFT)))
        if await page.value(_IS_SMALLER.format(seconds=int(corrected_at.timestamp()))):
            break
    await camera.take("slider-before-the-correction")
    await page.value("document.querySelector('#time_slider').focus()")
    await page.press("Enter", ENTER)
    await page.until(f"document.readyState === 'complete' && {_MOMENT}")


async def _by_form(camera: Camera, corrected_at: datetime) -> None:
    """Write a time before the correction into the form, and send it."""
    before = (corrected_at - timedelta(minutes=1)).strftime("%Y-%m-%dT%H:%M")
    await camera.page.value(f"document.querySelector('#time_field').value = {before!r}")
    await camera.take("form-with-a-time-before-the-correction")
    await camera.follow(".time-bar button", _MOMENT)


async def take_pictures(folder: Path, width: int, scheme: str) -> None:
    """Take all pictures."""
    browser = chromium.find()
    if browser is None:
        raise SystemExit("Chromium is not installed (Debian: apt-get install chromium)")
    for language in LANGUAGES:
        with tempfile.TemporaryDirectory(prefix="pictures-") as temporary:
            demo = demo_site(Path(temporary), *OPEN, language=language, has_rare_states=False)
            async with demo as site:
                for has_scripts in (True, False):
                    name = f"{language}-{'scripts' if has_scripts else 'no-scripts'}"
                    async with chromium.browser(browser, Path(temporary) / name) as page:
                        await page.prefer(scheme)
                        if not has_scripts:
                            await page.disable_scripts()
                        camera = Camera(page, site, folder, name, width, [])
                        await walk(camera, has_scripts=has_scripts)
                        print(f"{name}: {len(camera.numbers)} pictures in {folder}")
                        if page.complaints:
                            raise SystemExit(f"The browser complains: {page.complaints}")


def main() -> None:
    """Take the pictures, and exit with 1 if a page is not as expected."""
    parser = argparse.ArgumentParser(
        prog="scripts/pictures", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("directory", type=Path, help="where the pictures are saved; outside of the checkout")
    parser.add_argument("--width", type=int, default=1_200, help="of the window, in pixels (1200)")
    parser.add_argument("--scheme", choices=("light", "dark"), default="light", help="colours (light)")
    options = parser.parse_args()
    checkout = Path(__file__).resolve().parents[2]
    if options.directory.resolve().is_relative_to(checkout):
        sys.exit(f"{options.directory} is in the checkout; choose a directory outside of it")
    options.directory.mkdir(parents=True, exist_ok=True)
    asyncio.run(take_pictures(options.directory.resolve(), options.width, options.scheme))


if __name__ == "__main__":
    main()
