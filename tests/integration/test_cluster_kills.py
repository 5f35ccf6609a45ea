"""Three NATS servers and three nodes: the leader of the stream fails repeatedly, and no acknowledged write is lost."""

import asyncio
import json
import os
import socket
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any, Final

import pytest

from ledgerpress.features.actors.model import FIRST_EVENT_COUNT
from ledgerpress.server.log_factory import open_log
from ledgerpress.server.log_url import LogUrl
from scripts.clustering.node_agreement import seen
from scripts.engines.nats import NatsCluster, NatsServer, temporary_cluster
from tests.integration.editor_clients import Book, Editor
from tests.integration.log_history import assert_gapless, by_command, recorded_at
from tests.integration.retrying_client import Diary, PatientServer, until
from tests.integration.server_process import Server, Servers
from tests.integration.tcp_proxy import Proxy
from tests.property.view_rows import rebuilt, rows_of, views_in_use

NODES: Final = 3
EDITORS: Final = 16
KILLS: Final = int(os.environ.get("LEDGERPRESS_TEST_KILLS") or 4)
STOPS: Final = (KILLS + 1) // 2
PUBLICATION: Final = "daily"
STREAM: Final = f"LEDGERPRESS_{PUBLICATION}"
AGREE_SECONDS: Final = 60.0
FRONT_PAGE: Final = "{ recentPosts(first: 3) { nodes { title } } }"


@dataclass
class Reads:
    """The number of reads on one node and the duration of the slowest read in seconds."""

    number: int = 0
    slowest: float = 0.0


@pytest.mark.serial
async def test_no_write_is_lost_when_leaders_fail_under_load_and_the_nodes_agree(tmp_path: Path) -> None:
    seed = int(os.environ.get("LEDGERPRESS_TEST_SEED") or time.time_ns())
    report(f"LEDGERPRESS_TEST_SEED={seed} chooses the same commands again")
    random, book, diary = Random(seed), Book(), Diary()
    editors = [Editor(f"Editor {number}", book, Random(random.random())) for number in range(EDITORS)]
    with temporary_cluster() as cluster:
        url = cluster.url(PUBLICATION)
        async with Servers(tmp_path) as servers:
            nodes = [
                PatientServer(await servers.start(data(tmp_path, number), "--log", url), diary)
                for number in range(NODES)
            ]
            async with reading(nodes) as reads, working(editors, nodes):
                await diary.goes_on(0.0, 2 * EDITORS)
                before = time.monotonic()
                await asyncio.sleep(2)
                calm = Stall(*(ask(before, time.monotonic()) for ask in (diary.stall, diary.longest_wait)))
                kills = [await without_leader(cluster, diary, NatsServer.kill, random) for _ in range(KILLS)]
                stops = [await without_leader(cluster, diary, NatsServer.stop, random) for _ in range(STOPS)]
                steps = [await without_leader(cluster, diary, step_down, random) for _ in range(STOPS)]
            for number, editor in enumerate(editors):
                async with await nodes[number % NODES].connect() as client:
                    await editor.make_sure(client)
                    await editor.look(client)

            history = await recorded_at(url)
            report(f"{len(book.positions)} acknowledged, {len(history)} events; again: {dict(diary.unclear)}")
            report(f"undisturbed {summary([calm])}")
            report(f"after SIGKILL {summary(kills)}")
            report(f"after SIGTERM {summary(stops)}")
            report(f"after a step-down {summary(steps)}")
            for number, tally in enumerate(reads):
                report(f"node {number}: {tally.number} reads, the slowest {tally.slowest * 1000:.0f} ms")
            assert_gapless(history)
            assert book.check(by_command(history[FIRST_EVENT_COUNT:])) >= set(book.positions)
            await assert_agreement(tmp_path, url, len(history))
            for node in nodes:
                assert await node.stop() == 0


@pytest.mark.serial
async def test_a_disconnected_node_serves_reads_reports_its_state_rejects_writes_and_catches_up(
    tmp_path: Path,
) -> None:
    diary = Diary()
    with temporary_cluster() as cluster:
        url = cluster.url(PUBLICATION)
        async with Servers(tmp_path) as servers, AsyncExitStack() as stack:
            others = [
                PatientServer(await servers.start(data(tmp_path, number), "--log", url), diary)
                for number in range(2)
            ]
            cables = [await stack.enter_async_context(Proxy(server.port)) for server in cluster.servers]
            monitors = ",".join(server.monitor for server in cluster.servers)
            hosts = ",".join(f"127.0.0.1:{cable.port}" for cable in cables)
            through = f"nats://{hosts}?publication={PUBLICATION}&monitor={monitors}"
            node = await servers.start(data(tmp_path, 2), "--log", through)
            async with await others[0].connect() as client:
                await client.mutate("postCreate", title="Before", publish=True)
            await node.ready()

            await asyncio.gather(*(cable.cut() for cable in cables))
            async with await others[1].connect() as client:
                for number in range(20):
                    await client.mutate("postCreate", title=f"Meanwhile {number}", publish=True)
            async with await node.connect() as client:
                assert await titles(client) == ["Before"]
                await not_ready(client)
                health = json.loads(await client.fetch("/health/ready"))
                assert (health["log"], health["status"]) == ("unreachable", "behind")
                assert health["lag"]["seconds"] > 0
                assert b"\nledgerpress_log_reachable 0.0\n" in await client.fetch("/metrics")
                _, body = await client.answer(
                    "mutation ($input: PostCreateInput!) { postCreate(input: $input) { position } }",
                    input={"title": "Refused?", "idempotencyKey": "cut-off"},
                )
                assert [error["extensions"]["code"] for error in body["errors"]] == ["LOG_UNAVAILABLE"], body
                assert await titles(client) == ["Before"]

            await asyncio.gather(*(cable.mend() for cable in cables))
            patient = PatientServer(node, diary)
            async with await patient.connect() as client:
                done = await client.mutate("postCreate", title="After", idempotencyKey="cut-off-2")
                assert done.position
                assert b"\nledgerpress_log_reachable 1.0\n" in await client.fetch("/metrics")
            await node.ready()
            await assert_agreement(tmp_path, url, await head(url))


