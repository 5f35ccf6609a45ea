"""Measure one process: responses over HTTP, complete commands, and the cost of an event for caches and subscribers."""

import asyncio
import itertools
import re
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import msgspec
import uvloop

from ledgerpress.commands.client_identity import ANONYMOUS
from ledgerpress.features.posts.create_edit_categorize_commands import CreatePost, EditPost
from ledgerpress.features.registry import declared_views, graphql_schema
from ledgerpress.graphql.cached_executor import CachedExecutor
from ledgerpress.graphql.executor import Executor
from ledgerpress.server.store import Store, open_store
from ledgerpress.views.cache_invalidation import invalidated_topics
from scripts.peers.graphql_peers import LedgerPress
from scripts.peers.http_requests import conditional, post_request
from scripts.peers.processes import Server
from scripts.scaling.constants import CHECKOUT, Rates
from scripts.scaling.measure_subscriptions import different
from scripts.workloads.magazine import FRONT_PAGE, write_magazine
from scripts.workloads.raw_client import ask, body_of, load

EDITORS: Final = 64
COMMANDS: Final = 1_280
SECONDS: Final = 2.0
ROUNDS: Final = 3
"""The best of these rounds counts, because other work on the machine can only slow a round down."""


def rates(folder: Path) -> Rates:
    """Measure all rates, with files in `folder`."""
    measured = {**answers(folder), **uvloop.run(commands(folder)), "subscriber": subscriber()}
    return msgspec.convert(measured, Rates)


def answers(folder: Path) -> dict[str, float]:
    """Return the responses per second of processor time: cached, not modified (304) and executed."""
    with ExitStack() as stack:
        place = Path(stack.enter_context(TemporaryDirectory(prefix="answers-", dir=folder)))
        uvloop.run(_fill(place / "store"))
        variables = {"first": 20}
        request = post_request("/graphql", {"query": FRONT_PAGE, "variables": variables})

        def server(*, cached: bool) -> Server:
            peer = LedgerPress(cached=cached)
            return Server(lambda port: peer.command(place, port), request, place / "output", None, stack)

        def rate(server: Server, request: bytes) -> float:
            return max(_responses_per_processor_second(server, request) for _ in range(ROUNDS))

        cached, uncached = server(cached=True), server(cached=False)
        return {
            "kept": rate(cached, request),
            "unchanged": rate(cached, conditional(cached.port, FRONT_PAGE, variables)),
            "uncached": rate(uncached, request),
            "answer_bytes": len(body_of(ask(cached.port, request))),
        }


def _responses_per_processor_second(server: Server, request: bytes) -> float:
    before = server.processor_seconds()
    done = load(server.port, itertools.repeat(request), seconds=SECONDS)
    return (done.responses + done.late) / (server.processor_seconds() - before)


async def _fill(data: Path) -> None:
    async with open_store(data) as store:
        await write_magazine(store)


async def commands(folder: Path) -> dict[str, float]:
    """Return the complete commands per second of one editor and of many, and the cost of an event for the cache."""
    with TemporaryDirectory(prefix="commands-", dir=folder) as place:
        async with open_store(Path(place) / "data") as store:
            await write_magazine(store)
            text = "A paragraph of some length, as a post has it. " * 40
            outcomes = [
                await store.commands.handle(CreatePost(title=f"Post {number}", body=text, publish=True))
                for number in range(EDITORS)
            ]
            posts = [outcome.subject_id for outcome in outcomes]

            async def edit(post_id: str, times: int) -> None:
                for number in range(times):
                    await store.commands.handle(
                        EditPost(post_id=post_id, body=f"{number} {text}", publish=True)
                    )

            single, many, processor = 0.0, 0.0, 1.0
            for _ in range(ROUNDS):
                started = time.perf_counter()
                await edit(posts[0], 100)
                single = max(single, 100 / (time.perf_counter() - started))
                started, processor_start = time.perf_counter(), time.process_time()
                await asyncio.gather(*(edit(post_id, COMMANDS // EDITORS) for post_id in posts))
                many = max(many, COMMANDS / (time.perf_counter() - started))
                processor = min(processor, (time.process_time() - processor_start) / COMMANDS)
            return {
                "commands_one": single,
                "commands_many": many,
                "command_processor": processor,
                **await _memory(store),
                "different_subscription": await different(store, posts[0]),
            }


async def _memory(store: Store) -> dict[str, float]:
    executor = CachedExecutor(Executor(graphql_schema()))
    front_page = await executor.executor.documents.resolve(FRONT_PAGE)
    for first in range(1, 41):
        await executor.execute(store, front_page, variables={"first": first}, identity=ANONYMOUS)
    before = executor.bytes
    other_query = await executor.executor.documents.resolve(FRONT_PAGE.replace("FrontPage", "Again"))
    await executor.execute(store, other_query, variables={"first": 20}, identity=ANONYMOUS)
    with store.snapshot() as snapshot:
        started = time.process_time()
        for _ in range(500):
            invalidated_topics(snapshot, snapshot.position - 1, declared_views())
        seconds = (time.process_time() - started) / 500
    return {"cached_response_bytes": executor.bytes - before, "touched": seconds}


def subscriber() -> float:
    """Return the processor seconds of one event for each subscriber, measured by `scripts/bench subscribers`."""
    command = [sys.executable, "-m", "scripts.benchmarks.subscribers", "--rounds", "3"]
    output = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=False).stdout
    match = re.search(r"processor +a share of an event +([0-9.]+) us", output)
    if match is None:
        raise SystemExit(f"unexpected output of scripts/bench subscribers: {output}")
    return float(match[1]) / 1e6
