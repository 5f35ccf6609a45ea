"""One run: install, load, check that all servers agree, and measure them in turn."""

import argparse
import os
import shutil
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from itertools import islice, repeat
from pathlib import Path
from typing import Final, NamedTuple

from scripts.peers import agreement, installation, newsroom, results
from scripts.peers.figures import Measurement, Rounds
from scripts.peers.graphql_peers import (
    Django,
    GraphQLPeer,
    Keystone,
    LedgerPress,
    Mercurius,
    Payload,
    PlainStrawberry,
)
from scripts.peers.http_requests import Requests, conditional
from scripts.peers.installation import CACHE, CHECKOUT, SERVERS, NotInstalled
from scripts.peers.newsroom import Newsroom
from scripts.peers.processes import Command, Cores, MeasuredProcess, Server, Worker
from scripts.peers.results import CLIENTS, FLUSHED_POSTS, Peer, Results
from scripts.workloads.raw_client import ask, body_of, load

PEERS: Final[tuple[GraphQLPeer, ...]] = (Keystone(), Payload(), Django(), Mercurius(), PlainStrawberry())
IN_PROCESS: Final = "eventsourcing"
_SUCCESS: Final = b'"slug"'
_ERRORS: Final = b'"errors"'


class Turn(NamedTuple):
    """What a server does in each round: a process, and work for some seconds that returns units and duration."""

    process: MeasuredProcess
    work: Callable[[float], tuple[int, float, int]]


@dataclass
class Running:
    """A running server with its requests, and the ids of its categories."""

    server: Server
    requests: Requests
    identifiers: Mapping[str, object]
    new_posts: Iterator[bytes]
    created: int = 0


