"""Random histories of site pages, the menu and the site: rebuilt rows, moments, caches, and words that must be hidden.

Each text has a word of its own. A failure prints the seed; `LEDGERPRESS_TEST_SEED=7 scripts/test
tests/property/test_site_pages.py` uses another.
"""

import os
import re
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any, Final

import pytest

from ledgerpress.commands.client_identity import ANONYMOUS, LOCAL_OPERATOR, Identity
from ledgerpress.operator.withdraw import withdraw_from
from tests.cached_documents import nothing_remembered
from tests.integration.graphql_client import Client, client
from tests.property.long_scenario import StandingClock
from tests.property.stores_with_history import store_of
from tests.property.view_rows import rebuilt, rows_of, views_in_use

SEED: Final = int(os.environ.get("LEDGERPRESS_TEST_SEED", "1"))
STEPS: Final = 120
SLUGS: Final = ("imprint", "about", "jobs", "privacy")
PUBLIC: Final = """
fragment OfPage on Page { slug title path updatedAt body { markdown html } }
query ($at: AsOf, $imprint: String, $about: String) {
  site(asOf: $at) { name description address version logo { url alternativeText } }
  pages(asOf: $at) { totalCount nodes { ...OfPage } }
  one: page(slug: $imprint, asOf: $at) { ...OfPage }
  two: page(slug: $about, asOf: $at) { ...OfPage }
  menu(asOf: $at) { version items { label place url page { title } category { name } } }
}
"""
INTERNAL: Final = """
query ($at: AsOf) {
  pageDrafts(asOf: $at) {
    totalCount nodes { version status slug title createdAt hasUnpublishedChanges body { markdown } page { title } }
  }
  menu(asOf: $at) { version items { label place url pageDraft { title } } }
}
"""
VALUES: Final = {"imprint": "imprint", "about": "about"}


@dataclass
class Page:
    """A page, the words of its draft and of its public texts, and all words that it ever had in public."""

    id: str
    draft: dict[str, str]
    public: dict[str, str] | None = None
    shown: set[str] = field(default_factory=set)


class Newsroom:
    """A site that changes at random, and a model of the words that readers may see today or in the past."""

    def __init__(self, api: Client, data: Path, chance: Random) -> None:
        self.api = api
        self.pages: list[Page] = []
        self.withdrawn: set[str] = set()
        self.never_public: set[str] = set()
        self._data = data
        self._chance = chance
        self._words = 0
        self._written: dict[int, set[str]] = {}

    @property
    def hidden(self) -> set[str]:
        """The words that readers may not see: withdrawn, never public, or of pages that are not public today."""
        hidden, visible = self.withdrawn | self.never_public, set[str]()
        for page in self.pages:
            (hidden if page.public is None else visible).update(page.shown)
        return hidden - (visible - self.withdrawn)

    async def step(self) -> str:
        actions = (
            ["create"] * 2 + ["edit"] * 4 + ["publish"] * 4 + ["unpublish", "menu", "describe", "category"]
        )
        action = self._chance.choice(actions if self.pages else ["create"])
        await getattr(self, f"_{action}")()
        return action

    async def withdraw(self) -> None:
        position = self._chance.choice(sorted(self._written))
        words = self._written.pop(position)
        await withdraw_from(self.api.store, self._data, position, "A court's order.")
        self.withdrawn |= words

    def _word(self) -> str:
        self._words += 1
        word = f"zq{self._words}qz"
        self.never_public.add(word)
        return word

    async def _do(self, mutation: str, fields: str = "", **input: Any) -> dict[str, Any]:
        return await self.api.do(mutation, fields, **input)

    async def _create(self) -> None:
        title, body = self._word(), self._word()
        slug = {"slug": self._chance.choice(SLUGS)} if self._chance.random() < 0.7 else {}
        before = await self.api.store.log.head()
        payload = await self._do("pageCreate", "pageDraft { id }", title=title, body=body, **slug)
        if payload["pageDraft"]:
            self.pages.append(Page(payload["pageDraft"]["id"], {"title": title, "body": body}))
            self._written[before + 1] = {title, body}

    async def _edit(self) -> None:
        page = self._chance.choice(self.pages)
        names = self._chance.choice((("title",), ("body",), ("title", "body"), ()))
        values = {name: self._word() for name in names}
        slug = {"slug": self._chance.choice(SLUGS)} if self._chance.random() < 0.3 else {}
        before = await self.api.store.log.head()
        payload = await self._do("pageEdit", id=page.id, **values, **slug)
        if not payload["userErrors"] and payload["position"] > before:
            page.draft |= values
            self._written[before + 1] = set(values.values())

    async def _publish(self) -> None:
        page = self._chance.choice(self.pages)
        payload = await self._do("pagePublish", id=page.id)
        assert payload["userErrors"] == []
        page.public = dict(page.draft)
        page.shown |= set(page.draft.values())
        self.never_public -= page.shown

    async def _unpublish(self) -> None:
        page = self._chance.choice(self.pages)
        await self._do("pageUnpublish", id=page.id)
        page.public = None

    async def _menu(self) -> None:
        targets: list[dict[str, Any]] = [{"address": "/"}, {"address": "https://example.org/"}]
        targets += [{"page": page.id} for page in self.pages]
        label = self._word()
        items = [
            {
                "label": f"{label} {number}",
                "target": target,
                "place": self._chance.choice(("HEADER", "FOOTER")),
            }
            for number, target in enumerate(self._chance.sample(targets, min(len(targets), 3)))
        ]
        payload = await self._do("menuArrange", items=items)
        assert payload["userErrors"] == []
        self._written[payload["position"]] = {label}
        self.never_public.discard(label)

    async def _describe(self) -> None:
        word = self._word()
        values: dict[str, Any] = self._chance.choice(
            (
                {"description": word},
                {"address": word},
                {"logo": {"url": f"/{word}.svg", "alternativeText": word}},
                {"description": None, "logo": None, "address": word},
            )
        )
        payload = await self._do("siteDescribe", **values)
        self._written[payload["position"]] = {word}
        self.never_public.discard(word)

    async def _category(self) -> None:
        await self._do("categoryCreate", name=f"Town {self._words}")


