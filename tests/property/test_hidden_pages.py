"""Over random histories, no page as of any moment shows what readers may not see now, with caches and conditions.

Each text of the newsroom has a word of its own, so a page that shows what it must not contains one of these words. A
failure prints the seed; `LEDGERPRESS_TEST_SEED=7 scripts/test tests/property/test_hidden_pages.py` uses another.
"""

import os
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Final

import httpx2
import pytest

from ledgerpress.commands.client_identity import ANONYMOUS, LOCAL_OPERATOR
from ledgerpress.eventlog.envelope import StoredEvent
from ledgerpress.graphql.relay import global_ids
from tests.integration.graphql_client import Client, client
from tests.property.newsroom_of_words import NewsroomOfWords, words_in

SEED: Final = int(os.environ.get("LEDGERPRESS_TEST_SEED", "1"))
HISTORIES: Final = 2
STEPS: Final = 130
STOPS: Final = 6
REQUESTS: Final = 70
"""Requests at each of several moments of a history."""
SEEN_CHANGES: Final = {
    "post.published", "post.unpublished", "post.archived", "post.categorized", "post.uncategorized",
    "correction.recorded", "correction.reworded", "category.created", "category.moved", "author.renamed",
}  # fmt: skip


@pytest.mark.slow
async def test_no_page_shows_what_is_hidden_now(tmp_path: Path) -> None:
    print("LEDGERPRESS_TEST_SEED =", SEED)  # noqa: T201 - a failure must show how to repeat it
    counts = Counter[str]()
    for number in range(HISTORIES):
        data = tmp_path / str(number)
        chance = Random(SEED * 1_000 + number)
        async with client(data, open_past=True, public_history=True) as site:
            newsroom = NewsroomOfWords(site, data, chance)
            reader = Reader(site, newsroom, chance, counts)
            for step in range(1, STEPS + 1):
                await newsroom.step()
                if step % (STEPS // STOPS) == 0:
                    await reader.read_everything()
            await compare_changes(site, newsroom)
    print(dict(counts))  # noqa: T201
    assert all(counts[name] for name in ("200", "301", "304", "404", "hidden now", "words")), counts


class Reader:
    """Requests pages as a browser would: it caches them, and sends their entity tags."""

    def __init__(self, site: Client, newsroom: NewsroomOfWords, chance: Random, counts: Counter[str]) -> None:
        self._site = site
        self._newsroom = newsroom
        self._chance = chance
        self._counts = counts
        self._cached: dict[str, tuple[str, str]] = {}

    async def read_everything(self) -> None:
        newsroom, chance = self._newsroom, self._chance
        events = await self._site.store.log.read(0, await self._site.store.log.head())
        hidden_words = newsroom.hidden
        hidden_streams = {stream_of(post.id) for post in newsroom.posts if not post.is_public}
        self._counts["hidden now"] += sum(post.was_public and not post.is_public for post in newsroom.posts)
        paths = ["/", *(f"/categories/{slug}" for slug in newsroom.categories)] * 4
        paths += [f"/articles/{slug}" for post in newsroom.posts for slug in {post.slug, *post.slugs}]
        paths += [
            f"/articles/{slug}/history{rest}"
            for post in newsroom.posts
            for slug in post.slugs
            for rest in ("", "/1")
        ]
        paths += ["/corrections"] * 4
        paths += [f"/authors/{slug}" for author in newsroom.authors for slug in author.slugs] * 2
        urls = [f"{path}?asOf={self._moment(events)}" for path in paths]
        urls = chance.sample(urls, min(REQUESTS, len(urls)))
        for url in [*self._cached, *urls, *urls[:10]]:
            headers = {"Authorization": "Bearer x"} if chance.random() < 0.2 else {}
            identity = chance.choice((ANONYMOUS, LOCAL_OPERATOR))
            cached = self._cached.get(url)
            if cached is not None and chance.random() < 0.8:
                headers["If-None-Match"] = cached[0]
            with self._site.acting_as(identity):
                page = await self._site.http.get(url, headers=headers)
            self._counts[str(page.status_code)] += 1
            text = page.text
            if page.status_code == 304:
                assert cached is not None
                text = cached[1]
            elif page.status_code == 200:
                self._cached[url] = page.headers["etag"], text
            requested = words_in(url)
            shown = words_in(text) | words_in(page.headers.get("location", ""))
            self._counts["words"] += len(shown)
            assert not (shown - requested) & hidden_words, url
            assert not words_in(re.sub(r"<[^>]*>", "", text)) & hidden_words, url
            for position in positions_in(text):
                header = events[position - 1].header
                assert header.type in SEEN_CHANGES, (url, position, header.type)
                assert header.stream not in hidden_streams, (url, position)

    def _moment(self, events: Sequence[StoredEvent]) -> object:
        position = self._chance.randint(0, len(events))
        if position and self._chance.random() < 0.3:
            at = events[position - 1].header.recorded_at
            return datetime.fromtimestamp(at / 1_000_000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        return position


async def compare_changes(site: Client, newsroom: NewsroomOfWords) -> None:
    """Compare the changes to which the links of a page lead with what its list or its article shows at every position."""
    store = site.store
    events = await store.log.read(0, await store.log.head())
    articles = [f"/articles/{post.slug}" for post in newsroom.posts if post.is_public][:2]
    authors = [f"/authors/{author.slug}" for author in newsroom.authors][:2]
    for path in ("/", *(f"/categories/{slug}" for slug in newsroom.categories[:2]), *articles, *authors):
        seen = [await shown_at(site, path, position) for position in range(len(events) + 1)]
        expected = {at for at in range(1, len(events) + 1) if seen[at] != seen[at - 1]}
        linked, position = set[int](), 0
        page = await follow(site, f"{path}?asOf=0")
        while (match := re.search(r'<a rel="next" href="\?asOf=(\d+)#time">', page.text)) is not None:
            assert int(match[1]) > position
            position = int(match[1])
            linked.add(position)
            page = await follow(site, f"{path}?asOf={position}")
        assert expected <= linked, (path, sorted(expected - linked))
        unexpected = {events[at - 1].header.type for at in linked - expected}
        assert unexpected <= SEEN_CHANGES, path


async def follow(site: Client, url: str) -> httpx2.Response:
    return await site.http.get(url, follow_redirects=True)


async def shown_at(site: Client, path: str, position: int) -> object:
    """Return the titles of a list with its heading, or the text of an article with its corrections.

    Ages, dates and the names in bylines are left out.
    """
    page = await follow(site, f"{path}?asOf={position}")
    if path.startswith("/articles/"):
        match = re.search(r"<main.*?</main>", page.text, re.DOTALL)
        assert match is not None
        # Below the article are other articles.
        text = re.sub(r'<a rel="author".*?</a>', "", match[0].partition("</article>")[0])
        return [page.status_code, sorted(words_in(re.sub(r"<[^>]*>", "", text)))]
    headings = re.findall(r'<h1 dir="auto">(.*?)</h1>', page.text) if path.startswith("/authors/") else []
    return [*headings, *re.findall(r'<h3 dir="auto"><a[^>]*>(.*?)</a></h3>', page.text)]


def positions_in(text: str) -> Iterable[int]:
    """Yield the positions to which the time bar of a page leads."""
    for match in re.finditer(r'href="\?asOf=(\d+)#time"', text):
        yield int(match[1])
    for marks in re.findall(r'data-marks="([^"]*)"', text):
        for mark in marks.split():
            yield int(mark.partition(":")[0])


def stream_of(post_id: str) -> str:
    return f"post.{global_ids.argument(post_id, 'Post')}"
