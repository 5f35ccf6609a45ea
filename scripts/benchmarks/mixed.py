"""A mixed load over HTTP: 90 reads, 8 edits and 2 creations of a hundred requests, by 64 clients, against another checkout.

Both servers serve a copy of the same generated log (`scripts/workloads/generated_log.py`), each with its own views. They
are measured in turn: in each round, the clients load one server and then the other; the order alternates. Some posts are
not public, or archived: their articles are null, and their edits are rejected. The response cache is on. The reads are the front page, a
category page and an article, each chosen at random; an edit changes the title of a random post; a creation publishes a
post in three categories. The clients run on one core, the servers on the other.

Reports requests per second, processor time of the server per request, and the 99th percentile of the response times, for
reads and for writes. Without `--against DIR`, only this checkout is measured. Exits with 1 if the throughput is less
than 1.5 times that of the other, or if the 99th percentile of reads or of writes is higher (medians of the rounds).
"""

import argparse
import asyncio
import os
import shutil
import statistics
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from random import Random
from typing import Final

from ledgerpress.eventlog.clock_randomness_ids import uuid8
from ledgerpress.graphql.relay.global_id_text import encode
from ledgerpress.server.data_directory import LOG_FILE
from scripts.benchmarks.join import CHECKOUT, make_log, ready
from scripts.peers.http_requests import post_request
from scripts.workloads.generated_log import CATEGORIES
from scripts.workloads.raw_client import load
from tests.integration.server_process import EVERYONE_IS_ADMIN, Server, Servers

EVENTS_PER_POST: Final = 9
CLIENTS: Final = 64
UNLIMITED: Final = {
    "LEDGERPRESS_HTTP_REQUESTS_PER_SECOND": "0",
    "LEDGERPRESS_HTTP_ANONYMOUS_REQUESTS_PER_SECOND": "0",
}
MOST_THROUGHPUT: Final = 1.5
_ITEM: Final = "id slug title teaser publishedAt authors { name } categories { slug name }"
FRONT_PAGE: Final = f"{{ articles(first: 10) {{ nodes {{ {_ITEM} }} }} }}"
CATEGORY: Final = f"query ($slug: String!) {{ category(slug: $slug) {{ name articles(first: 10) {{ nodes {{ {_ITEM} }} }} }} }}"
ARTICLE: Final = f"query ($slug: String!) {{ article(slug: $slug) {{ {_ITEM} body {{ html }} }} }}"
EDIT: Final = "mutation ($input: PostEditInput!) { postEdit(input: $input) { position userErrors { code } } }"
CREATE: Final = (
    "mutation ($input: PostCreateInput!) { postCreate(input: $input) { position userErrors { code } } }"
)
BODY: Final = "The council met again: the night market will move before winter. " * 30


@dataclass
class Figures:
    """The measurements of one server in one round."""

    per_second: float
    milliseconds: float
    """Processor time of the server per request."""
    durations: dict[str, list[float]] = field(default_factory=dict)
    """Seconds until a response was complete, for reads and for writes."""

    def p99(self, kind: str) -> float:
        """Return the 99th percentile of the response times, in milliseconds."""
        return statistics.quantiles(self.durations[kind], n=100)[98] * 1e3


class Load:
    """Requests in the proportions of the mixed load, in an order that depends only on the seed."""

    def __init__(self, posts: int, seed: int) -> None:
        self._posts = posts
        self._chance = Random(seed)  # noqa: S311  # reproducible load
        self._numbers = count(seed * 10_000_000)

    def all(self) -> Iterator[bytes]:
        """Yield requests without end."""
        return iter(self.request, None)

    def request(self) -> bytes:
        """Return the next request."""
        chance, number = self._chance, next(self._numbers)
        kind = chance.choices(("front", "category", "article", "edit", "create"), (30, 30, 30, 8, 2))[0]
        post, first = chance.randrange(self._posts), chance.randrange(len(CATEGORIES))
        match kind:
            case "front":
                return graphql_request(FRONT_PAGE)
            case "category":
                return graphql_request(CATEGORY, slug=f"section-{first}")
            case "article":
                return graphql_request(ARTICLE, slug=f"post-{post}")
            case "edit":
                return graphql_request(
                    EDIT, input={"id": encode("Post", uuid8("post", post)), "title": f"Version {number}"}
                )
        return creation(number, first)


