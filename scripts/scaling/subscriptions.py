"""Measures what one event costs where many subscribe, each to something else: one step for each, whatever has happened."""

import asyncio
import time
from typing import Final

from ledgerpress.application.access import ANONYMOUS
from ledgerpress.application.posts import EditPost
from ledgerpress.compose.store import Store
from ledgerpress.graphql.engine import Engine
from ledgerpress.graphql.live.hub import Live
from ledgerpress.graphql.live.settings import LiveSettings
from ledgerpress.graphql.live.told import Ended, Told

DIFFERENT: Final = 500
EVENTS: Final = 5
DOCUMENT: Final = (
    "subscription ($slug: String!) { articleChanged(slug: $slug) { position article { title } } }"
)


class Nowhere:
    """A connection that takes everything at once."""

    async def send(self, event: Told) -> None:
        """Take it."""

    async def end(self, end: Ended) -> None:
        """Take note."""

    def abandon(self) -> None:
        """End."""


async def different(store: Store, post_id: str) -> float:
    """Return the processor seconds that an event costs for each subscription that is different from all others."""
    engine = Engine()
    await engine.documents.prepare(DOCUMENT)
    operation = engine.documents.operation(DOCUMENT, None)
    live = Live(engine, store, LiveSettings())
    alone = await _events(store, post_id, "alone")
    subscribers = [
        await live.subscribe(operation, DOCUMENT, {"slug": f"elsewhere-{number}"}, ANONYMOUS, Nowhere())
        for number in range(DIFFERENT)
    ]
    await _quiet()
    together = await _events(store, post_id, "together")
    for one in subscribers:
        one.cancel()
    return (together - alone) / DIFFERENT


async def _events(store: Store, post_id: str, title: str) -> float:
    """Return the processor seconds of a command, and of all that comes of it."""
    started = time.process_time()
    for number in range(EVENTS):
        await store.press.handle(EditPost(post_id=post_id, title=f"{title} {number}"))
        await _quiet()
    return (time.process_time() - started) / EVENTS


async def _quiet() -> None:
    """Wait until this process has nothing left to do."""
    busy = 1.0
    while busy > 0.005:
        before = time.process_time()
        await asyncio.sleep(0.1)
        busy = time.process_time() - before
