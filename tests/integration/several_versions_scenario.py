"""Four processes on one data directory under load, with stops; and an upgrade with a downgrade. Used by a test and a benchmark."""

import asyncio
import json
import re
import signal
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from ledgerpress.eventlog.log import NO_STREAM, StreamWrite
from ledgerpress.retry import poll
from ledgerpress.server.store import open_store
from tests.integration.failing_projectors import sparkled
from tests.integration.server_process import Servers
from tests.integration.several_versions import (
    SETTLE_TIMEOUT,
    Files,
    Load,
    Node,
    Version,
    head,
    load,
    recorded,
    restart_in_turn,
    settle,
)

CHECKED: Final = "x.factcheck.checked"
REBUILDS: Final = re.compile(r"rebuilt from the log|rebuilding them alongside|made anew")
"""What processes log when they build views; an earlier version says it in other words."""
FIRST_POSTS: Final = 40


@dataclass(frozen=True, slots=True)
class Report:
    """What a run has shown: requests by version and kind, files by set, restarts by version, and the events in the end."""

    counts: Mapping[tuple[str, str], int]
    files: dict[str, list[str]]
    restarts: dict[str, int]
    builds: dict[str, int]
    position: int
    checks: int


async def side_by_side(
    place: Path, versions: Sequence[Version], *, seconds: float, pause: float, readers: int
) -> Report:
    """Serve one directory with all `versions`, of which the first was there first, and check everything.

    The load lasts `seconds` at least; `pause` is the time between two restarts. If one of the versions does not know
    third-party events, none are recorded in the first load, and it is checked after that; then comes a shorter one with them.
    Raises `AssertionError`.
    """
    data = place / "data"
    know_checks = all(version.knows_third_party for version in versions)
    old, *others = versions
    async with Servers(place) as servers, Files(data).watched() as files:
        first = await Node.start(old, servers, data)
        await fill(first)
        nodes = [first, *(await start_together(others, servers, data))]
        async with load(nodes, readers, fact_checks=know_checks) as working:
            await settle(nodes, data)
            settled, working.is_settled = files.total(), True
            await restart_in_turn(nodes, servers, data, seconds, pause)
            await every_kind(working, nodes)
        check_load(working, nodes)
        position, counts = await reach_head(nodes, data), Counter(working.counts)
        if not know_checks:
            for version in versions:
                if not version.knows_third_party:
                    await check_store(version, data)
            async with load(nodes, readers, fact_checks=True) as checking:
                checking.is_settled = True
                await restart_in_turn(nodes, servers, data, seconds / 4, pause)
                await every_kind(checking, nodes)
            check_load(checking, nodes)
            counts.update(checking.counts)
            position = await reach_head([node for node in nodes if node.version.knows_third_party], data)
        assert files.total() == settled, f"views were built again: {files.names}"
        # A version serves a copy of the views of another one until its own are built.
        assert max(map(len, files.names.values())) <= 2, f"a set was built twice: {files.names}"
        built = {digest: list(names) for digest, names in files.names.items()}
        for version in versions:
            if version.knows_third_party:
                await check_store(version, data)
        assert recorded(data, CHECKED)
        await check_unknown_event(nodes, data)
        builds = {node.version.name: len(REBUILDS.findall(node.words())) for node in nodes}
        assert max(builds.values()) <= 1, builds
    restarts = {node.version.name: node.restarts for node in nodes}
    return Report(counts, built, restarts, builds, position, recorded(data, CHECKED))


