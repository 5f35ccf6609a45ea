"""Archives of feeds never change, except for what was removed, and no feed shows what readers may not see.

The histories are random. A failure prints the seed; `LEDGERPRESS_TEST_SEED=7 scripts/test
tests/property/test_feed_archives.py` uses another.
"""

import os
import re
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any, Final

import httpx2
import pytest
from lxml import etree
from starlette.applications import Starlette

from ledgerpress.commands.client_identity import ANONYMOUS, LOCAL_OPERATOR, FixedIdentity
from ledgerpress.features.feeds import feed_selection
from ledgerpress.features.feeds.routes import routes
from ledgerpress.features.registry import page_contributions
from ledgerpress.http.feature_routes import RouteContext
from ledgerpress.http.pages.interface_texts.translations import translations_of
from ledgerpress.operator.withdraw import withdraw_from
from tests.integration.feed_formats import ATOM, deleted, link, parsed, valid_atom, valid_json_feed
from tests.integration.graphql_client import Client, client

SEED: Final = int(os.environ.get("LEDGERPRESS_TEST_SEED", "1"))
STEPS: Final = 80
ARCHIVE_SIZE: Final = 3
VALIDATED_SHARE: Final = 0.1
"""The share of archives that are also validated, which takes much longer than reading them."""
FEEDS: Final = ("articles", "corrections", "categories/town", "categories/council")
TOKEN: Final = re.compile(r"token\d+x")
REMOVING: Final = {"unpublish", "archive", "uncategorize", "retract", "withdraw"}
"""The actions after which an archive may differ."""


@dataclass
class Post:
    """A post, and the texts of its revisions. `live` is the revision that readers see, `published` all that they ever saw."""

    id: str
    texts: list[str]
    live: int | None = None
    published: list[int] = field(default_factory=list)
    is_archived: bool = False
    places: set[str] = field(default_factory=set)
    corrections: list[tuple[str, str]] = field(default_factory=list)


