"""Feeds of every kind, their archives and sitemaps of 100,000 articles are valid, complete, and read back as written.

The log is that of a generated newsroom (`scripts/workloads/generated_log.py`). Every document of one feed of each kind is
requested in both formats, from the current one back to the first archive, one after another: all articles, all corrections, a
category with subcategories, a category without, and an author. All sitemaps are requested, too. Atom documents are validated
with a RELAX NG grammar, JSON feeds with a JSON Schema and sitemaps with an XML Schema (`tests/integration/feed_formats.py`).
feedparser reads each Atom document, and must find the same entries.

The newest entry or deletion of an item is its present state (RFC 5005 and 6721). So the entries of a feed that are not deleted
must be exactly what readers see: the articles in the sitemaps, of the category or of the author, or their corrections. No
document may have an entry of an article that is not public, and the JSON feed must have the entries of the Atom feed.
"""

import argparse
import asyncio
import re
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

import httpx2

from ledgerpress.features.feeds.entries import urn
from ledgerpress.graphql.relay import global_ids
from ledgerpress.server.data_directory import LOG_FILE
from scripts.benchmarks.join import CHECKOUT, make_log
from tests.integration.feed_formats import (
    ATOM,
    HISTORY,
    deleted,
    link,
    valid_atom,
    valid_json_feed,
    valid_sitemap,
)
from tests.integration.graphql_client import Client, client

EVENTS_PER_POST: Final = 9
KINDS: Final = {
    "/feeds/articles": None,
    "/feeds/corrections": None,
    "/feeds/categories/section-1": "category",
    "/feeds/categories/section-9": "category",
    "/feeds/authors/author-3": "author",
}
"""A feed of each kind, and the field of GraphQL with the articles of its subject."""
REMOVED: Final = 5
"""The oldest articles of each category and author that are unpublished, and the corrections that are retracted."""
_OLDEST: Final = """
query ($slug: String!, $last: Int!) {
  subject: %s(slug: $slug) { articles(last: $last) { nodes { id } } }
}
"""
_ARTICLES: Final = """
query ($slug: String!, $after: String) {
  subject: %s(slug: $slug) { articles(first: 100, after: $after) {
    pageInfo { hasNextPage endCursor } nodes { slug }
  } }
}
"""
_CORRECTIONS: Final = """
query ($after: String) {
  articles(first: 100, after: $after) {
    pageInfo { hasNextPage endCursor } nodes { id corrections { id } }
  }
}
"""


async def check(posts: int) -> None:
    """Check all documents. Raises `AssertionError`."""
    with tempfile.TemporaryDirectory(prefix=".bench-", dir=CHECKOUT) as place:
        folder = Path(place)
        await make_log(f"sqlite:{folder / LOG_FILE}", folder, posts * EVENTS_PER_POST)
        async with client(folder, open_past=True) as api:
            await remove(api)
            began = time.monotonic()
            articles = await sitemaps(api.http)
            print(f"sitemaps: {len(articles):,} articles, {time.monotonic() - began:.0f} s", flush=True)
            for path, field in KINDS.items():
                await check_feed(api, path, field, articles)


def must(condition: object, message: str) -> None:
    """Raises `AssertionError` with the message if the condition is false."""
    if not condition:
        raise AssertionError(message)


async def remove(api: Client) -> None:
    """Unpublish articles of each subject, and retract corrections, so that archives of any size have deletions."""
    for path, field in KINDS.items():
        if field is not None:
            page = await api.ask(_OLDEST % field, slug=path.rpartition("/")[2], last=REMOVED)
            for node in page["subject"]["articles"]["nodes"]:
                payload = await api.do("postUnpublish", id=node["id"])
                must(not payload["userErrors"], str(payload))
    page = await api.ask(_CORRECTIONS)
    corrected = [node for node in page["articles"]["nodes"] if node["corrections"]]
    must(corrected, "no correction to retract")
    for node in corrected[:REMOVED]:
        correction = node["corrections"][0]["id"]
        payload = await api.do("correctionRetract", id=node["id"], correction=correction)
        must(not payload["userErrors"], str(payload))


