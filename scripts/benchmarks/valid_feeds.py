"""Feeds, their archives and sitemaps of 100,000 articles are valid, complete, and read back as written.

The log is that of a generated newsroom (`scripts/workloads/generated_log.py`). All documents of the feeds of all articles, of
all corrections, and of one category are requested in both formats, from the current one back to the first archive, and
all sitemaps. Atom documents are validated with a RELAX NG grammar, JSON feeds with a JSON Schema and sitemaps with an XML
Schema (`tests/integration/feed_formats.py`). feedparser reads each Atom document, and must find the same entries.

Every article in the sitemaps must be in the feed of all articles, and no other one: in its newest document, an entry is
the present state of an article, and a deletion ends all older entries.
"""

import argparse
import asyncio
import re
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import httpx2

from ledgerpress.server.data_directory import LOG_FILE
from scripts.benchmarks.join import CHECKOUT, make_log
from tests.integration.feed_formats import (
    ATOM,
    TOMBSTONES,
    valid_atom,
    valid_json_feed,
    valid_sitemap,
)
from tests.integration.graphql_client import client

EVENTS_PER_POST: Final = 9
FEEDS: Final = ("/feeds/articles", "/feeds/corrections", "/feeds/categories/section-1")


async def check(posts: int) -> None:
    """Check all documents. Raises `AssertionError`."""
    with tempfile.TemporaryDirectory(prefix=".bench-", dir=CHECKOUT) as place:
        folder = Path(place)
        await make_log(f"sqlite:{folder / LOG_FILE}", folder, posts * EVENTS_PER_POST)
        async with client(folder, open_past=True) as api:
            http = api.http
            began = time.monotonic()
            articles = await sitemaps(http)
            print(f"sitemaps: {len(articles):,} articles, {time.monotonic() - began:.0f} s", flush=True)
            for path in FEEDS:
                began = time.monotonic()
                documents, present = await atom_documents(http, path)
                items = await json_documents(http, path)
                print(
                    f"{path}: {documents:,} Atom documents, {len(present):,} present entries; {items:,} JSON items;"
                    f" {time.monotonic() - began:.0f} s",
                    flush=True,
                )
                if path == FEEDS[0]:
                    missing, hidden = len(articles - present), len(present - articles)
                    if missing or hidden:
                        raise AssertionError(f"{missing} articles are missing, and {hidden} are not public")


async def sitemaps(http: httpx2.AsyncClient) -> set[str]:
    """Validate all sitemaps; return the paths of the articles in them."""
    articles = set[str]()
    for url in valid_sitemap(await http.get("/sitemap.xml")):
        path = urlsplit(url).path
        response = await http.get(path)
        if "news" in path and response.status_code != 200:
            continue
        urls = valid_sitemap(response)
        if re.search(r"sitemap-articles-\d+\.xml$", path):
            articles |= {urlsplit(each).path for each in urls}
    return articles


async def atom_documents(http: httpx2.AsyncClient, path: str) -> tuple[int, set[str]]:
    """Validate all documents of a feed; return their number, and the paths of the entries that are not deleted."""
    documents, decided, present = 0, set[str](), set[str]()
    url: str | None = f"{path}.atom?text=teaser"
    while url is not None:
        feed: Any = valid_atom(await http.get(url))
        documents += 1
        for entry in feed.findall(f"{ATOM}entry"):
            id_ = entry.findtext(f"{ATOM}id")
            if id_ not in decided:
                decided.add(id_)
                present.add(urlsplit(entry.find(f"{ATOM}link").get("href")).path)
        decided |= {entry.get("ref") for entry in feed.findall(f"{TOMBSTONES}deleted-entry")}
        links = {link.get("rel"): link.get("href") for link in feed.findall(f"{ATOM}link")}
        url = links.get("prev-archive")
    return documents, present


async def json_documents(http: httpx2.AsyncClient, path: str) -> int:
    """Validate all documents of a feed as JSON; return the number of items."""
    items, url = 0, f"{path}.json?text=teaser"
    while url:
        feed = valid_json_feed(await http.get(url))
        items += len(feed["items"])
        url = feed.get("next_url", "")
    return items


def main() -> None:
    """Run the check, and exit with 1 if a document is invalid."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--posts", type=int, default=100_000, help="posts in the log (100,000)")
    options = parser.parse_args()
    try:
        asyncio.run(check(options.posts))
    except AssertionError as error:
        sys.exit(f"FAILED: {error}")


if __name__ == "__main__":
    main()
