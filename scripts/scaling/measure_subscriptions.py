"""Measure the cost of an event with many different subscriptions: a process checks each of them after every event."""

import asyncio
import time
from typing import Final, Self

from ledgerpress.commands.client_identity import ANONYMOUS
from ledgerpress.features.posts.create_edit_categorize_commands import EditPost
from ledgerpress.features.registry import graphql_schema
from ledgerpress.graphql.executor import Executor
from ledgerpress.graphql.subscriptions.hub import SubscriptionHub
from ledgerpress.graphql.subscriptions.result_messages import ResultMessage, SubscriptionEnded
from ledgerpress.graphql.subscriptions.settings import SubscriptionSettings
from ledgerpress.server.store import Store

DIFFERENT: Final = 500
EVENTS: Final = 5
DOCUMENT: Final = (
    "subscription ($slug: String!) { articleChanged(slug: $slug) { position article { title } } }"
)


class DiscardingConnection:
    """A connection that immediately discards all messages."""

    @property
    def sender(self) -> Self:
        """The connection itself."""
        return self

    def send(self, event: ResultMessage) -> None:
        """Discard a message."""

    async def end(self, end: SubscriptionEnded) -> None:
        """Ignore the end."""

    def abandon(self) -> None:
        """Do nothing."""


async def different(store: Store, post_id: str) -> float:
    """Return the processor seconds of an event for each subscription that is different from all others."""
    engine = Executor(graphql_schema())
    operation = await engine.documents.resolve(DOCUMENT)
    hub = SubscriptionHub(engine, store, SubscriptionSettings())
    alone = await _events(store, post_id, "alone")
    subscribers = [
        await hub.subscribe(operation, {"slug": f"elsewhere-{number}"}, ANONYMOUS, DiscardingConnection())
        for number in range(DIFFERENT)
    ]
    await _quiet()
    together = await _events(store, post_id, "together")
    for subscriber in subscribers:
        subscriber.cancel()
    return (together - alone) / DIFFERENT


async def _events(store: Store, post_id: str, title: str) -> float:
    """Return the processor seconds per command, with all work that the command causes."""
    started = time.process_time()
    for number in range(EVENTS):
        await store.commands.handle(EditPost(post_id=post_id, title=f"{title} {number}"))
        await _quiet()
    return (time.process_time() - started) / EVENTS


async def _quiet() -> None:
    """Wait until this process is idle."""
    busy = 1.0
    while busy > 0.005:
        before = time.process_time()
        await asyncio.sleep(0.1)
        busy = time.process_time() - before
