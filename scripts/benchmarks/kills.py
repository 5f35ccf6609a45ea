"""Random kills under load: nothing acknowledged is lost or recorded twice, on SQLite, PostgreSQL or NATS JetStream.

Clients write with and without idempotency keys, send mutations without a clear response again, and record what was
acknowledged. Processes are killed with SIGKILL at random moments, also while they start, and are started again. On
SQLite these are server processes that share a data directory, one by one or all at once. On the other engines they are
three nodes, each with its own data directory, and in equal number the servers of the engine: one process of PostgreSQL
or all of them; the leader of the stream in JetStream, any other of three NATS servers, or all three at once.

At the end, every acknowledged write must be in the log exactly once, where it was acknowledged, the log must have no
gap, `ledgerpress verify` must succeed in each data directory, which compares the views with rebuilt ones, and the nodes
must agree.

With `--workers N`, random workers of one server are killed instead (`ledgerpress serve --workers N`), each up to
`--pause` seconds after the last one was replaced. Requests to other workers must not fail, and each killed worker must be
replaced.

Exits with 1 if a check fails. The same seed chooses the same kills and mutations again, but not the same moments.
"""

# ruff: noqa: S101, S311 - it is a long test, whose choices need no cryptography

import argparse
import asyncio
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from statistics import median
from typing import Final

import uvloop

from ledgerpress.features.actors.model import FIRST_EVENT_COUNT
from ledgerpress.server.data_directory import LOG_FILE
from scripts.clustering.node_agreement import seen
from scripts.workloads.forked_servers import ForkedServers
from scripts.workloads.killed_parts import ENGINES, KilledEngine, KilledServer
from tests.integration.clients_without_keys import ClientWithoutKeys, Titles
from tests.integration.editor_clients import Book, Editor
from tests.integration.keep_alive_client import ConnectionLost
from tests.integration.log_history import assert_gapless, by_command, recorded_at
from tests.integration.retrying_client import Diary, PatientServer
from tests.integration.server_process import EVERYONE_IS_ADMIN, PROGRAM, Servers
from tests.integration.worker_kills import KilledWorkers

CHECKOUT: Final = Path(__file__).resolve().parent.parent.parent
SERVERS: Final = 3
EDITORS: Final = 8
CLIENTS_WITHOUT_KEYS: Final = 6
LONGEST_LIFE_SECONDS: Final = 0.8
"""The longest time between the start of a process and its next kill."""
LONGEST_START_SECONDS: Final = 0.6
MOST_WRITES: Final = 10
"""The greatest number of acknowledged writes that a kill waits for, so that the load continues between the kills."""
BACK_SECONDS: Final = 2.0
"""Seconds within which a killed worker should be replaced."""
STALL_SECONDS: Final = 120.0
"""Seconds without an acknowledged write after which the run fails."""
PAUSE_SECONDS: Final = 0.1
"""The longest time between two mutations of a client."""
KILLS_AHEAD: Final = 3
"""By how many the kills of nodes may be ahead of those of the engine's servers."""
REPORTS: Final = 20
SETTLE_SECONDS: Final = 180.0
"""Seconds that the clients need at most to repeat their last mutations, and the nodes to catch up with the log."""


@dataclass
class Kills:
    """The kills that are left, and counts of those that were made."""

    total: int
    began: float = field(default_factory=time.monotonic)
    numbers: Counter[str] = field(default_factory=Counter)

    @property
    def left(self) -> int:
        """The number of kills that are left."""
        return self.total - self.numbers["server"] - self.numbers["engine"]

    def count(self, kind: str, number: int = 1) -> None:
        """Count kills of one kind."""
        before = self.total - self.left
        self.numbers[kind] += number
        after = self.total - self.left
        if after * REPORTS // self.total > before * REPORTS // self.total:
            print(f"{after:,} kills after {time.monotonic() - self.began:.0f} s", flush=True)