class Comparison:
    """A run with the given options."""

    def __init__(self, options: argparse.Namespace, stack: ExitStack) -> None:
        self._options = options
        self._stack = stack
        self._newsroom = Newsroom(options.posts)
        self._results = Results(
            posts=options.posts,
            rounds=options.rounds,
            seconds=options.seconds,
            command=" ".join(["scripts/bench peers", *sys.argv[1:]]),
            date=datetime.now(UTC).strftime("%Y-%m-%d"),
            machine=results.this_machine(),
        )
        self._peers: list[GraphQLPeer] = []

    def run(self) -> Results:
        """Do everything, and return the results."""
        self._install()
        self._cores = Cores.of_this_machine()
        os.sched_setaffinity(0, {self._cores.generator})
        self._place = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="run-", dir=CACHE)))
        ours = LedgerPress(cached=True)
        for peer in (ours, *self._peers):
            self._load(peer)
        self._measure_reads(ours)
        self._measure_writes(ours)
        self._measure_in_process()
        return self._results

    # --- before the measurements ---------------------------------------------------------------------

    def _chosen(self, key: str) -> bool:
        return not self._options.only or key in self._options.only

    def _install(self) -> None:
        CACHE.mkdir(exist_ok=True)
        ours = LedgerPress(cached=True)
        self._results.peers[ours.title] = Peer(ours.versions(), ours.durability, ours.remarks, ours.reused)
        for peer in filter(lambda peer: self._chosen(peer.key), PEERS):
            _say(f"installing {peer.title}")
            try:
                peer.install()
                versions = peer.versions()
            except NotInstalled as error:
                _say(f"NOT INSTALLED: {error}")
                self._results.missing[peer.title] = str(error)
            else:
                self._peers.append(peer)
                self._results.peers[peer.title] = Peer(versions, peer.durability, peer.remarks, peer.reused)

    def _load(self, peer: GraphQLPeer) -> None:
        """Fill a database through the API of its server, or copy one that was filled before."""
        data = self._place / peer.key
        tag = installation.digest_of(
            f"{self._newsroom.size} {peer.digest()}".encode(), newsroom.digest_of_generator()
        )
        cached = CACHE / f"loaded-{peer.key}-{tag}"
        if cached.exists() and not isinstance(peer, LedgerPress):
            shutil.copytree(cached, data)
            return
        _say(f"loading {self._newsroom.size:,} posts into {peer.title}")
        data.mkdir()
        peer.create_tables(data)
        with ExitStack() as stack:
            running = self._start(peer, stack, identifiers=False)
            for category in self._newsroom.categories:
                document = peer.create_category
                running.server.ask(running.requests.graphql(document, slug=category.slug, name=category.name))
            identifiers = self._identifiers(running)
            creations = (running.requests.creation(post, identifiers) for post in self._newsroom.posts)
            loaded = load(
                running.server.port, creations, connections=CLIENTS, contains=_SUCCESS, lacks=_ERRORS
            )
            _say(f"  {loaded.responses / loaded.seconds:,.0f} posts/s")
        if not isinstance(peer, LedgerPress):
            unfinished = cached.with_suffix(".unfinished")
            shutil.rmtree(unfinished, ignore_errors=True)
            shutil.copytree(data, unfinished)
            unfinished.rename(cached)

    def _start(self, peer: GraphQLPeer, stack: ExitStack, *, identifiers: bool = True) -> Running:
        data = self._place / peer.key
        ready = Requests(peer, self._newsroom).graphql("{ __typename }")
        server = Server(lambda port: peer.command(data, port), ready, data / "output", self._cores, stack)
        requests = Requests(peer, self._newsroom, peer.token(data))
        running = Running(server, requests, {}, iter(()))
        if identifiers:
            running.identifiers = self._identifiers(running)
            running.new_posts = requests.new_posts(running.identifiers)
        return running

    def _identifiers(self, running: Running) -> dict[str, object]:
        data = running.server.ask(running.requests.graphql(running.requests.peer.categories))
        page = agreement.canonical(data, single=False)
        return {category["slug"]: category["id"] for category in page}

    def _check_reads(self, running: Running) -> None:
        """Compare answers with the data. Raises `Disagreement`."""
        peer, ask_for, graphql = running.requests.peer, running.server.ask, running.requests.graphql
        front_page = agreement.canonical(ask_for(graphql(peer.front_page)), single=False)
        agreement.check(peer.title, "front page", self._newsroom.front_page(), front_page)
        for post in self._newsroom.posts[:: max(1, self._newsroom.size // 20)]:
            self._check_article(running, post)
        for category in self._newsroom.categories:
            request = running.requests.category_page(category, running.identifiers)
            page = agreement.canonical(ask_for(request), single=True)
            expected = self._newsroom.category_page(category)
            agreement.check(peer.title, f"category {category.slug}", expected, page)

    def _check_article(self, running: Running, post: newsroom.Post) -> None:
        peer = running.requests.peer
        data = running.server.ask(running.requests.graphql(peer.article, slug=post.slug))
        article = agreement.canonical(data, single=True)
        agreement.check(peer.title, f"article {post.slug}", newsroom.article(post), article)

    def _count(self, running: Running) -> int:
        count = running.server.ask(running.requests.graphql(running.requests.peer.post_count))["count"]
        return int(next(iter(count.values())) if isinstance(count, dict) else count)

    # --- measurements --------------------------------------------------------------------------------

    def _measure_reads(self, ours: LedgerPress) -> None:
        with ExitStack() as stack:
            uncached = LedgerPress(cached=False)
            servers = {each.title: self._start(each, stack) for each in (uncached, *self._peers)}
            for running in servers.values():
                self._check_reads(running)
            _say(f"{', '.join(servers)}: all answers agree with the data")
            for kind in results.READS:
                turns = {
                    title: self._read_turn(running.server, running.requests.reads(kind, running.identifiers))
                    for title, running in servers.items()
                }
                self._measure(kind, turns)
            for kind in results.READS_AFTER_CHANGES:
                turns = {
                    title: self._read_turn(running.server, self._with_changes(running, kind, stack))
                    for title, running in servers.items()
                }
                self._measure(kind, turns)
        with ExitStack() as stack:
            self._measure_cached(ours, stack)

    def _with_changes(self, running: Running, kind: str, stack: ExitStack) -> Iterator[bytes]:
        """Return requests without end. Before each, another program commits to the database that the server reads.

        It changes a number in the header of the file. So nothing that the server, or SQLite within it, has kept of the
        data is known to be valid.
        """
        peer = running.requests.peer
        path = peer.database(self._place / peer.key)
        db = stack.enter_context(closing(sqlite3.connect(path, isolation_level=None, timeout=30)))
        db.execute("PRAGMA synchronous = OFF")
        requests = running.requests.reads(kind.removeprefix("changed_"), running.identifiers)
        return after_changes(requests, lambda number: db.execute(f"PRAGMA user_version = {number}"))

    def _measure_cached(self, ours: LedgerPress, stack: ExitStack) -> None:
        running = self._start(ours, stack)
        requests = Requests(ours, self._newsroom)
        request = requests.graphql(ours.front_page)
        body = self._place / "body"
        body.write_bytes(body_of(ask(running.server.port, request)))
        not_modified = conditional(running.server.port, ours.front_page, {})
        module = "scripts.peers.servers.plain_asgi"
        plain = Server(
            lambda port: Command([sys.executable, "-m", module, str(port), str(body)], CHECKOUT, {}),
            request,
            self._place / "plain_asgi",
            self._cores,
            stack,
        )
        turns = {
            results.CACHED: self._read_turn(running.server, repeat(request)),
            results.NOT_MODIFIED: self._read_turn(
                running.server, repeat(not_modified), contains=b"", lacks=_SUCCESS
            ),
            results.PLAIN_ASGI: self._read_turn(plain, repeat(request)),
        }
        self._measure("cached", turns)

    def _measure_writes(self, ours: LedgerPress) -> None:
        with ExitStack() as stack:
            servers = {each.title: self._start(each, stack) for each in (ours, *self._peers)}
            for clients, kind in ((1, "create_1"), (CLIENTS, "create_8")):
                turns = {title: self._write_turn(running, clients) for title, running in servers.items()}
                self._measure(kind, turns)
                self._results.flushes[kind] = {
                    title: self._flushes(running, clients) for title, running in servers.items()
                }
            for running in servers.values():
                self._check_writes(running)
        _say("every server has exactly the posts that it acknowledged")

    def _check_writes(self, running: Running) -> None:
        """Compare the number of posts, and the last one of them, with what was sent. Raises `Disagreement`."""
        title = running.requests.peer.title
        expected = self._newsroom.size + running.created
        agreement.check(title, "number of posts", expected, self._count(running))
        templates = running.requests.templates()
        last = templates[(running.created - 1) % len(templates)]
        self._check_article(running, replace(last, slug=f"created-{running.created:09}"))

    def _flushes(self, running: Running, clients: int) -> float | None:
        def create() -> int:
            port, requests = running.server.port, islice(running.new_posts, FLUSHED_POSTS)
            done = load(port, requests, connections=clients, contains=_SUCCESS, lacks=_ERRORS)
            running.created += done.responses
            return done.responses

        return running.server.flushes(create, self._place / "trace")

    def _measure_in_process(self) -> None:
        place = self._place / "in_process"
        place.mkdir()
        own = [sys.executable, "-m", "scripts.peers.servers.in_process"]
        names = {results.LOG: "log", results.COMMANDS: "commands", results.PLAIN_SQLITE: "sqlite"}
        commands = {title: [*own, name, str(place)] for title, name in names.items()}
        if self._chosen(IN_PROCESS):
            commands |= self._eventsourcing(place)
        with ExitStack() as stack:
            workers = {
                title: Worker(Command(command, CHECKOUT, {}), self._place / "workers", self._cores, stack)
                for title, command in commands.items()
            }
            for kind in results.IN_PROCESS:
                if kind == "batch":
                    del workers[results.COMMANDS]  # a command has a few events
                self._measure(kind, {title: _worker_turn(worker, kind) for title, worker in workers.items()})
                self._results.flushes[kind] = {
                    title: worker.flushes(partial(_units, worker, kind), self._place / "trace")
                    for title, worker in workers.items()
                }

    def _eventsourcing(self, place: Path) -> dict[str, list[str]]:
        """Return the command of the worker of eventsourcing; nothing if it cannot be installed."""
        try:
            environment = installation.python_environment(IN_PROCESS)
            versions = {IN_PROCESS: installation.python_version_of(environment, IN_PROCESS)}
        except NotInstalled as error:
            self._results.missing[results.EVENTSOURCING] = str(error)
            return {}
        self._results.peers[results.EVENTSOURCING] = Peer(
            versions,
            "One transaction for each save of an aggregate (WAL, synchronous = FULL).",
            "A library without HTTP. Here, its aggregates have no categories, no unique slugs and no read models.",
        )
        script = SERVERS / IN_PROCESS / "worker.py"
        return {results.EVENTSOURCING: [str(environment / "bin" / "python"), str(script), str(place)]}

    def _measure(self, kind: str, turns: Mapping[str, Turn]) -> None:
        """Let each server take its turn in each round; the first round only warms up."""
        rounds = self._results.work[kind] = Rounds()
        names = list(turns)
        for number in range(self._options.rounds + 1):
            start = number % len(names)
            for name in names[start:] + names[:start]:
                process, work = turns[name]
                before = process.processor_seconds()
                units, took, late = work(self._options.seconds)
                used = process.processor_seconds() - before
                if number:
                    rounds.add(name, Measurement(units / took, used / (units + late)))
        _say(results.ALL_WORK[kind].title)
        for name in names:
            rate, low, high = rounds.rate(name)
            milliseconds = rounds.processor_seconds(name) * 1_000
            _say(
                f"  {name:<30} {rate:10,.0f}/s ({low:,.0f} to {high:,.0f}), {milliseconds:.3f} ms of processor time"
            )

    def _read_turn(
        self,
        server: Server,
        requests: Iterator[bytes],
        *,
        contains: bytes = _SUCCESS,
        lacks: bytes = _ERRORS,
    ) -> Turn:
        def work(seconds: float) -> tuple[int, float, int]:
            before, started = time.process_time(), time.perf_counter()
            done = load(
                server.port, requests, connections=CLIENTS, seconds=seconds, contains=contains, lacks=lacks
            )
            use = (time.process_time() - before) / (time.perf_counter() - started)
            self._results.generator_use = max(self._results.generator_use, use)
            return done.responses, done.seconds, done.late

        return Turn(server, work)

    def _write_turn(self, running: Running, clients: int) -> Turn:
        def work(seconds: float) -> tuple[int, float, int]:
            done = load(
                running.server.port,
                running.new_posts,
                connections=clients,
                seconds=seconds,
                contains=_SUCCESS,
                lacks=_ERRORS,
            )
            running.created += done.responses + done.late
            return done.responses, done.seconds, done.late

        return Turn(running.server, work)


def after_changes(requests: Iterator[bytes], change: Callable[[int], object]) -> Iterator[bytes]:
    """Yield `requests`; before each, call `change` with a number that has not been used."""
    for number, request in enumerate(requests, 1):
        change(number)
        yield request


def _worker_turn(worker: Worker, kind: str) -> Turn:
    return Turn(worker, lambda seconds: (*worker.work(kind, seconds), 0))


def _units(worker: Worker, kind: str) -> int:
    return worker.work(kind, 1.0)[0]


def _say(text: str) -> None:
    print(text, flush=True)