async def upgrade_and_downgrade(place: Path, old: Version, new: Version) -> dict[str, list[str]]:
    """Serve with `old`, with both, with `new`, and with `old` again, all the time under load; return the files by set."""
    data = place / "data"
    async with Servers(place) as servers, Files(data).watched() as files:
        before = await Node.start(old, servers, data)
        await fill(before)
        after = await Node.start(new, servers, data)
        async with load([before, after], 1) as working:
            await settle([before, after], data)
            working.is_settled = True
            await every_kind(working, [before, after])
        check_load(working, [before, after])
        await before.stop()
        async with load([after], 1) as working:
            working.is_settled = True
            await after.restart(servers, data, signal.SIGKILL)
            await every_kind(working, [after])
        check_load(working, [after])
        await after.stop()
        built, position = files.total(), head(data)
        again = await Node.start(old, servers, data)
        async with load([again], 1) as working:
            working.is_settled = True
            await again.reach(position)
            await every_kind(working, [again])
        check_load(working, [again])
        files.note()
        assert files.total() == built, f"the downgrade has built views: {files.names}"
        names = {digest: list(names) for digest, names in files.names.items()}
        assert REBUILDS.findall(again.words()) == [], again.words()
        await check_store(old, data)
    return names


async def reach_head(nodes: Sequence[Node], data: Path) -> int:
    """Wait until every node has reached the head of the log; return its position."""
    position = head(data)
    for node in nodes:
        await node.reach(position)
        assert await node.paused() == {}, node.version.name
    return position


async def fill(node: Node) -> None:
    """Let a node record the first posts."""
    async with await node.server.connect() as client:
        for number in range(FIRST_POSTS):
            await client.mutate(
                "postCreate", title=f"First {number}", teaser="As it was Written", publish=True
            )


async def start_together(versions: Sequence[Version], servers: Servers, data: Path) -> list[Node]:
    return list(await asyncio.gather(*(Node.start(version, servers, data) for version in versions)))


def check_load(working: Load, nodes: Sequence[Node]) -> None:
    assert working.wrong == [], working.wrong[:10]
    assert missing_kinds(working, nodes) == []


async def every_kind(working: Load, nodes: Sequence[Node]) -> None:
    """Wait until each node has answered a request of every kind, or something was wrong."""

    async def is_done() -> bool | None:
        return bool(working.wrong) or not missing_kinds(working, nodes) or None

    await poll(is_done, interval=0.1, timeout=SETTLE_TIMEOUT)


def missing_kinds(working: Load, nodes: Sequence[Node]) -> list[tuple[str, str]]:
    """Return the versions with the kinds of requests that they have not answered yet."""
    wanted = [(node.version.name, kind) for node in nodes for kind in ("postCreate", "query", "change")]
    return [one for one in wanted if not working.counts.get(one)]


async def check_store(version: Version, data: Path) -> None:
    """Check a store by the commands of one version: its log, its views, and a rebuild, which is not switched to.

    A version without the feature counts the events of the feature; the one with it has none that are unknown.
    """
    said = " ".join((await version.run("verify", "--data", data)).split())
    status = json.loads(await version.run("status", "--json", "--data", data))
    states = {(one["state"], one["checkpoint"], one["lag"]) for one in status["projections"]}
    assert states == {("RUNNING", status["head"], 0)}, f"{version.name}: {status}"
    if not version.knows_third_party:
        # Its rebuild would delete the files of other sets. A version with the same projectors is checked in its place.
        return
    checks = 0 if version.has_factcheck else recorded(data, CHECKED)
    assert status["unknown"] == ({CHECKED: checks} if checks else {}), version.name
    sentence = f"Events of features that are not installed: {checks:,}"
    assert (sentence in said) is bool(checks), said
    result = json.loads(await version.run("rebuild", "--check", "--json", "--data", data))
    assert result["compared"]["tables"] == [], f"{version.name}: {result}"
    assert result["compared"]["position"] == status["head"]


async def check_unknown_event(nodes: Sequence[Node], data: Path) -> None:
    """An event of an unknown type that no feature can have pauses the projections of every process."""
    async with open_store(data) as store:
        await store.log.append([StreamWrite("post.sparks", NO_STREAM, (sparkled(),))])
    for node in nodes:

        async def is_paused(node: Node = node) -> Any:
            paused = await node.paused()
            return (paused and all("post.sparkled" in why for why in paused.values())) or None

        assert await poll(is_paused, interval=0.1, timeout=SETTLE_TIMEOUT), f"{node.version.name} goes on"
