"""Servers of several versions with different features on one data directory: load, restarts, and the views files."""

import asyncio
import json
import os
import random
import signal
import sqlite3
import sys
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field
from itertools import count, cycle
from pathlib import Path
from typing import Any, Final

import httpx2

from ledgerpress.server.data_directory import LOG_FILE
from ledgerpress.views.files.views_pointers import digest_in
from tests.integration.keep_alive_client import Client, ConnectionLost
from tests.integration.program_runs import ROOT
from tests.integration.server_process import PROGRAM, Server, Servers
from tests.integration.sse_client import opened

FACTCHECK: Final = ROOT / "docs" / "examples" / "factcheck" / "src"
TEASER: Final = "As it was Written"
PAUSE: Final = 0.1
"""Seconds between two requests of a client."""
POLL_INTERVAL: Final = 0.02
"""Seconds between two listings of the views files; each file exists for longer than this."""
SETTLE_TIMEOUT: Final = 120.0

_CREATE: Final = (
    "mutation ($input: PostCreateInput!)"
    " { postCreate(input: $input) { position viewsBehind userErrors { code } post { id teaser } } }"
)
_PUBLISH: Final = "mutation ($id: ID!) { postPublish(input: {id: $id}) { viewsBehind userErrors { code } } }"
_CHECK: Final = "mutation ($id: ID!) { postCheck(input: {id: $id, check: {passed: true}}) { viewsBehind userErrors { code } } }"
_RECENT: Final = "{ recentPosts(first: 20) { nodes { teaser } } }"
_CHECKED: Final = "{ checkedArticles { totalCount } }"
_CHANGES: Final = "subscription ($from: Position) { changes(fromPosition: $from) { position type } }"