class Run:
    """One run: servers and clients on one log."""

    def __init__(
        self, kills: int, random: Random, servers: Sequence[KilledServer], engine: KilledEngine | None
    ):
        self.kills = Kills(kills)
        self.random = random
        self.servers = servers
        self.engine = engine
        self.book = Book()
        self.titles = Titles()
        self.diary = Diary()
        editors = [
            Editor(f"Editor {number}", self.book, Random(random.random()), pause_seconds=PAUSE_SECONDS)
            for number in range(EDITORS)
        ]
        others = [
            ClientWithoutKeys(
                f"Client {number}", self.titles, Random(random.random()), pause_seconds=PAUSE_SECONDS
            )
            for number in range(CLIENTS_WITHOUT_KEYS)
        ]
        self.clients: list[Editor | ClientWithoutKeys] = [*editors, *others]

    async def until_all_are_killed(self) -> None:
        """Let the clients work while processes are killed; return when all processes run again."""
        for server in self.servers:
            await server.start()
        async with asyncio.TaskGroup() as clients:
            working = [
                clients.create_task(self._work(client, Random(self.random.random())))
                for client in self.clients
            ]
            async with asyncio.TaskGroup() as killing:
                for server in self.servers:
                    killing.create_task(self._kill_server(server, Random(self.random.random())))
                if self.engine is not None:
                    killing.create_task(self._kill_engine(self.engine, Random(self.random.random())))
            for task in working:
                task.cancel()
        for server in self.servers:
            await server.start()

    async def settle(self) -> None:
        """Send unresolved mutations again, and compare the posts with what their editors have sent."""
        for number, client in enumerate(self.clients):
            running = self.servers[number % len(self.servers)].server
            assert running is not None
            if isinstance(client, Editor):
                async with await PatientServer(running, self.diary).connect() as connection:
                    await client.make_sure(connection)
                    await client.look(connection)
            else:
                await client.settle(running)

    @property
    def acknowledged(self) -> int:
        """The number of acknowledged writes."""
        return len(self.book.positions) + len(self.titles.positions)

    async def _life(self, random: Random) -> None:
        """Wait for a random time, and for a random number of acknowledged writes. Raises `TimeoutError`."""
        writes = self.acknowledged + random.randint(0, MOST_WRITES)
        await asyncio.sleep(random.uniform(0.01, LONGEST_LIFE_SECONDS))
        async with asyncio.timeout(STALL_SECONDS):
            while self.acknowledged < writes:  # noqa: ASYNC110 - the clients are polled
                await asyncio.sleep(0.02)

    async def _work(self, client: Editor | ClientWithoutKeys, random: Random) -> None:
        while True:
            running = [server.server for server in self.servers if server.server is not None]
            if running:
                server = random.choice(running)
                await client.work(PatientServer(server, self.diary) if isinstance(client, Editor) else server)
            await asyncio.sleep(0.01)

    async def _kill_server(self, server: KilledServer, random: Random) -> None:
        while True:
            await server.start()
            await self._life(random)
            while self.engine is not None and self._is_ahead():  # noqa: ASYNC110 - the other kills are polled
                await asyncio.sleep(0.05)
            if self.kills.left <= 0:
                return
            for victim in self.servers if random.random() < 0.1 else [server]:
                await self._kill(victim)
            while random.random() < 0.2 and self.kills.left > 0:
                await server.launch()
                await asyncio.sleep(random.uniform(0, LONGEST_START_SECONDS))
                self.kills.numbers["starting"] += server.is_running
                await self._kill(server)

    async def _kill(self, server: KilledServer) -> None:
        if server.is_running and self.kills.left > 0:
            self.kills.count("server")
            await server.kill()

    def _is_ahead(self) -> bool:
        numbers = self.kills.numbers
        return self.kills.left > 0 and numbers["server"] > numbers["engine"] + KILLS_AHEAD

    async def _kill_engine(self, engine: KilledEngine, random: Random) -> None:
        while self.kills.left > 0:
            await self._life(random)
            self.kills.count("engine", await asyncio.to_thread(engine.kill, random))
            await asyncio.sleep(random.uniform(0.0, 0.3))
            await asyncio.to_thread(engine.recover)

    async def check(self, url: str) -> int:
        """Fail unless the log has every acknowledged write once, where it was acknowledged; return its head."""
        history = await recorded_at(url)
        assert_gapless(history)
        first = history[FIRST_EVENT_COUNT:]
        keyed = [event for event in first if event.idempotency_key is not None]
        assert self.book.check(by_command(keyed)) >= set(self.book.positions)
        self.titles.check([event for event in first if event.idempotency_key is None])
        by_command(first)
        return len(history)


async def until_current(directories: Sequence[Path], position: int) -> None:
    """Wait until the views of all directories are at `position`; fail unless they are equal then."""
    async with asyncio.timeout(SETTLE_SECONDS):
        states = set(map(seen, directories))
        while {state.position for state in states} != {position}:
            await asyncio.sleep(0.1)
            states = set(map(seen, directories))
    assert len(states) == 1, f"the nodes differ: {states}"


