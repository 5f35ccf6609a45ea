"""Measures what one process does: answers over HTTP, whole commands, what an event costs those who are answered."""

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
"""The best of so many counts: others on the machine only ever make it slower."""


def rates(folder: Path) -> Rates:
    """Measure, in a directory on the disk that counts."""
    found = {**answers(folder), **uvloop.run(commands(folder)), "subscriber": subscriber()}
    return msgspec.convert(found, Rates)


def answers(folder: Path) -> dict[str, float]:
    """Return answers a second of processor time: kept, unchanged (304), and executed anew."""
    with ExitStack() as stack:
        place = Path(stack.enter_context(TemporaryDirectory(prefix="answers-", dir=folder)))
        uvloop.run(_fill(place / "data"))
        (place / "body").write_bytes(b"{}")
        request = post({"query": FRONT_PAGE, "variables": VARIABLES})
        salted = post({"query": SALTED_FRONT_PAGE, "variables": {**VARIABLES, "salt": SALT.decode()}})
        numbers = itertools.count()
        kept, uncached = Server("kept", place, stack), Server("uncached", place, stack)
        unchanged = conditional(kept.port)
        if unchanged is None:
            raise SystemExit("the server gives no ETag")
        body = ask(kept.port, request).partition(b"\r\n\r\n")[2]

        def rate(server: Server, this: bytes | None) -> float:
            make = (lambda: salted.replace(SALT, b"%012d" % next(numbers))) if this is None else lambda: this
            return max(server.rate(make, SECONDS).by_processor for _ in range(ROUNDS))

        return {
            "kept": rate(kept, request),
            "unchanged": rate(kept, unchanged),
            "uncached": rate(uncached, None),
            "answer_bytes": len(body),
        }


async def _fill(data: Path) -> None:
    async with open_store(data) as store:
        await write_magazine(store)


async def commands(folder: Path) -> dict[str, float]:
    """Return whole commands a second, of one editor and of many, and what an event costs the kept answers."""
    with TemporaryDirectory(prefix="commands-", dir=folder) as place:
        async with open_store(Path(place) / "data") as store:
            await write_magazine(store)
            text = "A paragraph of some length, as a post has it. " * 40
            made = [
                await store.commands.handle(CreatePost(title=f"Post {number}", body=text, publish=True))
                for number in range(EDITORS)
            ]
            posts = [one.subject_id for one in made]

            async def edit(mine: str, times: int) -> None:
                for number in range(times):
                    await store.commands.handle(EditPost(post_id=mine, body=f"{number} {text}", publish=True))

            one, many, processor = 0.0, 0.0, 1.0
            for _ in range(ROUNDS):
                started = time.perf_counter()
                await edit(posts[0], 100)
                one = max(one, 100 / (time.perf_counter() - started))
                started, before = time.perf_counter(), time.process_time()
                await asyncio.gather(*(edit(mine, COMMANDS // EDITORS) for mine in posts))
                many = max(many, COMMANDS / (time.perf_counter() - started))
                processor = min(processor, (time.process_time() - before) / COMMANDS)
            return {
                "commands_one": one,
                "commands_many": many,
                "command_processor": processor,
                **await _memory(store),
                "different_subscription": await different(store, posts[0]),
            }


async def _memory(store: Store) -> dict[str, float]:
    kept = CachedExecutor(Executor(graphql_schema()))
    front_page = await kept.executor.documents.resolve(FRONT_PAGE)
    for first in range(1, 41):
        await kept.execute(store, front_page, variables={"first": first}, identity=ANONYMOUS)
    before = kept.bytes
    again = await kept.executor.documents.resolve(FRONT_PAGE.replace("FrontPage", "Again"))
    await kept.execute(store, again, variables={"first": 20}, identity=ANONYMOUS)
    with store.snapshot() as snapshot:
        started = time.process_time()
        for _ in range(500):
            invalidated_topics(snapshot, snapshot.position - 1, declared_views())
        took = (time.process_time() - started) / 500
    return {"kept_answer_bytes": kept.bytes - before, "touched": took}


def subscriber() -> float:
    """Return the processor seconds that one event costs for one subscriber, by `scripts/bench subscribers`."""
    command = [sys.executable, "-m", "scripts.benchmarks.subscribers", "--rounds", "3"]
    told = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=False).stdout
    found = re.search(r"processor +a share of an event +([0-9.]+) us", told)
    if found is None:
        raise SystemExit(f"scripts/bench subscribers said: {told}")
    return float(found[1]) / 1e6