def data(directory: Path, number: int) -> Path:
    return directory / f"node-{number}"


@asynccontextmanager
async def working(editors: Sequence[Editor], nodes: Sequence[Server]) -> AsyncIterator[None]:
    """Run all editors on their nodes; at the end of the block, cancel them, possibly during a mutation."""

    async def work(number: int) -> None:
        await editors[number].work(nodes[number % NODES])
        raise AssertionError("a node went away")

    async with run_until_end(work(number) for number in range(len(editors))):
        yield


@asynccontextmanager
async def reading(nodes: Sequence[PatientServer]) -> AsyncIterator[list[Reads]]:
    """Read from each node continuously; every read must succeed."""
    reads = [Reads() for _ in nodes]

    async def read(node: PatientServer, tally: Reads) -> None:
        async with await node.connect() as client:
            while True:
                began = time.monotonic()
                await client.execute(FRONT_PAGE)
                tally.number += 1
                tally.slowest = max(tally.slowest, time.monotonic() - began)
                await asyncio.sleep(0.05)

    async with run_until_end(read(*pair) for pair in zip(nodes, reads, strict=True)):
        yield reads


@asynccontextmanager
async def run_until_end(coroutines: Any) -> AsyncIterator[None]:
    """Run endless tasks until the end of the block; fail if one of them fails."""

    class Enough(Exception):
        pass

    try:
        async with asyncio.TaskGroup() as tasks:
            for coroutine in coroutines:
                tasks.create_task(coroutine)
            yield
            raise Enough
    except* Enough:
        pass


@dataclass(frozen=True, slots=True)
class Stall:
    """The effect of the loss of a leader: the longest time without a new write and of a single write, in seconds."""

    all_writes: float
    one_write: float


async def without_leader(
    cluster: NatsCluster, diary: Diary, end: Callable[[NatsServer], None], random: Random
) -> Stall:
    """End the leader of the stream under load, restart it if necessary, and return the effect on writes."""
    await asyncio.sleep(random.uniform(0.2, 1.0))
    await until(lambda: cluster.leader(STREAM) is not None)
    leader = cluster.leader(STREAM)
    assert leader is not None
    began = time.monotonic()
    await asyncio.to_thread(end, leader)
    await diary.goes_on(began + 1.0, EDITORS)
    now = time.monotonic()
    stall = Stall(diary.stall(began, now), diary.longest_wait(began, now))
    if not leader.is_running:
        await asyncio.to_thread(leader.start)
    await until(lambda: cluster.is_current(STREAM))
    return stall


def step_down(leader: NatsServer) -> None:
    """Make the leader of the stream hand over to another server."""
    with socket.create_connection(("127.0.0.1", leader.port), 5) as connection:
        connection.sendall(
            b"CONNECT {}\r\nSUB answer 1\r\nPUB $JS.API.STREAM.LEADER.STEPDOWN.%b answer 0\r\n\r\n"
            % STREAM.encode()
        )
        response = connection.makefile("rb")
        assert any(b'"success":true' in line for line in response)


async def head(url: str) -> int:
    """Return the position of the last event of the log at a URL."""
    log = await open_log(LogUrl.parse(url), Path(), create_as=None)
    try:
        return await log.head()
    finally:
        await log.aclose()


async def assert_agreement(directory: Path, url: str, position: int) -> None:
    """Fail unless the nodes reach `position` with the same root and the same views, and a rebuild gives these views."""
    give_up = time.monotonic() + AGREE_SECONDS
    while True:
        states = [seen(data(directory, number)) for number in range(NODES)]
        if all(state.position == position for state in states):
            break
        assert time.monotonic() < give_up, (position, states)
        await asyncio.sleep(0.1)
    assert len(set(states)) == 1, states
    log = await open_log(LogUrl.parse(url), Path(), create_as=None)
    try:
        expected = await rebuilt(log, directory / "rebuilt.sqlite", batch_size=10_000)
    finally:
        await log.aclose()
    assert rows_of(views_in_use(data(directory, 0))) == expected


async def titles(client: Any) -> list[str]:
    status, body = await client.answer(FRONT_PAGE)
    assert status == 200, body
    return [node["title"] for node in body["data"]["recentPosts"]["nodes"]]


async def not_ready(client: Any) -> None:
    """Wait until the node reports that it is not ready."""
    async with asyncio.timeout(30):
        while True:
            if await client.get("/health/ready") == 503:
                return
            await asyncio.sleep(0.05)


def summary(stalls: Sequence[Stall]) -> str:
    gaps = [stall.all_writes for stall in stalls]
    waits = ", ".join(f"{stall.one_write:.2f}" for stall in stalls)
    return (
        f"nothing new was recorded for {', '.join(f'{gap:.2f}' for gap in gaps)} s, the longest {max(gaps):.2f} s; "
        f"a single write took up to {waits} s"
    )


def report(line: str) -> None:
    print(line)  # noqa: T201