async def verify(data: Path, url: str) -> None:
    """Fail unless `ledgerpress verify` succeeds."""
    process = await asyncio.create_subprocess_exec(
        *PROGRAM, "verify", "--data", data, "--log", url,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    output, _ = await process.communicate()
    assert process.returncode == 0, output.decode()


async def measure(engine_name: str, kills: int, seed: int) -> None:
    """Run the clients and kills, and print a summary. Raises `AssertionError` or `RuntimeError` if a check fails."""
    random = Random(seed)
    with ExitStack() as stack:
        place = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix=".bench-", dir=CHECKOUT)))
        engine = stack.enter_context(ENGINES[engine_name]()) if engine_name in ENGINES else None
        url = f"sqlite:{place / 'data' / LOG_FILE}" if engine is None else engine.url()
        names = ["data"] * SERVERS if engine is None else [f"node-{number}" for number in range(SERVERS)]
        directories = [place / name for name in dict.fromkeys(names)]
        options = () if engine is None else ("--log", url)
        async with ForkedServers(place, EVERYONE_IS_ADMIN) as servers:
            parts = [KilledServer(servers, place / name, *options, quiet=engine is None) for name in names]
            run = Run(kills, random, parts, engine)
            await run.until_all_are_killed()
            killing = time.monotonic() - run.kills.began
            async with asyncio.timeout(SETTLE_SECONDS):
                await run.settle()
            head = await run.check(url)
            await until_current(directories, head)
            for part in parts:
                assert part.server is not None
                assert await part.server.stop() == 0, part.server.words()
        for data in directories:
            await verify(data, url if engine else "sqlite:")
    seconds = time.monotonic() - run.kills.began
    print(summary(run, head, killing, seconds))


def summary(run: Run, head: int, killing: float, seconds: float) -> str:
    """Return what was done, in lines."""
    numbers = run.kills.numbers
    with_keys, without = len(run.book.positions), len(run.titles.positions)
    unresolved = len(run.titles.sent - run.titles.positions.keys() - run.titles.recorded)
    repeated = sum(client.repeated for client in run.clients)
    unclear = ", ".join(f"{code} {number:,}" for code, number in run.diary.unclear.most_common())
    return "\n".join(
        (
            f"kills         {numbers['server']:,} of servers, {numbers['engine']:,} of the engine's servers",
            f"              {numbers['starting']:,} of them of servers that were starting",
            f"acknowledged  {with_keys:,} with an idempotency key, {without:,} without; head {head:,}",
            f"repeated      {repeated:,} after a lost connection; by error code: {unclear or 'none'}",
            f"given up      {unresolved:,} without an idempotency key and without a response; none is recorded twice",
            f"seconds       {killing:.0f} of kills ({killing / max(1, run.kills.total):.2f} each), {seconds:.0f} in all",
            "Every acknowledged write is in the log once, where it was acknowledged, and the views equal rebuilt ones.",
        )
    )


async def measure_workers(engine_name: str, kills: int, seed: int, workers: int, pause: float) -> None:
    """Kill workers of one server, and print a summary. Raises as `measure` does."""
    with ExitStack() as stack:
        place = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix=".bench-", dir=CHECKOUT)))
        data = place / "data"
        engine = stack.enter_context(ENGINES[engine_name]()) if engine_name in ENGINES else None
        url = f"sqlite:{data / LOG_FILE}" if engine is None else engine.url()
        options = () if engine is None else ("--log", url)
        async with Servers(place) as servers:
            server = await servers.start(data, "--workers", str(workers), *options)
            load = KilledWorkers(server, workers, Random(seed), pause)
            await load.run(kills)
            load.check(await recorded_at(url))
            assert await server.stop() == 0, server.words()
        await verify(data, url if engine else "sqlite:")
    absences = sorted(load.absences)
    in_time = sum(absence <= BACK_SECONDS for absence in absences)
    print(f"kills         {kills:,} of {workers} workers")
    print(
        f"back after    {median(absences):.2f} s (median), {absences[-1]:.2f} s (longest); {in_time} of them within"
        f" {BACK_SECONDS:.0f} s"
    )
    print(
        f"acknowledged  {len(load.positions):,} writes, {load.reads:,} reads; {load.replayed:,} writes replayed"
    )
    print(f"lost          {load.lost:,} requests to killed workers, none to others")
    print(
        "Every acknowledged write is in the log once, where it was acknowledged, and the views equal rebuilt ones."
    )


def main() -> None:
    """Run the benchmark, and exit with 1 if a check fails."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--engine", choices=["sqlite", *ENGINES], default="sqlite")
    parser.add_argument("--workers", type=int, help="kill workers of one server instead of whole servers")
    parser.add_argument(
        "--pause", type=float, default=0.3, help="with --workers: the longest pause, seconds (0.3)"
    )
    parser.add_argument("--kills", type=int, default=20, help="processes to kill (20)")
    parser.add_argument(
        "--seed", type=int, default=time.time_ns() % 1_000_000, help="the seed of an earlier run"
    )
    options = parser.parse_args()
    print(f"--engine {options.engine} --kills {options.kills} --seed {options.seed}", flush=True)
    try:
        if options.workers:
            uvloop.run(
                measure_workers(options.engine, options.kills, options.seed, options.workers, options.pause)
            )
        else:
            uvloop.run(measure(options.engine, options.kills, options.seed))
    except* (AssertionError, RuntimeError, TimeoutError, ConnectionLost):
        traceback.print_exc()
        sys.exit(f"FAILED: --engine {options.engine} --kills {options.kills} --seed {options.seed}")


if __name__ == "__main__":
    main()
