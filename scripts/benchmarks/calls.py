"""Calls of project functions that one `postEdit` mutation and one cached query make, and the modules involved.

Counts how often Python enters a frame of `src/ledgerpress`, in every thread, until the response is complete. This
includes calls and resumptions of coroutines and generators. Both requests go to the ASGI application in this process,
after a warm-up. Their body arrives in two messages, which the fast path for repeated queries does not handle. So the
response to the query comes from the response cache of the GraphQL endpoint. The numbers are medians, because the number
of times that a coroutine waits varies slightly.
"""

import argparse
import asyncio
import json
import statistics
import sys
import tempfile
import threading
from collections import Counter
from pathlib import Path
from types import FrameType
from typing import Any, Final

from starlette.types import ASGIApp, Message

import ledgerpress
from ledgerpress.commands.client_identity import LOCAL_OPERATOR, FixedIdentity
from ledgerpress.features.registry import graphql_schema
from ledgerpress.http.app import make_app
from ledgerpress.http.graphql_over_http_settings import HttpSettings
from ledgerpress.server.store import open_store

SOURCE: Final = f"{Path(ledgerpress.__file__).parent}/"
CREATE: Final = "mutation ($input: PostCreateInput!) { postCreate(input: $input) { post { id } } }"
EDIT: Final = """mutation ($input: PostEditInput!) { postEdit(input: $input) {
    post { id version title } position userErrors { code message } } }"""
QUERY: Final = "{ articles(first: 10) { nodes { title slug } } }"
WARM_UP: Final = 5
IDLE_SECONDS: Final = 0.1
"""The delay before a request is traced, so that work after the previous request has ended."""

Function = tuple[str, str]
"""A module's path and the qualified name of a function in it."""


class CallCounter:
    """A profile function that counts the frames of this project that are entered while it is active."""

    def __init__(self) -> None:
        self.active = False
        self.calls: Counter[Function] = Counter()

    def __call__(self, frame: FrameType, event: str, _argument: object) -> None:
        """Count a frame. Python calls this for each event of each thread."""
        if self.active and event == "call" and frame.f_code.co_filename.startswith(SOURCE):
            code = frame.f_code
            self.calls[code.co_filename.removeprefix(SOURCE), code.co_qualname] += 1

    async def trace(self, app: ASGIApp, document: str, **variables: Any) -> Counter[Function]:
        """Return how often one request enters each function."""
        await asyncio.sleep(IDLE_SECONDS)
        self.calls = Counter()
        sys.setprofile(self)
        self.active = True
        try:
            await request(app, document, **variables)
        finally:
            self.active = False
            sys.setprofile(None)
        return self.calls


async def request(app: ASGIApp, document: str, **variables: Any) -> dict[str, Any]:
    """Send a GraphQL request and return the data of its response."""
    body = json.dumps({"query": document, "variables": variables}).encode()
    messages: list[Message] = [
        {"type": "http.request", "body": body, "more_body": True},
        {"type": "http.request", "body": b"", "more_body": False},
    ]
    sent: list[Message] = []

    async def receive() -> Message:
        if not messages:
            await asyncio.Event().wait()  # the client stays connected
        return messages.pop(0)

    async def send(message: Message) -> None:
        sent.append(message)

    headers = {"host": "localhost", "content-type": "application/json", "content-length": str(len(body))}
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": "/graphql",
        "raw_path": b"/graphql",
        "root_path": "",
        "query_string": b"",
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
        "client": ("127.0.0.1", 1024),
        "server": ("127.0.0.1", 80),
    }
    await app(scope, receive, send)
    response = json.loads(b"".join(message.get("body", b"") for message in sent))
    if "errors" in response:
        raise RuntimeError(f"the request failed: {response['errors']}")
    data: dict[str, Any] = response["data"]
    return data


async def measure(rounds: int) -> dict[str, list[Counter[Function]]]:
    """Return the calls of each round, by kind of request."""
    counter = CallCounter()
    threading.setprofile(counter)
    with tempfile.TemporaryDirectory() as folder:
        async with open_store(Path(folder) / "data") as store:
            unlimited = HttpSettings(requests_per_second=0, anonymous_requests_per_second=0)
            app = make_app(
                store, graphql_schema(), authenticator=FixedIdentity(LOCAL_OPERATOR), settings=unlimited
            )
            created = await request(
                app, CREATE, input={"title": "A title", "body": "A text.", "publish": True}
            )
            post = created["postCreate"]["post"]["id"]
            for number in range(WARM_UP):
                await request(app, EDIT, input={"id": post, "title": f"Title {number}"})
            edits = [
                await counter.trace(app, EDIT, input={"id": post, "title": f"Another title {number}"})
                for number in range(rounds)
            ]
            for _ in range(WARM_UP):
                await request(app, QUERY)
            return {
                "postEdit": edits,
                "cached query": [await counter.trace(app, QUERY) for _ in range(rounds)],
            }


def main() -> None:
    """Trace the requests and print the numbers."""
    parser = argparse.ArgumentParser(prog="scripts/bench calls", description=__doc__)
    parser.add_argument("--rounds", type=int, default=15, metavar="N")
    parser.add_argument("--list", action="store_true", help="also list the calls of each function")
    options = parser.parse_args()
    for kind, rounds in asyncio.run(measure(options.rounds)).items():
        rounds.sort(key=Counter.total)
        calls = [counts.total() for counts in rounds]
        modules = statistics.median_low(len({module for module, _ in counts}) for counts in rounds)
        print(
            f"{kind:<14} {statistics.median_low(calls):>5} calls ({calls[0]}-{calls[-1]}) in {modules} modules"
        )
        if options.list:
            for (module, function), count in sorted(rounds[len(rounds) // 2].items()):
                print(f"{count:>6}  {module}  {function}")


if __name__ == "__main__":
    main()
