"""Commands in one process, without HTTP: edits and creations against a bare SQLite loop, and against another checkout.

Each round runs in a process of its own, on the disk of this checkout: single inserts into a bare log, edits by one client
and by 64, and creations by 1, 8 and 64 clients. Each client sends its next command once the views contain the previous
one. A creation publishes a post in three categories. Before each measurement, some commands are executed without being
measured. With `--against DIR`, rounds of the checkout at DIR, which needs its own environment (`scripts/setup --dev`),
alternate with those of this one, in an order that changes each time.

Processor time is that of the whole process, in milliseconds per command. Exits with 1 if edits by one client reach less
than 0.3 of the rate of the bare loop.
"""

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import closing
from itertools import count
from pathlib import Path
from typing import Final, TypeAlias

import uvloop

from ledgerpress.features.categories.commands import CreateCategory
from ledgerpress.features.categories.model import CategoryRef
from ledgerpress.features.posts.create_edit_categorize_commands import CreatePost, EditPost
from ledgerpress.server.store import Store, open_store
from scripts.benchmarks.log import CHECKOUT, BareLoop

EDITORS: Final = 64
CATEGORIES: Final = 30
BARE: Final = "bare loop"
EDIT: Final = "edit"
CREATE: Final = "create"
ONE_AGAINST_BARE: Final = 0.3
BODY: Final = "The council met again: the night market will move before winter. " * 30

Figures: TypeAlias = dict[str, tuple[float, float]]
"""Commands per second, and milliseconds of processor time per command, by name."""


class Newsroom:
    """Executes commands of many clients on one store."""

    def __init__(self, store: Store) -> None:
        self._handle = store.commands.handle
        self._numbers = count(1)
        self._categories: list[CategoryRef] = []
        self._posts: list[str] = []

    async def begin(self) -> None:
        """Create the categories, and a post for each editor."""
        for number in range(CATEGORIES):
            category = await self._handle(CreateCategory(name=f"Section {number}"))
            self._categories.append(CategoryRef(id=category.subject_id))
        for client in range(EDITORS):
            await self.create(client)

    async def create(self, _client: int) -> None:
        """Publish a post in three categories."""
        number = next(self._numbers)
        categories = tuple(self._categories[(number + step) % CATEGORIES] for step in (0, 7, 13))
        result = await self._handle(
            CreatePost(
                title=f"Post {number} of the night market",
                teaser="What the council decided about it.",
                body=BODY,
                categories=categories,
                publish=True,
            )
        )
        self._posts.append(result.subject_id)

    async def edit(self, client: int) -> None:
        """Change the title of the client's own post."""
        title = f"Version {next(self._numbers)} of the night market"
        await self._handle(EditPost(post_id=self._posts[client], title=title))


async def measured(
    command: Callable[[int], Awaitable[None]], clients: int, commands: int
) -> tuple[float, float]:
    """Return the rate and the processor time of `commands` commands, after a quarter as many without measuring."""

    async def run(left: int) -> None:
        numbers = iter(range(left))

        async def client(number: int) -> None:
            for _ in numbers:
                await command(number)

        await asyncio.gather(*map(client, range(clients)))

    await run(commands // 4)
    started, used = time.perf_counter(), time.process_time()
    await run(commands)
    return commands / (time.perf_counter() - started), (time.process_time() - used) / commands * 1e3


async def measure_commands(data: Path, commands: int) -> Figures:
    """Return the figures of the commands on a new store."""
    figures = {}
    async with open_store(data) as store:
        newsroom = Newsroom(store)
        await newsroom.begin()
        for name, command, clients, share in (
            (EDIT, newsroom.edit, (1, EDITORS), (1, 8)),
            (CREATE, newsroom.create, (1, 8, EDITORS), (1, 2, 2)),
        ):
            for number, times in zip(clients, share, strict=True):
                figures[f"{name}, {number} client{'s' * (number > 1)}"] = await measured(
                    command, number, commands * times
                )
    return figures


def measure_round(commands: int) -> Figures:
    """Return the figures of one round in this process."""
    # Not the system's directory for temporary files, which may be in memory: flushes must reach a disk.
    with tempfile.TemporaryDirectory(prefix=".bench-", dir=CHECKOUT) as folder:
        with closing(BareLoop(Path(folder) / "bare.db", 1)) as bare:
            bare.measure(commands // 4)
            measured_loop = bare.measure(commands)
            figures = {BARE: (measured_loop.rate, measured_loop.cpu / 1e3)}
        return figures | uvloop.run(measure_commands(Path(folder) / "data", commands))


def run_round(checkout: Path, commands: int) -> Figures:
    """Return the figures of one round of the LedgerPress in `checkout`, in a process of its own."""
    python = str(checkout / ".venv/bin/python")
    program = [python, "-m", "scripts.benchmarks.writes", "--round", f"{commands}"]
    ended = subprocess.run(program, cwd=CHECKOUT, env=os.environ, capture_output=True, text=True, check=False)
    if ended.returncode:
        raise SystemExit(f"the round of {checkout} failed:\n{ended.stderr}")
    figures: Figures = json.loads(ended.stdout)
    return figures


def spread(values: list[float], form: str) -> str:
    return f"{statistics.median(values):{form}} ({min(values):{form}} to {max(values):{form}})"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5, help="rounds to measure (5)")
    parser.add_argument(
        "--commands", type=int, default=400, help="commands of the single clients per round (400)"
    )
    parser.add_argument("--against", type=Path, help="another checkout to measure in turn")
    parser.add_argument("--round", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.round:
        print(json.dumps(measure_round(options.round)))
        return
    checkouts = {"this checkout": CHECKOUT} | ({"the other": options.against} if options.against else {})
    rounds: list[dict[str, Figures]] = [
        {
            name: run_round(checkouts[name], options.commands)
            for name in sorted(checkouts, reverse=bool(number % 2))
        }
        for number in range(options.rounds)
    ]
    for name in checkouts:
        print(f"{name}: commands per second, and milliseconds of processor time; median (least to greatest)")
        for kind in rounds[0][name]:
            rates, times = ([figures[name][kind][at] for figures in rounds] for at in (0, 1))
            print(f"  {kind:20} {spread(rates, ',.0f'):32} {spread(times, '.2f')}")
    if options.against:
        print("this checkout / the other, per round: rate, processor time")
        for kind in rounds[0]["this checkout"]:
            of_rates, of_times = (
                [figures["this checkout"][kind][at] / figures["the other"][kind][at] for figures in rounds]
                for at in (0, 1)
            )
            print(f"  {kind:20} {spread(of_rates, '.2f'):32} {spread(of_times, '.2f')}")
    first = f"{EDIT}, 1 client"
    ratios = [figures["this checkout"][first][0] / figures["this checkout"][BARE][0] for figures in rounds]
    met = statistics.median(ratios) >= ONE_AGAINST_BARE
    print(
        f"{first} / {BARE}: {spread(ratios, '.2f')}; at least {ONE_AGAINST_BARE}: {'met' if met else 'MISSED'}"
    )
    sys.exit(0 if met else 1)


if __name__ == "__main__":
    main()
