"""`ledgerpress serve --workers`: several processes on one port and one data directory, and their supervisor."""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator
from pathlib import Path
from random import Random
from typing import Final

import pytest

from tests.integration.keep_alive_client import Client, close_all
from tests.integration.log_history import recorded
from tests.integration.program_runs import begun, ended
from tests.integration.server_process import Server, Servers
from tests.integration.worker_kills import KilledWorkers
from tests.integration.worker_processes import (
    append_groups,
    connections_to,
    connections_to_each,
    is_running,
    kill,
    processes_of,
    until_ended,
    until_replaced,
    until_words,
    until_writer,
    workers_of,
    writer_of,
)

WORKERS: Final = 3
KILLS: Final = int(os.environ.get("LEDGERPRESS_TEST_KILLS") or 6)
TITLES: Final = "{ posts(first: 100) { totalCount nodes { title } } }"


@pytest.fixture
async def servers(tmp_path: Path) -> AsyncIterator[Servers]:
    async with Servers(tmp_path) as started:
        yield started


async def start(servers: Servers, tmp_path: Path, *options: str, workers: int = WORKERS) -> Server:
    return await servers.start(tmp_path / "data", "--workers", str(workers), *options)


async def titles(client: Client) -> set[str]:
    data, _ = await client.execute(TITLES)
    return {post["title"] for post in data["posts"]["nodes"]}


async def test_each_worker_records_and_the_others_return_what_was_acknowledged(
    servers: Servers, tmp_path: Path
) -> None:
    server = await start(servers, tmp_path)
    clients = await connections_to_each(server)
    assert len(clients) == WORKERS
    written = set[str]()
    for number in range(5):
        for pid, writer in clients.items():
            title = f"Number {number} of {pid}"
            outcome = await writer.mutate("postCreate", title=title)
            assert outcome.done["title"] == title
            written.add(title)
            # The worker that has answered waits for its own change; others are asked for the position.
            assert await titles(writer) == written
            for reader in clients.values():
                _, position = await reader.execute(TITLES, min_position=outcome.position)
                assert position >= (outcome.position or 0)
                assert await titles(reader) == written
    await close_all(list(clients.values()))
    assert await server.stop() == 0
    assert server.words() == ""


async def test_a_killed_worker_is_replaced_and_the_others_continue(servers: Servers, tmp_path: Path) -> None:
    server = await start(servers, tmp_path)
    for number in range(WORKERS):
        clients = await connections_to_each(server)
        victim, *others = clients
        kill(victim)
        for pid in others:
            outcome = await clients[pid].mutate("postCreate", title=f"Number {number} of {pid}")
            assert outcome.done
        await close_all(list(clients.values()))
        workers = await until_replaced(server, {victim}, WORKERS)
        assert set(others) <= workers
    assert server.words().count("was killed by SIGKILL; another worker takes its place") == WORKERS
    assert await server.stop() == 0


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
async def test_workers_are_replaced_although_the_process_that_forks_them_is_killed_or_hangs(
    servers: Servers, tmp_path: Path, number: signal.Signals
) -> None:
    server = await start(servers, tmp_path)
    former = workers_of(server)
    (forking,) = processes_of(server) - former
    kill(forking, number)
    async with await server.connect() as client:  # the workers continue
        await client.execute(TITLES)
    for victim in former:
        kill(victim)
    await until_replaced(server, former, WORKERS)
    assert not is_running(forking)
    assert "another one is started" in server.words()
    assert await server.stop() == 0


async def test_a_reload_with_invalid_settings_changes_nothing(servers: Servers, tmp_path: Path) -> None:
    settings = tmp_path / "ledgerpress.toml"
    settings.write_text("[server]\nworkers = 2\n")
    servers.environment = {**servers.environment, "LEDGERPRESS_CONFIG": str(settings)}
    server = await servers.start(tmp_path / "data")
    former = workers_of(server)
    settings.write_text("[server]\nworkers = 0\n")
    server.signal(signal.SIGHUP)
    await until_words(server, "the reload has ended")
    assert "server.workers" in server.words()
    assert workers_of(server) == former
    victim, *_ = former
    kill(victim)
    await until_replaced(server, {victim}, 2)  # with the former settings
    assert await server.stop() == 0


