"""Several workers of a node whose log is in PostgreSQL or NATS JetStream."""

import asyncio
import os
import time
from pathlib import Path
from random import Random
from typing import Final

import pytest

from tests.integration.keep_alive_client import Client, close_all
from tests.integration.log_history import recorded_at
from tests.integration.program_runs import begun, ended
from tests.integration.server_process import Servers
from tests.integration.worker_kills import KilledWorkers
from tests.integration.worker_processes import append_groups, connections_to_each

WORKERS: Final = 2
KILLS: Final = 4
TITLES: Final = "{ posts(first: 100) { totalCount } }"


@pytest.fixture(params=["postgres", "jetstream"])
def engine_url(request: pytest.FixtureRequest) -> str:
    """Return the URL of a new log on an engine that is not SQLite."""
    url: str = request.getfixturevalue(f"{request.param}_url")
    return url


async def test_each_worker_of_a_node_records_and_the_others_return_it(
    tmp_path: Path, engine_url: str
) -> None:
    async with Servers(tmp_path) as servers:
        server = await servers.start(tmp_path / "data", "--workers", str(WORKERS), "--log", engine_url)
        clients = await connections_to_each(server)
        before = await append_groups(next(iter(clients.values())))
        await asyncio.gather(*(create(client, str(pid)) for pid, client in clients.items()))
        groups = await append_groups(next(iter(clients.values()))) - before
        # JetStream has no transactions that several appends share.
        assert (groups > 0) is engine_url.startswith("postgresql")
        count = 10 * WORKERS
        position = max([event.position for event in await recorded_at(engine_url)])
        for client in clients.values():
            data, _ = await client.execute(TITLES, min_position=position)
            assert data["posts"]["totalCount"] == count
        await close_all(list(clients.values()))
        assert await server.stop() == 0
        assert server.words() == ""


async def create(client: Client, name: str) -> None:
    """Create posts, and read each of them on the same connection."""
    for number in range(10):
        outcome = await client.mutate("postCreate", title=f"Number {number} of {name}")
        assert outcome.done
        assert outcome.seen_at >= (outcome.position or 0)


async def test_kills_of_workers_lose_and_repeat_nothing(tmp_path: Path, engine_url: str) -> None:
    seed = int(os.environ.get("LEDGERPRESS_TEST_SEED") or time.time_ns())
    print(f"LEDGERPRESS_TEST_SEED={seed} repeats the same choices")  # noqa: T201
    async with Servers(tmp_path) as servers:
        server = await servers.start(tmp_path / "data", "--workers", str(WORKERS), "--log", engine_url)
        load = KilledWorkers(server, WORKERS, Random(seed))
        await load.run(KILLS)
        load.check(await recorded_at(engine_url))
        assert await server.stop() == 0
    verified = await ended(await begun("verify", "--data", tmp_path / "data", "--log", engine_url))
    assert verified.code == 0, verified.out + verified.err