async def answer(api: Client, identity: Identity, query: str, position: int | None) -> Any:
    at = None if position is None else {"position": position}
    with api.acting_as(identity):
        return await api.ask(query, at=at, **(VALUES if query is PUBLIC else {}))


@pytest.mark.slow
async def test_moments_caches_and_hidden_words(tmp_path: Path) -> None:
    print("LEDGERPRESS_TEST_SEED =", SEED)  # noqa: T201 - a failure must show how to repeat it
    chance, data, counts = Random(SEED), tmp_path / "site", Counter[str]()
    expected = dict[int, tuple[Any, Any]]()
    async with client(data, open_past=True, clock=StandingClock(1_714_000_000_000_000)) as api:
        newsroom = Newsroom(api, data, chance)
        for _ in range(STEPS):
            counts[await newsroom.step()] += 1
            await cached_answers_are_fresh(api)
            expected[await api.store.log.head()] = (
                await answer(api, LOCAL_OPERATOR, PUBLIC, None),
                await answer(api, LOCAL_OPERATOR, INTERNAL, None),
            )
        head = await api.store.log.head()
        for position, (public, internal) in expected.items():
            assert await answer(api, LOCAL_OPERATOR, PUBLIC, position) == public, position
            assert await answer(api, LOCAL_OPERATOR, INTERNAL, position) == internal, position
        events = await api.store.log.read(0, head)
        for position in chance.sample(sorted(expected), 3):
            async with store_of(
                tmp_path / str(position), events[:position], StandingClock(1_714_000_000_000_000)
            ):
                pass
            async with client(
                tmp_path / str(position), open_past=True, clock=StandingClock(1_714_000_000_000_000)
            ) as other:
                assert await answer(other, LOCAL_OPERATOR, PUBLIC, None) == expected[position][0], position
                assert await answer(other, LOCAL_OPERATOR, INTERNAL, None) == expected[position][1], position
        await nothing_hidden_is_shown(api, newsroom, chance, counts)
        for _ in range(12):
            await newsroom.withdraw()
            counts[await newsroom.step()] += 1
            await cached_answers_are_fresh(api)
            await nothing_hidden_is_shown(api, newsroom, chance, counts)
        following = rows_of(views_in_use(data))
        assert await rebuilt(api.store.log, tmp_path / "rebuilt.sqlite", batch_size=7) == following
    print(dict(counts))  # noqa: T201
    assert all(counts[name] for name in ("200", "404", "words", "hidden", "menu", "describe", "unpublish")), (
        counts
    )


async def cached_answers_are_fresh(api: Client) -> None:
    for identity, query in ((ANONYMOUS, PUBLIC), (LOCAL_OPERATOR, PUBLIC), (LOCAL_OPERATOR, INTERNAL)):
        cached = await answer(api, identity, query, None)
        assert await answer(api, identity, query, None) == cached
        with nothing_remembered():
            # A comment makes it another document, which no cache contains.
            document = f"{query}\n# {await api.store.log.head()} {identity.role}"
            with api.acting_as(identity):
                fresh = await api.ask(document, **(VALUES if query is PUBLIC else {}))
        assert fresh == cached


async def nothing_hidden_is_shown(
    api: Client, newsroom: Newsroom, chance: Random, counts: Counter[str]
) -> None:
    head, hidden = await api.store.log.head(), newsroom.hidden
    counts["hidden"] += len(hidden)
    paths = ["/", "/feeds/articles.atom", *(f"/pages/{slug}" for slug in SLUGS)]
    moments = [None, *(chance.randint(0, head) for _ in range(6))]
    for path in paths:
        for position in moments:
            suffix = "" if position is None else f"?asOf={position}"
            page = await api.http.get(path + suffix, follow_redirects=True)
            counts[str(page.status_code)] += 1
            words = set(re.findall(r"zq\d+qz", page.text + str(page.url)))
            counts["words"] += len(words)
            assert not words & hidden, (path, position, words & hidden)
    for position in moments:
        words = set(re.findall(r"zq\d+qz", str(await answer(api, ANONYMOUS, PUBLIC, position))))
        assert not words & hidden, (position, words & hidden)
