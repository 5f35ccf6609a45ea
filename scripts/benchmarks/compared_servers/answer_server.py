"""One of the servers that `scripts/bench answers` compares; prints its port.

Usage: python -m scripts.benchmarks.compared_servers.answer_server KIND DATA BYTES
"""

import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import uvicorn
import uvloop
from starlette.types import ASGIApp, Receive, Scope, Send

from ledgerpress.commands.client_identity import ANONYMOUS, FixedIdentity
from ledgerpress.features.registry import graphql_schema
from ledgerpress.http.app import make_app
from ledgerpress.http.graphql_over_http_settings import HttpSettings
from ledgerpress.server.store import Store, open_store
from scripts.benchmarks.compared_servers.plain_strawberry import our_schema, plain_strawberry


def bare(body: bytes) -> ASGIApp:
    """Return an application that reads a request and always sends the same bytes."""
    headers = [
        (b"content-type", b"application/json; charset=utf-8"),
        (b"content-length", str(len(body)).encode()),
    ]

    async def app(_scope: Scope, receive: Receive, send: Send) -> None:
        while (await receive()).get("more_body"):
            pass
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    return app


def ledgerpress(store: Store) -> ASGIApp:
    """Return LedgerPress's application for anonymous clients, without rate limits."""
    unbounded = HttpSettings(requests_per_second=0, anonymous_requests_per_second=0)
    return make_app(store, graphql_schema(), authenticator=FixedIdentity(ANONYMOUS), settings=unbounded)


KINDS: dict[str, Callable[[Store, bytes], ASGIApp]] = {
    "bare": lambda _store, body: bare(body),
    "cached": lambda store, _body: ledgerpress(store),
    "uncached": lambda store, _body: ledgerpress(store),
    "strawberry": lambda store, _body: plain_strawberry(store),
    "our schema": lambda store, _body: our_schema(store),
}


async def serve(kind: str, data: Path, body: bytes) -> None:
    """Serve until the process is ended."""
    async with open_store(data, create=False) as store:
        config = uvicorn.Config(
            KINDS[kind](store, body),
            port=0,
            http="httptools",
            ws="none",
            log_level="warning",
            access_log=False,
            server_header=False,
            lifespan="off",
        )
        server = uvicorn.Server(config)
        listener = config.bind_socket()
        listener.listen(2048)
        print(listener.getsockname()[1], flush=True)
        serving: Awaitable[None] = server.serve(sockets=[listener])
        await serving


if __name__ == "__main__":
    uvloop.run(serve(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]).read_bytes()))
