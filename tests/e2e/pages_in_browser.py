"""What the tests of pages share: titles of articles, requests to other hosts, screenshots."""

import os
from pathlib import Path
from typing import Final

from tests.e2e.chromium import Page

HOSTILE: Final = "<img src=x onerror=alert(1)> & Sons"
LONG: Final = "Die " + "Hafen" * 30 + "bahn"


def foreign_requests(page: Page, site: str) -> list[str]:
    """Return the requests to other hosts; `data:` addresses in a style sheet are not requests."""
    return [url for url in page.requests if not url.startswith((site, "data:", "about:"))]


def name_of(site: str) -> str:
    return "content" if site.endswith("/content") else "root"


async def save_picture(page: Page, name: str, tmp_path: Path) -> None:
    """Save a screenshot in the folder that `LEDGERPRESS_TEST_PICTURES` names."""
    folder = Path(os.environ.get("LEDGERPRESS_TEST_PICTURES", tmp_path))
    (folder / f"{name}.png").write_bytes(await page.picture())