def creation(number: int, category: int) -> bytes:
    """Return a request to create and publish post `number` in three categories."""
    categories = [{"slug": f"section-{(category + step) % len(CATEGORIES)}"} for step in (0, 5, 11)]
    title = f"Post {number} of the night market"
    values = {"title": title, "body": BODY, "categories": categories, "publish": True}
    return graphql_request(CREATE, input=values)


def graphql_request(query: str, **variables: object) -> bytes:
    """Return a POST request to `/graphql`."""
    return post_request("/graphql", {"query": query, "variables": variables})


def processor_seconds(pid: int) -> float:
    """Return the processor time that a process has used, in seconds."""
    fields = Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def measure(server: Server, requests: Load, seconds: float) -> Figures:
    """Load a server for `seconds`. Raises `SystemExit` if a write was rejected."""
    durations: dict[str, list[float]] = {"reads": [], "writes": []}

    def answered(request: bytes, duration: float) -> None:
        durations["writes" if b'{"query": "mutation' in request else "reads"].append(duration)

    _, port = await server.address()
    used = processor_seconds(server.pid)
    # No response has top-level errors; edits of archived posts have user errors.
    result = await asyncio.to_thread(
        load, port, requests.all(), connections=CLIENTS, seconds=seconds, lacks=b'"errors"', answered=answered
    )
    used = processor_seconds(server.pid) - used
    return Figures(result.responses / result.seconds, used / result.responses * 1e3, durations)


async def run(options: argparse.Namespace) -> dict[str, list[Figures]]:
    """Return the figures of each round, by checkout."""
    checkouts = {"this checkout": CHECKOUT} | ({"the other": options.against} if options.against else {})
    own, other = 0, max(os.sched_getaffinity(0))
    figures: dict[str, list[Figures]] = {name: [] for name in checkouts}
    with tempfile.TemporaryDirectory(prefix=".bench-", dir=CHECKOUT) as place:
        folder = Path(place)
        await make_log(f"sqlite:{folder / LOG_FILE}", folder, options.posts * EVENTS_PER_POST)
        async with Servers(folder, EVERYONE_IS_ADMIN | UNLIMITED) as servers:
            started = {}
            for name, checkout in checkouts.items():
                data = folder / name
                data.mkdir()
                shutil.copy(folder / LOG_FILE, data / LOG_FILE)
                program = (checkout / ".venv/bin/python", "-m", "ledgerpress")
                started[name] = await ready(await servers.launch(data, program=program))
                if other != own:
                    os.sched_setaffinity(started[name].pid, {other})
            if other != own:
                os.sched_setaffinity(0, {own})
            for number in range(options.rounds + 1):
                for name, server in sorted(started.items(), reverse=bool(number % 2)):
                    result = await measure(
                        server, Load(options.posts, number), options.seconds / (1 + 3 * (not number))
                    )
                    if number:  # the first round warms up
                        figures[name].append(result)
    return figures


def spread(values: Sequence[float], form: str) -> str:
    return f"{statistics.median(values):{form}} ({min(values):{form}} to {max(values):{form}})"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--against", type=Path, help="another checkout to measure in turn")
    parser.add_argument("--posts", type=int, default=100_000, help="posts before the load (100,000)")
    parser.add_argument("--rounds", type=int, default=10, help="rounds to measure (10)")
    parser.add_argument("--seconds", type=float, default=60, help="seconds per round and checkout (60)")
    options = parser.parse_args()
    figures = asyncio.run(run(options))
    columns: dict[str, Callable[[Figures], float]] = {
        "requests per second": lambda each: each.per_second,
        "processor ms per request": lambda each: each.milliseconds,
        "p99 of reads, ms": lambda each: each.p99("reads"),
        "p99 of writes, ms": lambda each: each.p99("writes"),
    }
    print("median (least to greatest) of the rounds")
    for name, rounds in figures.items():
        for label, column in columns.items():
            print(f"  {name:14} {label:26} {spread([column(each) for each in rounds], ',.2f')}")
    if not options.against:
        return
    ratios = {
        label: [column(a) / column(b) for a, b in zip(*figures.values(), strict=True)]
        for label, column in columns.items()
    }
    for label, values in ratios.items():
        print(f"  this checkout / the other: {label:26} {spread(values, '.2f')}")
    throughput, _, reads, writes = (statistics.median(values) for values in ratios.values())
    met = throughput >= MOST_THROUGHPUT and reads <= 1 and writes <= 1
    print(f"throughput at least {MOST_THROUGHPUT}, 99th percentiles at most 1: {'met' if met else 'MISSED'}")
    sys.exit(0 if met else 1)


if __name__ == "__main__":
    main()