async def test_workers_end_with_their_supervisor(servers: Servers, tmp_path: Path) -> None:
    server = await start(servers, tmp_path)
    workers = processes_of(server)
    server.signal(signal.SIGKILL)
    await server.ended()
    await until_ended(*workers)
    again = await start(servers, tmp_path)
    assert await again.stop(signal.SIGINT) == 0
    assert not list((tmp_path / "data").glob(".workers-*"))


async def test_the_supervisor_ends_if_no_worker_can_start(servers: Servers, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "notes.txt").write_text("not a store")
    server = await servers.launch(tmp_path / "data", "--workers", "2")
    assert await server.ended() == 3
    assert "contains other files" in server.words()


async def test_sighup_replaces_each_worker(servers: Servers, tmp_path: Path) -> None:
    server = await start(servers, tmp_path)
    former = workers_of(server)
    server.signal(signal.SIGHUP)
    await until_replaced(server, former, WORKERS)
    assert server.words() == ""
    assert await server.stop() == 0


async def test_a_stopped_worker_is_killed_and_replaced(servers: Servers, tmp_path: Path) -> None:
    servers.environment = {**servers.environment, "LEDGERPRESS_WORKER_HANG_SECONDS": "5"}
    server = await start(servers, tmp_path)
    victim, *_ = workers_of(server)
    kill(victim, signal.SIGSTOP)
    await until_replaced(server, {victim}, WORKERS)
    assert "it hangs, and is killed" in server.words()
    assert await server.stop() == 0


async def test_another_worker_takes_the_place_of_the_one_that_applies_events(
    servers: Servers, tmp_path: Path
) -> None:
    server = await start(servers, tmp_path)
    for number in range(WORKERS):
        clients = await connections_to_each(server)
        writer = writer_of(server)
        kill(writer)
        others = [pid for pid in clients if pid != writer]
        outcomes = await asyncio.gather(
            *(clients[pid].mutate("postCreate", title=f"Number {number} of {pid}") for pid in others)
        )
        position = max(outcome.position or 0 for outcome in outcomes)
        assert not any(outcome.views_behind for outcome in outcomes)
        for pid in others:
            _, reached = await clients[pid].execute(TITLES, min_position=position)
            assert reached >= position
        assert await until_writer(server, writer) in others
        await close_all(list(clients.values()))
        await until_replaced(server, {writer}, WORKERS)
    assert await server.stop() == 0


@pytest.mark.parametrize("stopped", ["the worker that applies events", "another worker"])
async def test_the_other_workers_continue_while_one_is_stopped(
    servers: Servers, tmp_path: Path, stopped: str
) -> None:
    servers.environment = {**servers.environment, "LEDGERPRESS_WORKER_HANG_SECONDS": "5"}
    server = await start(servers, tmp_path)
    clients = await connections_to_each(server)
    writer = writer_of(server)
    victim = writer if stopped == "the worker that applies events" else min(clients.keys() - {writer})
    kill(victim, signal.SIGSTOP)
    number = 0
    while is_running(victim):
        number += 1
        for pid, client in clients.items():
            if pid != victim:
                outcome = await client.mutate("postCreate", title=f"Number {number} of {pid}")
                assert outcome.done
                assert f"Number {number} of {pid}" in await titles(client)
    assert number > 1
    await close_all(list(clients.values()))
    await until_replaced(server, {victim}, WORKERS)
    assert "it hangs, and is killed" in server.words()
    assert await server.stop() == 0