async def check_feed(api: Client, path: str, field: str | None, articles: set[str]) -> None:
    """Check all documents of a feed in both formats. Raises `AssertionError`."""
    began = time.monotonic()
    feed = await atom_documents(api.http, path)
    items, ids = await json_documents(api.http, path)
    if path == "/feeds/corrections":
        expected = await corrections(api)
        present = set(feed.present)
    else:
        expected = articles if field is None else await articles_of(api, field, path.rpartition("/")[2])
        present = set(feed.present.values())
    missing, unexpected = len(expected - present), len(present - expected)
    must(not missing + unexpected, f"{path}: {missing} are missing, and {unexpected} are not public")
    must(feed.addresses <= articles, f"{path}: {len(feed.addresses - articles)} articles are not public")
    must(ids == feed.ids, f"{path}: the formats differ in {len(ids ^ feed.ids)} entries")
    must(feed.deleted >= REMOVED, f"{path}: only {feed.deleted} deletions")
    print(
        f"{path}: {feed.documents:,} Atom documents, {len(present):,} present entries, {feed.deleted:,} deletions;"
        f" {items:,} JSON items; {time.monotonic() - began:.0f} s",
        flush=True,
    )


async def articles_of(api: Client, field: str, slug: str) -> set[str]:
    """Return the paths of all articles of a category or an author."""
    paths, after, has_next = set[str](), None, True
    while has_next:
        page = (await api.ask(_ARTICLES % field, slug=slug, after=after))["subject"]["articles"]
        paths |= {f"/articles/{node['slug']}" for node in page["nodes"]}
        after, has_next = page["pageInfo"]["endCursor"], page["pageInfo"]["hasNextPage"]
    return paths


async def corrections(api: Client) -> set[str]:
    """Return the ids of the corrections of all articles, as feeds have them."""
    ids, after, has_next = set[str](), None, True
    while has_next:
        page = (await api.ask(_CORRECTIONS, after=after))["articles"]
        ids |= {
            urn(global_ids.argument(note["id"], "Correction"))
            for node in page["nodes"]
            for note in node["corrections"]
        }
        after, has_next = page["pageInfo"]["endCursor"], page["pageInfo"]["hasNextPage"]
    return ids


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


class AtomFeed(NamedTuple):
    """All documents of a feed: their number, the present entries by id, and the ids and addresses of all entries."""

    documents: int
    present: dict[str, str]
    ids: set[str]
    addresses: set[str]
    deleted: int


async def atom_documents(http: httpx2.AsyncClient, path: str) -> AtomFeed:
    """Validate all documents of a feed, back to its first archive."""
    documents, present, ids, addresses = 0, dict[str, str](), set[str](), set[str]()
    removed, urls = set[str](), set[str]()
    url: str | None = f"{path}.atom?text=teaser"
    while url is not None:
        must(url not in urls, f"{url} is its own predecessor")
        urls.add(url)
        feed: Any = valid_atom(await http.get(url))
        documents += 1
        for entry in feed.findall(f"{ATOM}entry"):
            id_ = entry.findtext(f"{ATOM}id")
            address = urlsplit(entry.find(f"{ATOM}link").get("href")).path
            addresses.add(address)
            if id_ not in removed and id_ not in ids:
                present[id_] = address
            ids.add(id_)
        removed |= deleted(feed).keys() - ids
        is_archive = feed.find(f"{HISTORY}archive") is not None
        must(is_archive == (documents > 1), f"{url}: all documents but the first are archives")
        url = link(feed, "prev-archive")
    return AtomFeed(documents, present, ids, addresses, len(removed))


async def json_documents(http: httpx2.AsyncClient, path: str) -> tuple[int, set[str]]:
    """Validate all documents of a feed as JSON; return the number of items, and their ids."""
    items, ids, url = 0, set[str](), f"{path}.json?text=teaser"
    while url:
        feed = valid_json_feed(await http.get(url))
        items += len(feed["items"])
        ids |= {item["id"] for item in feed["items"]}
        url = feed.get("next_url", "")
    return items, ids


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