class History:
    """A site that changes at random, and a model of what readers may see."""

    def __init__(self, api: Client, data: Path, chance: Random) -> None:
        self.api = api
        self._data = data
        self._chance = chance
        self.posts: list[Post] = []
        self.withdrawn: set[str] = set()
        self._tokens = 0
        self._author = ""

    async def begin(self) -> None:
        await self.api.do("siteName", name="Courier")
        await self.api.do("categoryCreate", name="Town")
        await self.api.do("categoryCreate", name="Council", slug="council", parent={"slug": "town"})
        self._author = (await self.api.do("authorRegister", "author { id }", name="Ines"))["author"]["id"]

    async def step(self) -> str:
        """Do something, and return the name of the action."""
        actions = ["write"] * 3 + ["publish"] * 4 + ["edit"] * 2 + ["rename", "move"]
        actions += [
            "correct",
            "reword",
            "retract",
            "unpublish",
            "archive",
            "categorize",
            "uncategorize",
            "uncategorize",
            "withdraw",
        ]
        action = self._chance.choice(actions) if self.posts else "write"
        await getattr(self, f"_{action}")()
        return action

    def token(self) -> str:
        self._tokens += 1
        return f"token{self._tokens}x"

    def visible(self, *, is_past_public: bool) -> set[str]:
        """Return the texts that readers may see now: those of articles that are public today."""
        public = [post for post in self.posts if post.live is not None]
        texts = {
            self.text(post, revision)
            for post in public
            for revision in (post.published if is_past_public else [post.live])
        }
        notes = {note for post in public for _, note in post.corrections}
        return {text for text in texts | notes if text} - self.withdrawn

    def text(self, post: Post, revision: int | None) -> str | None:
        """Return the text of a revision. If it was withdrawn, the revision has the text of the one before."""
        texts = post.texts[: 0 if revision is None else revision + 1]
        return next((text for text in reversed(texts) if text not in self.withdrawn), None)

    def _post(self) -> Post:
        return self._chance.choice(self.posts)

    def _corrected_post(self) -> Post:
        """Return a post with corrections, if there is one."""
        return self._chance.choice([post for post in self.posts if post.corrections] or self.posts)

    async def _do(self, mutation: str, fields: str = "", **input_: Any) -> dict[str, Any] | None:
        """Run a mutation, and return its payload; `None` if it was rejected."""
        payload = await self.api.do(mutation, fields, **input_)
        return None if payload["userErrors"] else payload

    async def _write(self) -> None:
        text, publish = self.token(), self._chance.random() < 0.8
        slugs = self._chance.sample(["town", "council"], self._chance.randrange(3))
        post = await self.api.write(
            f"Title {text}",
            slug=f"story-{self._tokens}",
            body=f"Body {text}.",
            categories=[{"slug": slug} for slug in slugs],
            authors=[self._author],
            publish=publish,
        )
        live, published = (0, [0]) if publish else (None, [])
        self.posts.append(Post(post["id"], [text], live, published, places=set(slugs)))

    async def _edit(self) -> None:
        post, text = self._post(), self.token()
        if await self._do("postEdit", id=post.id, title=f"Title {text}", body=f"Body {text}."):
            post.texts.append(text)

    async def _publish(self) -> None:
        post = self._post()
        if self._chance.random() < 0.5:
            text = self.token()
            if await self._do("postEdit", id=post.id, title=f"Title {text}", body=f"Body {text}."):
                post.texts.append(text)
        if await self._do("postPublish", id=post.id):
            post.live = len(post.texts) - 1
            post.published.append(post.live)

    async def _unpublish(self) -> None:
        post = self._post()
        if await self._do("postUnpublish", id=post.id):
            post.live = None

    async def _archive(self) -> None:
        post = self._post()
        name = "postUnarchive" if post.is_archived else "postArchive"
        if await self._do(name, id=post.id):
            post.is_archived, post.live = not post.is_archived, None

    async def _categorize(self) -> None:
        post, place = self._post(), self._chance.choice(("town", "council"))
        if await self._do("postCategorize", id=post.id, category={"slug": place}):
            post.places.add(place)

    async def _uncategorize(self) -> None:
        post = self._chance.choice(
            [post for post in self.posts if post.places and post.live is not None] or self.posts
        )
        for place in sorted(post.places):
            if await self._do("postUncategorize", id=post.id, category={"slug": place}):
                post.places.discard(place)

    async def _rename(self) -> None:
        await self._do("authorRename", id=self._author, name=f"Ines {self._chance.random()}")
        await self._do("categoryRename", category={"slug": "town"}, name=f"Town {self._chance.random()}")
        await self._do("siteName", name=f"Courier {self._chance.random()}")

    async def _move(self) -> None:
        parent = self._chance.choice(({"slug": "town"}, None))
        await self._do("categoryMove", category={"slug": "council"}, parent=parent)

    async def _correct(self) -> None:
        post, note = self._post(), self.token()
        payload = await self._do("correctionAdd", "correction { id }", id=post.id, note=note)
        if payload:
            post.corrections.append((payload["correction"]["id"], note))

    async def _reword(self) -> None:
        post, note = self._corrected_post(), self.token()
        if post.corrections:
            id_, former = post.corrections[0]
            if await self._do("correctionReword", id=post.id, correction=id_, note=note):
                post.corrections += [(id_, note)]
                # Readers of the past may see the former wording, as a former text of an article.
                post.corrections[0] = (id_, former)

    async def _retract(self) -> None:
        post = self._corrected_post()
        if post.corrections:
            id_ = post.corrections[0][0]
            if await self._do("correctionRetract", id=post.id, correction=id_):
                post.corrections = [note for note in post.corrections if note[0] != id_]

    async def _withdraw(self) -> None:
        events = await self.api.store.log.read(0, 10_000)
        types = {"post.created", "post.edited", "correction.recorded"}
        texts = [event for event in events if event.header.type in types and event.payload is not None]
        if not texts:
            return
        event = self._chance.choice(texts)
        assert event.payload is not None
        self.withdrawn.update(TOKEN.findall(event.payload.plaintext.decode()))
        await withdraw_from(self.api.store, self._data, event.header.position, "A court order.")


