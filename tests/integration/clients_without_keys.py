"""Clients that send mutations without idempotency keys while servers are killed, and a record of what was acknowledged."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import count
from random import Random
from typing import Any, Final

from ledgerpress.eventlog.codec import Recorded
from ledgerpress.eventlog.event_and_withdrawn_event import Event
from ledgerpress.features.posts.model import PostCreated, PostEdited
from tests.integration.keep_alive_client import Client, ConnectionLost
from tests.integration.log_history import by_command
from tests.integration.server_process import Server

NOTHING_RECORDED: Final = frozenset({"BUSY", "TOO_BUSY"})
"""Codes with which the server states that nothing was recorded."""
MAYBE_RECORDED: Final = frozenset({"LOG_UNAVAILABLE", "APPEND_UNRESOLVED"})
AGAIN_SECONDS: Final = 0.05

_RESULT: Final = "position viewsBehind userErrors { code currentVersion } post { id version }"
_CREATE: Final = (
    f"mutation ($input: PostCreateInput!) {{ outcome: postCreate(input: $input) {{ {_RESULT} }} }}"
)
_EDIT: Final = f"mutation ($input: PostEditInput!) {{ outcome: postEdit(input: $input) {{ {_RESULT} }} }}"


@dataclass
class Titles:
    """The titles that all clients have sent. Each belongs to one mutation."""

    sent: set[str] = field(default_factory=set)
    positions: dict[str, int] = field(default_factory=dict)
    """The acknowledged position of each mutation."""
    recorded: set[str] = field(default_factory=set)
    """The mutations whose first attempt was recorded, according to the response to their second attempt."""
    rejected: set[str] = field(default_factory=set)
    """The mutations that the server rejected, and that were not sent again."""

    def check(self, events: Sequence[Recorded[Event]]) -> None:
        """Fail unless each acknowledged mutation was recorded once, where it was acknowledged, and no other one twice."""
        numbers: Counter[str] = Counter()
        positions: dict[str, int] = {}
        for command in by_command(events).values():
            for event in (recorded.event for recorded in command):
                if isinstance(event, (PostCreated, PostEdited)) and isinstance(event.title, str):
                    numbers[event.title] += 1
                    positions[event.title] = command[-1].position
        assert numbers.keys() <= self.sent
        assert [title for title, number in numbers.items() if number > 1] == []
        assert {title: positions.get(title) for title in self.positions} == self.positions
        assert self.recorded <= numbers.keys()
        assert not self.rejected & numbers.keys()


class ClientWithoutKeys:
    """Creates a post and edits it several times with `expectedVersion`, again and again.

    A creation without a clear response is given up, because a second one could create a second post. An edit without a
    clear response is sent again: if it was recorded, the post has the next version.
    """

    def __init__(self, name: str, titles: Titles, random: Random, *, pause_seconds: float) -> None:
        """Wait up to `pause_seconds` between two mutations."""
        self._name = name
        self._titles = titles
        self._random = random
        self._pause_seconds = pause_seconds
        self._numbers = count(1)
        self._post: tuple[str, int] | None = None
        self._edit: dict[str, Any] | None = None
        self.repeated = 0
        """The number of mutations that were sent again."""

    async def work(self, server: Server) -> None:
        """Send mutations until the server closes the connection."""
        try:
            async with await server.connect() as client:
                while True:
                    await self.step(client)
                    await asyncio.sleep(self._random.uniform(0, self._pause_seconds))
        except ConnectionLost:
            pass

    async def settle(self, server: Server) -> None:
        """Send an edit without a clear response again until it has one."""
        async with await server.connect() as client:
            while self._edit is not None:
                await self.step(client)

    async def step(self, client: Client) -> None:
        """Send the next mutation, or again an edit without a clear response."""
        if self._edit is not None:
            self.repeated += 1
            await self._send_edit(client, self._edit)
        elif self._post is None or self._random.random() < 0.2:
            await self._create(client)
        else:
            post_id, version = self._post
            self._edit = {"id": post_id, "title": self._new_title(), "expectedVersion": version}
            await self._send_edit(client, self._edit)

    async def _create(self, client: Client) -> None:
        self._post, title = None, self._new_title()
        outcome = await self._answer(
            client, _CREATE, {"title": title, "publish": self._random.random() < 0.5}
        )
        if outcome is None:
            return
        if outcome["userErrors"]:
            self._must_be_busy(outcome)
            self._titles.rejected.add(title)
        else:
            self._acknowledged(title, outcome)

    async def _send_edit(self, client: Client, edit: dict[str, Any]) -> None:
        outcome = await self._answer(client, _EDIT, edit)
        if outcome is None:
            return
        if not outcome["userErrors"]:
            self._edit = None
            self._acknowledged(edit["title"], outcome)
            return
        error = outcome["userErrors"][0]
        if error["code"] == "VERSION_CONFLICT":
            assert error["currentVersion"] == edit["expectedVersion"] + 1, (edit, error)
            self._edit, self._post = None, (edit["id"], error["currentVersion"])
            self._titles.recorded.add(edit["title"])
        else:
            self._must_be_busy(outcome)

    async def _answer(self, client: Client, query: str, input: dict[str, Any]) -> dict[str, Any] | None:
        """Return the outcome, or `None` if the mutation may have been recorded."""
        _, body = await client.answer(query, input=input)
        if "errors" not in body:
            outcome: dict[str, Any] = body["data"]["outcome"]
            return outcome
        code = body["errors"][0]["extensions"]["code"]
        assert code in MAYBE_RECORDED | NOTHING_RECORDED, body
        await asyncio.sleep(AGAIN_SECONDS)
        return None

    def _acknowledged(self, title: str, outcome: dict[str, Any]) -> None:
        self._titles.positions[title] = outcome["position"]
        post = None if outcome["viewsBehind"] else outcome["post"]
        self._post = None if post is None else (post["id"], post["version"])

    def _must_be_busy(self, outcome: dict[str, Any]) -> None:
        assert outcome["userErrors"][0]["code"] in NOTHING_RECORDED, outcome

    def _new_title(self) -> str:
        title = f"{self._name}, attempt {next(self._numbers)}"
        self._titles.sent.add(title)
        return title
