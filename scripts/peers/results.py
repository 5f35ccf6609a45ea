"""The results of a run, from which the page is generated."""

import os
import platform
import sqlite3
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NamedTuple

from scripts.peers.figures import Rounds

LEDGERPRESS: Final = "LedgerPress"
CACHED: Final = "LedgerPress, cached response"
NOT_MODIFIED: Final = "LedgerPress, 304 Not Modified"
PLAIN_ASGI: Final = "plain ASGI"
LOG: Final = "LedgerPress, log"
COMMANDS: Final = "LedgerPress, commands"
EVENTSOURCING: Final = "eventsourcing"
PLAIN_SQLITE: Final = "plain SQLite"


CLIENTS: Final = 8
"""The clients that read at the same time, and in some of the comparisons of writes."""
FLUSHED_POSTS: Final = 40


class Work(NamedTuple):
    """A kind of work that servers are compared in."""

    title: str
    ours: str
    """The server whose rates are divided by those of the others."""
    unit: str = "request"


READS: Final = {
    "front_page": Work("Front page: the ten newest posts with their categories", LEDGERPRESS),
    "article": Work("One article with its text and its categories", LEDGERPRESS),
    "category_page": Work("Category page: a category and its ten newest posts", LEDGERPRESS),
}
READS_AFTER_CHANGES: Final = {
    "changed_front_page": Work("Front page, after a change of the data before each request", LEDGERPRESS),
    "changed_article": Work("One article, after a change of the data before each request", LEDGERPRESS),
}
CACHED_READS: Final = {"cached": Work("Cached responses: the front page", CACHED)}
WRITES: Final = {
    "create_1": Work("Create a published post in three categories, 1 client", LEDGERPRESS),
    "create_8": Work(f"Create a published post in three categories, {CLIENTS} clients", LEDGERPRESS),
}
IN_PROCESS: Final = {
    "one": Work("One event in each append (for commands: a post), 1 client", LOG, "event"),
    "batch": Work("100 events in each append, 1 client", LOG, "event"),
}
ALL_WORK: Final = {**READS, **READS_AFTER_CHANGES, **CACHED_READS, **WRITES, **IN_PROCESS}


@dataclass
class Peer:
    """A server, as the page describes it."""

    versions: dict[str, str]
    durability: str
    remarks: str
    reused: str = ""
    """What it keeps in memory between two requests."""


@dataclass
class Results:
    """Everything that one run has measured."""

    posts: int
    rounds: int
    seconds: float
    command: str
    date: str
    machine: str
    work: dict[str, Rounds] = field(default_factory=dict)
    flushes: dict[str, dict[str, float | None]] = field(default_factory=dict)
    """For each kind of work and server, the flushes to disk for each unit of work; `None` without strace."""
    peers: dict[str, Peer] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)
    """Peers that were not measured, and why."""
    generator_use: float = 0.0
    """The largest share of its core that the load generator used against any server."""


def this_machine() -> str:
    """Describe the processor, the memory and the software of this machine."""
    model = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith(("model name", "Model"))
        ),
        platform.machine(),
    )
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return (
        f"{os.cpu_count()} cores ({model}), {memory:.0f} GiB of memory, {platform.system()} {platform.release()}, "
        f"Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}, "
        f"load average {os.getloadavg()[1]:.1f} in the five minutes before the run"
    )