class Reader:
    """A program that has read every document, and compares it with what it reads now."""

    def __init__(self, history: History, *, is_past_public: bool) -> None:
        self._history = history
        self._is_past_public = is_past_public
        self._archives: dict[str, Any] = {}
        self.counts = Counter[str]()

    async def read(self, action: str, chance: Random) -> None:
        api = self._history.api
        uncached = await self._uncached()
        for name in FEEDS:
            path = f"/feeds/{name}.atom"
            response = await api.http.get(path)
            documents = [valid_atom(response)]
            while previous := link(documents[-1], "prev-archive"):
                response = await api.http.get(previous)
                document = valid_atom(response) if chance.random() < VALIDATED_SHARE else parsed(response)
                if self._is_past_public:
                    self._compare(previous, document, action)
                documents.append(document)
                self.counts["archives"] += 1
            self._check_texts(documents)
            if name == "articles":
                self._check_that_nothing_is_missing(documents)
            paths = [path, f"/feeds/{name}.json"]
            paths += [f"{path}?archive={number}" for number in range(1, len(documents))]
            if self._is_past_public:
                at = chance.randint(1, await api.store.log.head())
                past = await api.http.get(f"/feeds/{name}.json?asOf={at}")
                if past.status_code == 200:
                    self._check_tokens(past.text)
                    valid_json_feed(past)
                    self.counts["past"] += bool(past.json()["items"])
                paths += [f"{path}?asOf={at}"]
            for address in paths:
                cached, fresh = await api.http.get(address), await uncached.get(address)
                assert (cached.status_code, cached.content) == (fresh.status_code, fresh.content), address
        await uncached.aclose()

    async def _uncached(self) -> httpx2.AsyncClient:
        context = RouteContext(
            self._history.api.store,
            FixedIdentity(ANONYMOUS),
            open_past=self._is_past_public,
            words=translations_of(page_contributions()).words,
        )
        transport = httpx2.ASGITransport(app=Starlette(routes=routes(context)))
        return httpx2.AsyncClient(transport=transport, base_url="http://test")

    def _compare(self, address: str, document: Any, action: str) -> None:
        """Fail if an archive has changed for another reason than a removal."""
        before = self._archives.get(address)
        self._archives[address] = document
        if before is None or etree.tostring(before) == etree.tostring(document):
            return
        self.counts[f"changed by {action}"] += 1
        assert action in REMOVING, f"{address} changed after {action}"
        old, new = entries_by_id(before), entries_by_id(document)
        assert new.keys() <= old.keys()
        assert old.keys() - new.keys() <= deleted(document).keys() or action in ("retract", "withdraw")
        assert all(at <= deleted(document)[id_] for id_, at in deleted(before).items())
        if action not in ("retract", "withdraw"):
            assert all(new[id_] == old[id_] for id_ in new)

    def _check_texts(self, documents: list[Any]) -> None:
        for document in documents:
            self._check_tokens(etree.tostring(document).decode())
            self.counts["deleted"] += len(deleted(document))

    def _check_tokens(self, text: str) -> None:
        unexpected = set(TOKEN.findall(text)) - self._history.visible(is_past_public=self._is_past_public)
        assert not unexpected

    def _check_that_nothing_is_missing(self, documents: list[Any]) -> None:
        """Fail unless the newest version of each public article is in one of the documents of the feed."""
        newest: dict[str, str] = {}
        for document in documents:
            for id_, entry in entries_by_id(document).items():
                newest.setdefault(id_, entry)
        shown = set(TOKEN.findall(" ".join(newest.values())))
        for post in self._history.posts:
            if text := self._history.text(post, post.live):
                assert text in shown
                self.counts["articles"] += 1


def entries_by_id(document: Any) -> dict[str, str]:
    return {
        entry.findtext(f"{ATOM}id"): etree.tostring(entry).decode().strip()
        for entry in document.findall(f"{ATOM}entry")
    }


@pytest.mark.slow
@pytest.mark.parametrize("is_past_public", [True, False])
async def test_archives_never_change_and_feeds_show_only_what_is_public(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_past_public: bool
) -> None:
    print("LEDGERPRESS_TEST_SEED =", SEED)  # noqa: T201 - a failure must show how to repeat it
    monkeypatch.setattr(feed_selection, "ARCHIVE_SIZE", ARCHIVE_SIZE)
    chance = Random(SEED + 1)
    async with client(tmp_path / "data", open_past=is_past_public) as api:
        api.writer = LOCAL_OPERATOR
        history = History(api, tmp_path / "data", Random(SEED))
        await history.begin()
        reader = Reader(history, is_past_public=is_past_public)
        for _ in range(STEPS):
            await reader.read(await history.step(), chance)
    print(dict(reader.counts))  # noqa: T201
    assert reader.counts["archives"] > 300
    assert reader.counts["deleted"] > 100
    assert reader.counts["articles"] > 100
    if is_past_public:
        assert reader.counts["past"] > 50
        assert any(name.startswith("changed by") for name in reader.counts)
