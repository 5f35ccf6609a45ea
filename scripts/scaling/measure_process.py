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
from scripts.benchmarks.answers import SALT, VARIABLES, Server, conditional, post
from scripts.scaling.constants import CHECKOUT, Rates
from scripts.scaling.measure_subscriptions import different
from scripts.workloads.magazine import FRONT_PAGE, SALTED_FRONT_PAGE, write_magazine
from scripts.workloads.raw_client import ask

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
        uvloop.run(_fill(place / "data"))
        (place / "body").write_bytes(b"{}")
        request = post({"query": FRONT_PAGE, "variables": VARIABLES})
        salted = post({"query": SALTED_FRONT_PAGE, "variables": {**VARIABLES, "salt": SALT.decode()}})
        numbers = itertools.count()
        cached, uncached = Server("cached", place, stack), Server("uncached", place, stack)
        unchanged = conditional(cached.port)
        if unchanged is None:
            raise SystemExit("the server sends no ETag")
        body = ask(cached.port, request).partition(b"\r\n\r\n")[2]

        def rate(server: Server, fixed: bytes | None) -> float:
            make = (
                (lambda: salted.replace(SALT, b"%012d" % next(numbers))) if fixed is None else lambda: fixed
            )
            return max(server.rate(make, SECONDS).by_processor for _ in range(ROUNDS))

        return {
            "kept": rate(cached, request),
            "unchanged": rate(cached, unchanged),
            "uncached": rate(uncached, None),
            "answer_bytes": len(body),
        }


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
