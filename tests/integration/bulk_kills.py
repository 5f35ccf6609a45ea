"""Bulk requests to a server that is killed while it executes them."""

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any, Final

from ledgerpress.features.actors.model import FIRST_EVENT_COUNT
from tests.integration.keep_alive_client import ConnectionLost
from tests.integration.log_history import History, assert_gapless, by_command, recorded_at
from tests.integration.server_process import Server, Servers

MODES: Final = ("ATOMIC", "INDIVIDUAL")
CREATED_AT_ONCE: Final = 400
"""The number of posts that are created by one request: each has two events."""
_BULK: Final = """
mutation ($input: BulkInput!) {
  bulk(input: $input) {
    results { replayed userErrors { code message } ... on PostPayload { post { id teaser } } }
    userErrors { code message }
  }
}
"""


@dataclass
class KilledBulkRequests:
    """Bulk requests that edit each of `commands` posts, to one server after the other on one data directory."""

    servers: Servers
    data: Path
    url: str
    commands: int
    random: Random
    options: Sequence[str] = ()
    counts: Counter[str] = field(default_factory=Counter)
    posts: list[str] = field(default_factory=list)
    server: Server | None = None
    seconds: dict[str, float] = field(default_factory=dict)
    """How long a request takes that is not interrupted, by mode."""

    async def run(self, kills: int) -> None:
        """Kill the server during `kills` requests, and repeat each of them. Fails if a request was executed in part."""
        await self._create_posts()
        for mode in MODES:
            began = time.monotonic()
            await self._send(await self._server(), mode, f"undisturbed {mode}")
            self.seconds[mode] = time.monotonic() - began
        for number in range(kills):
            await self._kill_during(MODES[number % len(MODES)], f"request {number}")
        server = await self._server()
        assert await server.stop() == 0, server.words()
        await self._check(kills)

    async def _server(self) -> Server:
        if self.server is None or not self.server.is_running:
            self.server = await self.servers.start(self.data, *self.options)
        return self.server

    async def _create_posts(self) -> None:
        server = await self._server()
        for begin in range(0, self.commands, CREATED_AT_ONCE):
            numbers = range(begin, min(begin + CREATED_AT_ONCE, self.commands))
            commands = [{"postCreate": {"title": f"Post {number}"}} for number in numbers]
            results = await self._results(server, "ATOMIC", f"create {begin}", commands)
            self.posts += [result["post"]["id"] for result in results]

    async def _send(self, server: Server, mode: str, key: str) -> list[bool]:
        """Send the request with a key; return for each command whether it was replayed."""
        edits = [{"postEdit": {"id": post, "teaser": key}} for post in self.posts]
        results = await self._results(server, mode, key, edits)
        assert [result["post"]["id"] for result in results] == self.posts
        return [result["replayed"] for result in results]

    async def _results(
        self, server: Server, mode: str, key: str, commands: Sequence[dict[str, Any]]
    ) -> list[dict[str, Any]]:
        input = {"mode": mode, "commands": commands, "idempotencyKey": key}
        async with await server.connect() as client:
            data, _ = await client.execute(_BULK, input=input)
        assert data["bulk"]["userErrors"] == []
        results: list[dict[str, Any]] = data["bulk"]["results"]
        assert not any(result["userErrors"] for result in results)
        assert len(results) == len(commands)
        return results

    async def _kill_during(self, mode: str, key: str) -> None:
        server = await self._server()
        request = asyncio.create_task(self._send(server, mode, key))
        await asyncio.sleep(self.random.uniform(0.1, 1.3) * self.seconds[mode])
        await server.kill()
        try:
            await request
            self.counts[f"{mode} answered"] += 1
        except ConnectionLost:
            self.counts[f"{mode} without a response"] += 1
        before = len(_of_key(await recorded_at(self.url), key))
        if mode == "ATOMIC":
            assert before in {0, self.commands}, f"{before} of {self.commands} commands were recorded"
        kind = {0: "nothing", self.commands: "everything"}.get(before, "a part")
        self.counts[f"{mode} recorded {kind}"] += 1
        replayed = await self._send(await self._server(), mode, key)
        assert sum(replayed) >= before
        assert mode == "INDIVIDUAL" or len(set(replayed)) == 1
        assert all(await self._send(await self._server(), mode, key))

    async def _check(self, kills: int) -> None:
        """Fail unless the log has each command of each request once."""
        history = await recorded_at(self.url)
        assert_gapless(history)
        by_command(history[FIRST_EVENT_COUNT:])
        for number in range(kills):
            events = _of_key(history, f"request {number}")
            keys = Counter(event.idempotency_key for event in events)
            assert keys == Counter(f"request {number}/{index}" for index in range(self.commands))
            if MODES[number % len(MODES)] == "ATOMIC":
                assert events[-1].position - events[0].position == self.commands - 1


def _of_key(history: History, key: str) -> History:
    """Return the events of the commands of a bulk request."""
    return [event for event in history if (event.idempotency_key or "").startswith(f"{key}/")]
