"""Editors that keep working while servers stop and start, and a record of their mutations and acknowledgements."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from random import Random
from typing import Any, TypeAlias

from ledgerpress.eventlog.clock_randomness_ids import uuid8
from ledgerpress.features.actors.model import OPERATOR
from ledgerpress.features.registry import EVENT_TYPES
from ledgerpress.graphql.relay import global_ids
from tests.integration.keep_alive_client import SELECTIONS, Client, ConnectionLost, Outcome
from tests.integration.log_history import History
from tests.integration.server_process import Server

Fact: TypeAlias = tuple[str, dict[str, Any]]
"""The type of an event and some of its fields."""

TYPE_NAMES = {event_type: name for name, _, event_type, _ in EVENT_TYPES}


@dataclass(frozen=True, slots=True)
class Order:
    """A mutation, and the events that it records if it records any, in order."""

    key: str
    mutation: str
    input: dict[str, Any] = field(repr=False)
    facts: tuple[Fact, ...] = field(repr=False)


@dataclass
class Book:
    """The mutations that all editors have sent, the acknowledged positions, both by idempotency key, and shared categories."""

    sent: dict[str, Order] = field(default_factory=dict)
    positions: dict[str, int] = field(default_factory=dict)
    categories: list[str] = field(default_factory=list)

    def check(self, commands: dict[str, History]) -> set[str]:
        """Fail unless each of `commands` was sent and is complete, and each acknowledged mutation is among them.

        Return the idempotency keys of `commands`.
        """
        publication = next(iter(commands.values()))[0].header.publication
        keys = {uuid8(publication, OPERATOR.id, key): key for key in self.sent}
        for command_id, events in commands.items():
            order = self.sent[keys[command_id]]
            assert [recorded.idempotency_key for recorded in events] == [order.key] * len(order.facts), order
            assert [TYPE_NAMES[type(recorded.event)] for recorded in events] == [
                name for name, _ in order.facts
            ], order
            for recorded, (_, fields) in zip(events, order.facts, strict=True):
                assert {name: getattr(recorded.event, name) for name in fields} == fields
        positions = {keys[command_id]: events[-1].position for command_id, events in commands.items()}
        assert {key: positions.get(key) for key in self.positions} == self.positions
        return set(positions)


class Editor:
    """Sends one mutation after another. A mutation without a response is sent again to the next server."""

    def __init__(self, name: str, book: Book, random: Random, *, pause_seconds: float = 0.0) -> None:
        """Wait up to `pause_seconds` between two mutations."""
        self._pause_seconds = pause_seconds
        self._name = name
        self._book = book
        self._random = random
        self._orders = self._new_orders()
        self._posts: dict[str, dict[str, Any]] = {}
        self._public_slugs: set[str] = set()
        self._published_ids: set[str] = set()
        self._last: Order | None = None
        self.pending: Order | None = None
        """The mutation that was sent and has no response yet."""
        self.repeated = 0
        """The number of mutations without a response that were sent again."""

    async def work(self, server: Server) -> None:
        """Send mutations until the server closes the connection."""
        try:
            async with await server.connect() as client:
                await self.make_sure(client)
                while True:
                    await self._carry_out(client, next(self._orders))
                    if self._pause_seconds:
                        await asyncio.sleep(self._random.uniform(0, self._pause_seconds))
        except ConnectionLost:
            pass

    async def make_sure(self, client: Client) -> None:
        """Send the last acknowledged mutation again, then the pending one.

        The acknowledged mutation must be reported as replayed, at the same position.
        """
        if self._last is not None:
            again = await client.mutate(self._last.mutation, **self._last.input)
            assert (again.replayed, again.position) == (True, self._book.positions[self._last.key])
        if self.pending is not None:
            self.repeated += 1
            await self._carry_out(client, self.pending)

    async def look(self, client: Client) -> None:
        """Fail unless each of the editor's posts is as the editor left it; no other client changes these posts."""
        query = f"query ($id: ID!) {{ {SELECTIONS['post'].replace('post', 'post(id: $id)', 1)} }}"
        for post_id, left in self._posts.items():
            data, _ = await client.execute(query, id=post_id)
            assert _sorted(data["post"]) == left

    async def _carry_out(self, client: Client, order: Order) -> None:
        self._book.sent[order.key] = self.pending = order
        outcome = await client.mutate(order.mutation, **order.input)
        while outcome.code == "BUSY":
            outcome = await client.mutate(order.mutation, **order.input)
        self._take_note(order, outcome)
        self._last, self.pending = order, None

    def _take_note(self, order: Order, outcome: Outcome) -> None:
        done = outcome.done
        assert outcome.position is not None
        self._book.positions[order.key] = outcome.position
        if order.mutation.startswith("post"):
            self._posts[done["id"]] = _sorted(done)
            if "post.published" in dict(order.facts):
                self._public_slugs.add(done["slug"])
                self._published_ids.add(done["id"])
        elif order.mutation == "categoryCreate" and done["id"] not in self._book.categories:
            self._book.categories.append(done["id"])

    # --- the choice of mutations ---------------------------------------------------------------------

    def _new_orders(self) -> Iterator[Order]:
        for number in count(1):
            text = f"{self._name}, order {number}"
            mutation, input, *facts = self._choose(text)
            key = f"key of {text}"
            yield Order(key, mutation, {**input, "idempotencyKey": key}, tuple(facts))

    def _choose(self, text: str) -> tuple[Any, ...]:
        pick = self._random
        if not self._book.categories or pick.random() < 0.08:
            named = {"name": text}
            return "categoryCreate", named, ("category.created", named), ("slug.claimed", {})
        if len(self._posts) < 3 or pick.random() < 0.25:
            return self._write(text)
        post = pick.choice(list(self._posts.values()))
        choices = (
            self._edit,
            self._edit,
            self._edit_and_publish,
            self._readdress,
            self._correct,
            self._categorize,
        )
        return pick.choice((*choices, self._rename_category, self._register))(text, post)

    def _write(self, text: str) -> tuple[Any, ...]:
        content = {"title": text, "body": self._body(text)}
        category_ids = self._random.sample(self._book.categories, k=min(2, len(self._book.categories)))
        publish = self._random.random() < 0.7
        input = {
            **content,
            "slug": _slug(text),
            "publish": publish,
            "categories": [{"id": category_id} for category_id in category_ids],
        }
        filed = [("post.categorized", {"category_id": _plain(category_id)}) for category_id in category_ids]
        published: list[Fact] = [("post.published", {"revision": 1})] if publish else []
        return "postCreate", input, ("post.created", content), *filed, *published, ("slug.claimed", {})

    def _edit(self, text: str, post: dict[str, Any]) -> tuple[Any, ...]:
        content = {"title": text, "body": self._body(text)}
        return "postEdit", {"id": post["id"], **content}, ("post.edited", content)

    def _edit_and_publish(self, text: str, post: dict[str, Any]) -> tuple[Any, ...]:
        edit = ("post.edited", {"title": text})
        return "postEdit", {"id": post["id"], "title": text, "publish": True}, edit, ("post.published", {})

    def _readdress(self, text: str, post: dict[str, Any]) -> tuple[Any, ...]:
        slug = {"slug": _slug(text)}
        released: list[Fact] = (
            [("slug.released", {"slug": post["slug"]})] if post["slug"] not in self._public_slugs else []
        )
        return (
            "postEdit",
            {"id": post["id"], **slug},
            ("post.edited", slug),
            ("slug.claimed", slug),
            *released,
        )

    def _correct(self, text: str, post: dict[str, Any]) -> tuple[Any, ...]:
        noted = {"correction": text if post["id"] in self._published_ids else None}
        return "postPublish", {"id": post["id"], **noted}, ("post.published", noted)

    def _categorize(self, _: str, post: dict[str, Any]) -> tuple[Any, ...]:
        category_id = self._random.choice(self._book.categories)
        is_in = category_id in {category["id"] for category in post["categories"]}
        mutation, name = (
            ("postUncategorize", "post.uncategorized") if is_in else ("postCategorize", "post.categorized")
        )
        input = {"id": post["id"], "category": {"id": category_id}}
        return mutation, input, (name, {"category_id": _plain(category_id)})

    def _rename_category(self, text: str, _: dict[str, Any]) -> tuple[Any, ...]:
        new = {"name": text, "slug": _slug(text)}
        input = {"category": {"id": self._random.choice(self._book.categories)}, **new}
        return "categoryRename", input, ("category.renamed", new), ("slug.claimed", {"slug": new["slug"]})

    def _register(self, text: str, _: dict[str, Any]) -> tuple[Any, ...]:
        facts = ("author.registered", {"name": text}), ("slug.claimed", {"slug": _slug(text)})
        return "authorRegister", {"name": text}, *facts

    def _body(self, text: str) -> str:
        return f"{text} says a lot. " * self._random.choice((1, 20, 200, 1_000))


def _sorted(post: dict[str, Any]) -> dict[str, Any]:
    """Return the post with its categories sorted by id.

    The server sorts them by name, and other editors may rename categories.
    """
    return {**post, "categories": sorted(post["categories"], key=lambda category: str(category["id"]))}


def _slug(text: str) -> str:
    return text.replace(",", "").replace(" ", "-").lower()


def _plain(global_id: str) -> str:
    return global_ids.argument(global_id, "Category")
