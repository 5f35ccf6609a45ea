"""The two servers that are compared: the reference server from npm, and LedgerPress."""

import asyncio
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from ledgerpress.commands.client_identity import LOCAL_OPERATOR, Identity, Unauthenticated
from ledgerpress.features.authors.commands import RegisterAuthor
from ledgerpress.graphql.subscriptions.settings import SubscriptionSettings
from ledgerpress.server.store import Store
from tests.conformance import node
from tests.integration.several_workers import opened_store
from tests.integration.websocket_client import served


@dataclass(frozen=True, slots=True)
class ProtocolServer:
    """A server, and documents with known results; each selects `position`."""

    host: str
    port: int
    path: str
    stream_path: str
    query: str
    mutation: str
    three: str
    """A subscription that ends after three results."""
    silent: str
    """A subscription without results that does not end."""
    endless: str
    """A subscription that sends results without end."""

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}{self.path}"

    @property
    def stream_url(self) -> str:
        return f"http://{self.host}:{self.port}{self.stream_path}"


INVALID = "{ thereIsNoSuchField }"


@contextmanager
def reference(program: str) -> Iterator[ProtocolServer]:
    """Run a reference server."""
    with subprocess.Popen(
        [node.programs() / "node", node.HERE / program, node.packages()],
        stdout=subprocess.PIPE,
        env=node.environment(),
    ) as process:
        try:
            assert process.stdout is not None
            yield ProtocolServer(
                "127.0.0.1", int(process.stdout.readline()), "/graphql", "/graphql",
                query="{ moment { position } }",
                mutation="mutation { touch }",
                three="subscription { three { position } }",
                silent="subscription { silent { position } }",
                endless="subscription { endless { position } }",
            )  # fmt: skip
        finally:
            process.kill()


class _Authenticator:
    """Authenticates every client as the operator, except with a bad token."""

    async def identify(self, authorization: str | None) -> Identity:
        if authorization == "Bearer bad":
            raise Unauthenticated("The token is not known.")
        return LOCAL_OPERATOR


@asynccontextmanager
async def ledgerpress_server(data: Path) -> AsyncIterator[ProtocolServer]:
    """Run LedgerPress on a new store."""
    async with (
        opened_store(data) as store,
        served(store, authenticator=_Authenticator(), live=SubscriptionSettings(init_seconds=0.7)) as server,
        _recording(store),
    ):
        yield ProtocolServer(
            server.host, server.port, "/graphql", "/graphql/stream",
            query="{ moment { position } }",
            mutation='mutation { siteName(input: { name: "Tidings" }) { position } }',
            three="subscription { changes(fromPosition: 0, filter: { positionTo: 3 }) { position } }",
            silent='subscription { articleChanged(slug: "none") { position } }',
            endless="subscription { changes(fromPosition: 0) { position } }",
        )  # fmt: skip


@asynccontextmanager
async def _recording(store: Store) -> AsyncIterator[None]:
    """Record an event every 20 milliseconds."""
    stopped = asyncio.Event()

    async def record() -> None:
        for number in count(1):
            await asyncio.sleep(0.02)
            if stopped.is_set():
                return
            await store.commands.handle(RegisterAuthor(name=f"Author {number}"))

    recording = asyncio.create_task(record())
    try:
        yield
    finally:
        stopped.set()
        await recording