async def test_appends_of_all_workers_share_transactions(servers: Servers, tmp_path: Path) -> None:
    server = await start(servers, tmp_path)
    clients = await connections_to_each(server)
    writer = writer_of(server)
    others = [pid for pid in clients if pid != writer]
    editors = await connections_to(server, others, 12)
    before = await append_groups(clients[writer])

    async def create(client: Client, editor: int) -> None:
        for number in range(10):
            assert (await client.mutate("postCreate", title=f"Number {number} of {editor}")).done

    await asyncio.gather(*(create(client, number) for number, client in enumerate(editors)))
    # One client after the other would need a transaction for each of its creations.
    assert 10 <= await append_groups(clients[writer]) - before <= 10 * len(editors) // 2
    await close_all([*clients.values(), *editors])
    assert await server.stop() == 0
    assert server.words() == ""


SECRET: Final = "The heron nests behind number nine"


async def test_sighup_changes_the_number_of_workers(servers: Servers, tmp_path: Path) -> None:
    settings = tmp_path / "ledgerpress.toml"
    settings.write_text("[server]\nworkers = 2\n")
    servers.environment = {**servers.environment, "LEDGERPRESS_CONFIG": str(settings)}
    server = await servers.start(tmp_path / "data")
    for count in (4, 1, 3):
        former = workers_of(server)
        settings.write_text(f"[server]\nworkers = {count}\n")
        server.signal(signal.SIGHUP)
        await until_replaced(server, former, count)
    assert server.words() == ""
    assert await server.stop() == 0


TEXT: Final = "query ($id: ID!) { post(id: $id) { title body { text html } } }"


@pytest.mark.parametrize("directory", ["data", "d" * 100])
async def test_a_withdrawal_ends_when_no_worker_has_the_text_in_memory(
    servers: Servers, tmp_path: Path, directory: str
) -> None:
    data_directory = tmp_path / directory  # the sockets are elsewhere if its path is long
    servers.environment = {**servers.environment, "LEDGERPRESS_WORKER_HANG_SECONDS": "60"}
    server = await servers.start(data_directory, "--workers", str(WORKERS))
    clients = await connections_to_each(server)
    first = next(iter(clients.values()))
    created = await first.mutate("postCreate", title="Herons", body=f"{SECRET}.")
    post = created.done["id"]
    (position,) = [event.position for event in await recorded(data_directory) if SECRET in repr(event.event)]
    for client in clients.values():
        for _ in range(2):
            data, _ = await client.execute(TEXT, min_position=created.position, id=post)
            assert SECRET in str(data)
    writer = writer_of(server)
    stopped = min(clients.keys() - {writer})
    kill(stopped, signal.SIGSTOP)
    withdrawal = await begun(
        *("withdraw", str(position), "--reason", "Order 7/24", "--yes", "--data", data_directory)
    )
    # The views no longer contain the text, but the stopped worker may have it in its caches.
    other = next(client for pid, client in clients.items() if pid != stopped)
    async with asyncio.timeout(20):
        while SECRET in str((await other.execute(TEXT, id=post))[0]):  # noqa: ASYNC110 - the views are polled
            await asyncio.sleep(0.01)
    assert withdrawal.returncode is None
    kill(stopped, signal.SIGCONT)
    result = await ended(withdrawal)
    assert result.code == 0, result.err
    for client in clients.values():
        data, _ = await client.execute(TEXT, id=post)
        assert SECRET not in str(data)
    await close_all(list(clients.values()))
    assert await server.stop() == 0
    assert server.words() == ""


async def test_kills_under_load_lose_and_repeat_nothing(servers: Servers, tmp_path: Path) -> None:
    seed = int(os.environ.get("LEDGERPRESS_TEST_SEED") or time.time_ns())
    print(f"LEDGERPRESS_TEST_SEED={seed} repeats the same choices")  # noqa: T201
    server = await start(servers, tmp_path)
    load = KilledWorkers(server, WORKERS, Random(seed))
    await load.run(KILLS)
    assert len(load.positions) > KILLS
    assert load.reads > KILLS
    load.check(await recorded(tmp_path / "data"))
    assert await server.stop() == 0
    verified = await ended(await begun("verify", "--data", tmp_path / "data"))
    assert verified.code == 0, verified.out + verified.err
    lines = server.words().splitlines()
    assert len(lines) == KILLS
    assert all("was killed by SIGKILL; another worker takes its place" in line for line in lines)