@dataclass(frozen=True, slots=True)
class Version:
    """A version of the program with its features. `rule` changes the teasers that it writes at even positions.

    A version that does not know third-party events pauses its projections at each of these events. Its commands then
    succeed, but their effect is not visible immediately.
    """

    name: str
    program: Sequence[str]
    rule: Callable[[str], str] = str
    has_factcheck: bool = False
    knows_third_party: bool = True

    async def run(self, *arguments: str | Path) -> str:
        """Run a command of this program, which must succeed, and return its output."""
        process = await asyncio.create_subprocess_exec(
            *self.program, *arguments,
            cwd=ROOT, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        out, errors = await process.communicate()
        assert process.returncode == 0, f"{self.name}: {arguments[0]}: {out.decode()}{errors.decode()}"
        return out.decode()


def this_version() -> Version:
    return Version("without factcheck", PROGRAM)


def changed_version(name: str, change: str, rule: Callable[[str], str]) -> Version:
    """Return the version of `other_version_program` with a changed posts projector."""
    return Version(name, (sys.executable, "-m", "tests.integration.other_version_program", change), rule)


def version_with_factcheck(site: Path) -> Version:
    """Return this version with the example feature; its entry point is installed in the directory `site`."""
    metadata = site / "ledgerpress_factcheck-1.0.dist-info"
    metadata.mkdir(parents=True)
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: ledgerpress-factcheck\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(
        "[ledgerpress.features]\nfactcheck = ledgerpress_factcheck:FEATURE\n"
    )
    return Version("with factcheck", _with_path(site, FACTCHECK), has_factcheck=True)


def version_of_source(name: str, source: Path) -> Version:
    """Return a version whose package is in the directory `source`."""
    return Version(name, _with_path(source), knows_third_party=False)


def _with_path(*directories: Path) -> Sequence[str]:
    return ("/usr/bin/env", f"PYTHONPATH={os.pathsep.join(map(str, directories))}", *PROGRAM)


@dataclass(slots=True)
class Node:
    """A server of one version. `restarts` counts its restarts."""

    version: Version
    server: Server
    restarts: int = 0
    is_up: asyncio.Event = field(default_factory=asyncio.Event)
    outputs: list[Path] = field(default_factory=list)

    @classmethod
    async def start(cls, version: Version, servers: Servers, data: Path) -> "Node":
        node = cls(version, await servers.launch(data, program=version.program))
        await node._ready()
        return node

    async def restart(self, servers: Servers, data: Path, number: signal.Signals) -> None:
        await self.stop(number)
        self.server = await servers.launch(data, program=self.version.program)
        await self._ready()
        self.restarts += 1

    async def stop(self, number: signal.Signals = signal.SIGTERM) -> None:
        self.is_up.clear()
        if number is signal.SIGKILL:
            await self.server.kill()
        else:
            assert await self.server.stop(number) == 0, self.server.words()

    async def execute(self, query: str, **variables: Any) -> tuple[dict[str, Any], int]:
        async with await self.server.connect() as client:
            return await client.execute(query, **variables)

    async def paused(self) -> dict[str, str]:
        """Return the reasons why projections are paused, by projection name."""
        async with await self.server.connect() as client:
            paused: dict[str, str] = json.loads(await client.fetch("/health/ready"))["paused"]
        return paused

    async def reach(self, position: int) -> None:
        """Wait until the node responds from views that have reached `position`."""
        async with asyncio.timeout(SETTLE_TIMEOUT):
            while (await self.execute("{ site { name } }"))[1] < position:  # noqa: ASYNC110
                await asyncio.sleep(POLL_INTERVAL)

    def words(self) -> str:
        """Return the output of all processes of the node."""
        return "\n".join(path.read_text() for path in self.outputs)

    async def _ready(self) -> None:
        self.outputs.append(self.server.output)
        await self.server.ready()
        self.is_up.set()


@dataclass(slots=True)
class Files:
    """The names of all views files that were ever in a directory, by the digest of their set, in order."""

    data: Path
    names: dict[str, list[str]] = field(default_factory=dict)

    def note(self) -> None:
        for file in sorted(self.data.glob("views-*.sqlite")):
            names = self.names.setdefault(digest_in(file.name) or "", [])
            if file.name not in names:
                names.append(file.name)

    def total(self) -> int:
        return sum(map(len, self.names.values()))

    @asynccontextmanager
    async def watched(self) -> AsyncIterator["Files"]:
        async def watch() -> None:
            while True:
                self.note()
                await asyncio.sleep(POLL_INTERVAL)

        task = asyncio.create_task(watch())
        try:
            yield self
        finally:
            task.cancel()
            await asyncio.wait([task])
            self.note()


async def settle(nodes: Sequence[Node], data: Path) -> None:
    """Wait until each node uses views that its own version has built."""
    async with asyncio.timeout(SETTLE_TIMEOUT):
        for node in nodes:
            while await _has_copy(node, data):  # noqa: ASYNC110
                await asyncio.sleep(0.5)
    # Requests that are still running may use the copy.
    await asyncio.sleep(0.5)


async def _has_copy(node: Node, data: Path) -> bool:
    """Return whether a node uses views that were copied from another set; such a projection has version 0."""
    async with await node.server.connect() as client:
        file = json.loads(await client.fetch("/health/ready"))["views"]["file"]
    with closing(sqlite3.connect(f"file:{data / file}?mode=ro", uri=True)) as db:
        return bool(db.execute("SELECT 1 FROM projection WHERE version = 0").fetchone())


@dataclass(slots=True)
class Load:
    """The observations of the clients. `wrong` lists errors; `counts` has the number of requests by version and kind.

    With `fact_checks`, clients of versions with the feature record checks.
    """

    fact_checks: bool
    wrong: list[str] = field(default_factory=list)
    counts: dict[tuple[str, str], int] = field(default_factory=dict)
    changed_teasers: dict[str, int] = field(default_factory=dict)
    is_settled: bool = False
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    seen_to: dict[str, int] = field(default_factory=dict)
    _posts: list[str] = field(default_factory=list)
    _failed_drafts: list[str] = field(default_factory=list)

    async def write(self, node: Node, number: int) -> None:
        """Create, check and publish posts, one request after another."""
        chance = random.Random(number)
        turns = count()
        await self._while_up(
            node, "writer", lambda client: self._write(client, node.version, chance, next(turns))
        )

    async def read(self, node: Node, number: int) -> None:
        """Read the recent posts; no response of a process may have an earlier position than a previous one."""
        last_seen = (0, 0)

        async def read(client: Client) -> None:
            nonlocal last_seen
            data, position = await client.execute(_RECENT)
            self._count(node, "query")
            if last_seen[0] == node.restarts and position < last_seen[1]:
                self.wrong.append(f"{node.version.name}: {position} after {last_seen}")
            last_seen = node.restarts, position
            for post in data["recentPosts"]["nodes"]:
                self._check_teaser(node.version, post["teaser"])

        await self._while_up(node, f"reader {number}", read)

    async def follow(self, node: Node) -> None:
        """Subscribe to the changes, after a restart from the last position; no change may be missing or repeated."""
        name = node.version.name
        while not self.ended.is_set():
            await node.is_up.wait()
            restarts = node.restarts
            try:
                host, port = await node.server.address()
                async with (
                    httpx2.AsyncClient(base_url=f"http://{host}:{port}", timeout=60) as http,
                    opened(http, "POST", "/graphql", _CHANGES, **{"from": self.seen_to[name]}) as stream,
                ):
                    while True:
                        event = await stream.next()
                        if event.type != "next":
                            break
                        change = (event.data["data"] or {}).get("changes")
                        if change is None:
                            if self._is_strict(node.version):
                                self.wrong.append(f"{name}: {event.text}")
                            break
                        self._count(node, "change")
                        if change["position"] != self.seen_to[name] + 1:
                            self.wrong.append(f"{name}: {change} after {self.seen_to[name]}")
                        self.seen_to[name] = change["position"]
            except (httpx2.HTTPError, AssertionError, TimeoutError) as error:
                is_down = not node.is_up.is_set() or node.restarts != restarts or self.ended.is_set()
                if not is_down and self._is_strict(node.version):
                    self.wrong.append(f"{name}: the subscription ended: {error!r}")
                    return
            await asyncio.sleep(PAUSE)

    def _is_strict(self, version: Version) -> bool:
        """Return whether no recorded event can pause the projections of a version."""
        return version.knows_third_party or not self.fact_checks

    async def _while_up(self, node: Node, task: str, turn: Callable[[Client], Any]) -> None:
        """Repeat `turn` until the load ends, with a new connection after each start of the server."""
        while not self.ended.is_set():
            await node.is_up.wait()
            restarts = node.restarts
            try:
                async with await node.server.connect() as client:
                    while not self.ended.is_set():
                        await turn(client)
                        await asyncio.sleep(PAUSE)
            except ConnectionLost:
                if node.is_up.is_set() and node.restarts == restarts:
                    self.wrong.append(f"{node.version.name}: {task} lost its connection")
                    return
            except AssertionError as error:
                if self._is_strict(node.version):
                    self.wrong.append(f"{node.version.name}: {task}: {error}")
                    return

    async def _write(self, client: Client, version: Version, chance: random.Random, turn: int) -> None:
        title = f"{version.name} {turn} {chance.random()}"
        post = await self._mutate(
            client, version, "postCreate", _CREATE, input={"title": title, "teaser": TEASER, "publish": True}
        )
        if post["post"] is None:
            return
        self._check_teaser(version, post["post"]["teaser"])
        self._posts.append(post["post"]["id"])
        if version.has_factcheck and self.fact_checks:
            await self._mutate(client, version, "postCheck", _CHECK, id=chance.choice(self._posts))
            draft = {"title": f"Draft {title}", "factCheck": {"passed": False}}
            failed = await self._mutate(client, version, "postCreate", _CREATE, input=draft)
            rejected, _ = await client.execute(_PUBLISH, id=failed["post"]["id"])
            if rejected["postPublish"]["userErrors"] != [{"code": "X_FACTCHECK_FAILED"}]:
                self.wrong.append(f"{version.name}: a failed draft was published: {rejected}")
            self._failed_drafts.append(failed["post"]["id"])
            await client.execute(_CHECKED)
            return
        if turn % 4 == 0 and not version.has_factcheck:
            _, body = await client.answer(_CHECK, id=post["post"]["id"])
            if "errors" not in body:
                self.wrong.append(f"{version.name}: recorded a check: {body}")
        if turn % 4 == 2 and self._failed_drafts:
            # Only processes with the feature reject the publication of a failed draft.
            await self._mutate(client, version, "postPublish", _PUBLISH, id=self._failed_drafts.pop())

    async def _mutate(
        self, client: Client, version: Version, name: str, document: str, **variables: Any
    ) -> Any:
        data, _ = await client.execute(document, **variables)
        result = data[name]
        self.counts[version.name, name] = self.counts.get((version.name, name), 0) + 1
        if result["userErrors"] or (result["viewsBehind"] and self._is_strict(version)):
            self.wrong.append(f"{version.name}: {name}: {result}")
        return result

    def _count(self, node: Node, kind: str) -> None:
        self.counts[node.version.name, kind] = self.counts.get((node.version.name, kind), 0) + 1

    def _check_teaser(self, version: Version, teaser: str | None) -> None:
        """Check that a teaser is as it was written, or as this version's rule changes it.

        Until its own views are built, a version may serve a copy of the views of another version.
        """
        if self.is_settled and teaser not in (None, "", TEASER, version.rule(TEASER)):
            self.wrong.append(f"{version.name}: the teaser {teaser!r}")
        if self.is_settled and teaser not in (None, "", TEASER):
            self.changed_teasers[version.name] = self.changed_teasers.get(version.name, 0) + 1


@asynccontextmanager
async def load(nodes: Sequence[Node], readers: int, *, fact_checks: bool = False) -> AsyncIterator[Load]:
    """Run a writer, a subscriber and `readers` readers on each node until the end of the block."""
    load = Load(fact_checks)
    for node in nodes:
        _, load.seen_to[node.version.name] = await node.execute("{ site { name } }")
    async with asyncio.TaskGroup() as tasks:
        followers = [tasks.create_task(load.follow(node)) for node in nodes]
        for number, node in enumerate(nodes):
            tasks.create_task(load.write(node, number))
            for reader in range(readers):
                tasks.create_task(load.read(node, reader))
        try:
            yield load
        finally:
            load.ended.set()
            for follower in followers:
                follower.cancel()


async def restart_in_turn(
    nodes: Sequence[Node], servers: Servers, data: Path, seconds: float, pause: float
) -> None:
    """Restart one node after another, alternately with SIGTERM and SIGKILL, for at least `seconds`.

    Each node is restarted at least once.
    """
    until = time.monotonic() + seconds
    numbers = cycle((signal.SIGTERM, signal.SIGKILL))
    for turn, node in enumerate(cycle(nodes)):
        if turn >= len(nodes) and time.monotonic() > until:
            # An even number of nodes: in the next round, each gets the other signal.
            return
        if turn and turn % len(nodes) == 0:
            next(numbers)
        await node.restart(servers, data, next(numbers))
        await asyncio.sleep(pause)


def recorded(data: Path, type: str) -> int:
    """Return how many events of a type are in the log."""
    with closing(sqlite3.connect(f"file:{data / LOG_FILE}?mode=ro", uri=True)) as db:
        return int(db.execute("SELECT count(*) FROM event WHERE type = ?", (type,)).fetchone()[0])


def head(data: Path) -> int:
    with closing(sqlite3.connect(f"file:{data / LOG_FILE}?mode=ro", uri=True)) as db:
        return int(db.execute("SELECT max(position) FROM event").fetchone()[0])
