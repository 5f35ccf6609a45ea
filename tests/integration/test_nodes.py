"""Several nodes on one log, whatever engine it is in: each has its own views, and they agree."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Final

import pytest

from ledgerpress.commands.command_request_and_context import CommandRequest
from ledgerpress.commands.roles_and_permissions import Role
from ledgerpress.features.posts.body import html_rendering_and_sections
from ledgerpress.features.registry import event_codec
from ledgerpress.features.tokens.commands import CreateToken, RevokeToken, new_secret, secret_hash
from ledgerpress.operator.rebuild_and_switch_views import list_views
from ledgerpress.operator.withdraw import withdraw_payload
from ledgerpress.server.views_rebuild import rebuild
from tests.integration.in_process_nodes import Node, node
from tests.integration.keep_alive_client import Client as WireClient
from tests.integration.keep_alive_client import Outcome, close_all
from tests.integration.program_runs import done
from tests.integration.server_process import Servers
from tests.integration.websocket_client import served, websocket
from tests.property.view_rows import rebuilt, rows_of

TITLES: Final = "{ posts(first: 100) { totalCount nodes { title } } }"
VIEWER: Final = "{ viewer { role } }"
BODY: Final = """
query ($id: ID!, $asOf: AsOf) { post(id: $id, asOf: $asOf) { title body { text } } }
"""
CHANGES: Final = "subscription ($from: Position) { changes(fromPosition: $from) { position type } }"
SECRET: Final = "The heron nests behind number nine"


@pytest.fixture
async def nodes(tmp_path: Path, log_url: str) -> AsyncIterator[tuple[Node, Node]]:
    """Two nodes on one log, of which the first has made it."""
    async with node(tmp_path / "a", log_url) as a, node(tmp_path / "b", log_url) as b:
        yield a, b


async def agree(tmp_path: Path, *nodes: Node) -> None:
    """Check that all views are equal, row for row, and equal to what comes of the log."""
    for one in nodes:
        await one.level()
    rows = await rebuilt(nodes[0].store.log, tmp_path / "anew.sqlite", batch_size=500)
    for one in nodes:
        assert rows_of(one.views) == rows


def titles(answer: dict[str, Any]) -> set[str]:
    return {post["title"] for post in answer["data"]["posts"]["nodes"]}


async def test_what_one_node_acknowledged_the_other_shows_to_whoever_demands_it(
    tmp_path: Path, nodes: tuple[Node, Node]
) -> None:
    position = 0
    for number in range(12):
        writer, reader = nodes if number % 2 else reversed(nodes)
        position = (await writer.do("postCreate", title=f"Number {number}"))["position"]
        answer = await reader.as_of(position, TITLES)
        assert answer.json()["data"]["posts"]["totalCount"] == number + 1
        assert int(answer.headers["ledgerpress-position"]) >= position
    answer = await nodes[0].as_of(position, TITLES)
    assert titles(answer.json()) == {f"Number {number}" for number in range(12)}
    beyond = await nodes[0].as_of(position + 1, TITLES)
    assert beyond.json()["errors"][0]["extensions"]["code"] == "NO_SUCH_POSITION"
    await agree(tmp_path, *nodes)


async def test_nodes_decide_by_the_log_and_not_by_their_own_views(
    tmp_path: Path, nodes: tuple[Node, Node]
) -> None:
    """A node whose views are behind neither loses what the other has done, nor does it a second time."""
    a, b = nodes
    post = await a.write("Ours")
    for number in range(6):
        editor, other = (a, b) if number % 2 else (b, a)
        made = await editor.do("postEdit", "post { version }", id=post["id"], title=f"Edit {number}")
        late = await other.do("postEdit", id=post["id"], title="Too late", expectedVersion=post["version"])
        (error,) = late["userErrors"]
        assert (error["code"], error["currentVersion"]) == ("VERSION_CONFLICT", made["post"]["version"])
    first = await a.do("postCreate", title="Taken", slug="taken")
    assert first["userErrors"] == []
    assert (await b.do("postCreate", title="Again", slug="taken"))["userErrors"][0]["code"] == "SLUG_TAKEN"
    await agree(tmp_path, a, b)


async def test_a_command_that_is_sent_to_both_nodes_at_once_is_recorded_once(
    tmp_path: Path, log_url: str
) -> None:
    """Two processes, and several requests with one key at each."""
    keys = [f"key {number}" for number in range(15)]
    async with Servers(tmp_path) as servers, AsyncExitStack() as stack:
        first = await servers.start(tmp_path / "a", "--log", log_url)
        second = await servers.start(tmp_path / "b", "--log", log_url)
        clients = [await server.connect() for server in (first, second) for _ in range(3)]
        stack.push_async_callback(close_all, clients)
        for key in keys:
            outcomes = await asyncio.gather(*(_create(client, key) for client in clients))
            assert {one.code for one in outcomes} == {None}
            assert len({one.position for one in outcomes}) == 1, outcomes
            assert len({str(one.object and one.object["id"]) for one in outcomes if one.object}) == 1
            assert Counter(one.replayed for one in outcomes) == {False: 1, True: len(clients) - 1}
        found, _ = await clients[0].execute("{ posts(first: 100) { totalCount } }")
        assert found["posts"]["totalCount"] == len(keys)
        for server in (first, second):
            assert await server.stop() == 0
            assert server.words() == ""
    assert rows_of(_views(tmp_path / "a")) == rows_of(_views(tmp_path / "b"))


async def _create(client: WireClient, key: str) -> Outcome:
    return await client.mutate("postCreate", title=f"By {key}", idempotencyKey=key)


def _views(data: Path) -> Path:
    (found,) = data.glob("views-*.sqlite")
    return found


async def test_a_token_is_good_at_every_node_and_revoked_at_every_node(tmp_path: Path, log_url: str) -> None:
    async with node(tmp_path / "a", log_url) as a, node(tmp_path / "b", log_url, tokens=True) as b:
        for _ in range(10):
            secret = new_secret(a.store.randomness)
            command = CreateToken(name="Feed", role=Role.EDITOR, secret_hash=secret_hash(secret))
            made = await a.store.commands.handle(command)
            shown = {"Authorization": f"Bearer {secret}"}
            answer = await b.as_of(made.position, VIEWER, headers=shown)
            assert answer.json() == {"data": {"viewer": {"role": "EDITOR"}}}

            revoked = await a.store.commands.handle(RevokeToken(token_id=made.subject_id))
            answer = await b.as_of(revoked.position, VIEWER, headers=shown)
            assert answer.status_code == 401, answer.text
            extensions = {"minPosition": revoked.position}
            request = {"query": VIEWER, "extensions": extensions}
            assert (await b.http.post("/graphql", json=request, headers=shown)).status_code == 401


async def test_a_token_is_asked_for_again_where_the_position_had_to_be_waited_for(
    tmp_path: Path, log_url: str
) -> None:
    """A node that is behind does not let in, at a demanded position, whom the log has shut out by then."""
    async with node(tmp_path / "a", log_url) as a, node(tmp_path / "b", log_url, tokens=True) as b:
        secrets = [new_secret(a.store.randomness) for _ in range(2)]
        old, new = (
            CreateToken(name=name, role=Role.EDITOR, secret_hash=secret_hash(secret))
            for name, secret in zip(("Old", "New"), secrets, strict=True)
        )
        made = await a.store.commands.handle(old)
        assert await b.store.views.wait_for(made.position, 20)
        async with _standing_still(b):
            revoked = await a.store.commands.handle(RevokeToken(token_id=made.subject_id))
            other = await a.store.commands.handle(new)
            asking = [
                asyncio.create_task(b.as_of(position, VIEWER, headers={"Authorization": f"Bearer {secret}"}))
                for position, secret in ((revoked.position, secrets[0]), (other.position, secrets[1]))
            ]
            await asyncio.sleep(0.2)
            assert not any(one.done() for one in asking)
        shut_out, let_in = await asyncio.gather(*asking)
        assert shut_out.status_code == 401
        assert let_in.json() == {"data": {"viewer": {"role": "EDITOR"}}}
        unknown = {"Authorization": f"Bearer {new_secret(a.store.randomness)}"}
        assert (await b.as_of(other.position, VIEWER, headers=unknown)).status_code == 401


class _standing_still:  # noqa: N801 - used as a function is
    """Holds back what a node's views would take in."""

    def __init__(self, one: Node) -> None:
        self._node = one

    async def __aenter__(self) -> None:
        self._turn = self._node.store.views._live.runner._turn
        await self._turn.acquire()

    async def __aexit__(self, *_: object) -> None:
        self._turn.release()


async def test_a_subscriber_at_one_node_sees_what_another_node_records(nodes: tuple[Node, Node]) -> None:
    a, b = nodes
    head = await b.level()
    async with served(b.store) as server, websocket(server.host, server.port) as socket:
        await socket.init()
        await socket.subscribe(CHANGES, **{"from": head})
        expected = []
        for number in range(5):
            position = (await a.do("postCreate", title=f"Number {number}"))["position"]
            told = await socket.next()
            while told["data"]["changes"]["position"] < position:
                expected.append(told["data"]["changes"])
                told = await socket.next()
            expected.append(told["data"]["changes"])
        positions = [one["position"] for one in expected]
        assert positions == sorted(set(positions))
        assert sum(one["type"] == "post.created" for one in expected) == 5


async def exchanged(one: Node) -> None:
    """Wait until a node answers from the views that have been made anew."""
    async with asyncio.timeout(20):
        while one.store.views.path != one.views:  # noqa: ASYNC110
            await asyncio.sleep(0.01)


def holding(data: Path, text: str) -> Iterator[str]:
    """The files of a node that hold `text`."""
    for file in sorted(data.iterdir()):
        if text.encode() in file.read_bytes():
            yield file.name


async def test_what_is_withdrawn_at_one_node_is_gone_from_all(
    tmp_path: Path, nodes: tuple[Node, Node], log_url: str
) -> None:
    """From the views in use, from former ones, and from what is in memory."""
    a, b = nodes
    post = await a.write("Birds of the marsh")
    edited = await a.do("postEdit", id=post["id"], body=f"{SECRET}, said a ranger.")
    await b.level()
    await rebuild(b.data, log=log_url)
    await exchanged(b)
    past = {"id": post["id"], "asOf": {"position": edited["position"]}}
    for one in (a, b):
        assert SECRET in (await one.as_of(edited["position"], BODY, **past)).text
    assert len(list(holding(b.data, SECRET))) >= 2, "the former views are kept"
    (position,) = [
        one.position
        for one in event_codec().decode_all(await a.store.log.read(0, 100))
        if SECRET in repr(one.event)
    ]
    gone = await withdraw_payload(
        a.store.log,
        event_codec(),
        a.store.clock,
        a.store.randomness,
        position,
        CommandRequest(reason="Order 7/24"),
    )
    for one in (a, b):
        await one.level()
    assert len(html_rendering_and_sections._bodies) == 0
    for one in (a, b):
        answer = await one.as_of(gone, BODY, **past)
        assert answer.json()["data"]["post"]["title"] == "Birds of the marsh"
        assert SECRET not in answer.text
        assert await one.store.views.sweep()
        async with asyncio.timeout(20):
            while list(holding(one.data, SECRET)):  # noqa: ASYNC110
                await asyncio.sleep(0.01)
    await agree(tmp_path, a, b)


async def test_a_rebuild_at_one_node_does_not_disturb_the_other(
    tmp_path: Path, nodes: tuple[Node, Node], log_url: str
) -> None:
    a, b = nodes
    for number in range(10):
        await a.write(f"Before {number}")
    await b.level()
    before, kept = a.views, b.views
    over, answered = asyncio.Event(), list[int]()

    async def read() -> None:
        while not over.is_set():
            written = await b.do("postCreate", title=f"During {len(answered)}")
            answers = [await one.as_of(written["position"], TITLES) for one in (a, b)]
            for answer in answers:
                assert f"During {len(answered)}" in titles(answer.json()), answer.text
            answered.append(int(answers[1].headers["ledgerpress-position"]))

    async def switch() -> None:
        await rebuild(a.data, log=log_url)
        await exchanged(a)
        over.set()

    async with asyncio.timeout(60), asyncio.TaskGroup() as tasks:
        tasks.create_task(read())
        tasks.create_task(switch())
    assert answered == sorted(answered)
    assert a.views != before
    assert (b.views, b.store.views.path) == (kept, kept)
    await agree(tmp_path, a, b)


async def test_a_node_that_begins_with_a_snapshot_equals_one_that_replayed(
    tmp_path: Path, nodes: tuple[Node, Node], log_url: str
) -> None:
    a, b = nodes
    post = await a.write("Before", body="x" * 2_000)
    await a.do("postPublish", id=post["id"])
    await a.level()
    file = tmp_path / "snapshot"
    await done("views", "snapshot", file, "--data", a.data)
    await b.do("postEdit", id=post["id"], title="After")
    await b.do("postPublish", id=post["id"])
    await done("views", "restore", file, "--data", tmp_path / "c", "--log", log_url)
    (restored,) = list_views(tmp_path / "c")
    assert restored.state == "in use"
    assert restored.position is not None
    assert restored.position < await a.level()
    inode = _views(tmp_path / "c").stat().st_ino
    async with node(tmp_path / "c", log_url) as c, node(tmp_path / "d", log_url) as d:
        assert c.views.stat().st_ino == inode, "it goes on with the views that it was given"
        assert c.store.position == await c.store.log.head(), "it has caught up when it is open"
        position = (await c.do("postEdit", id=post["id"], title="From the new node"))["position"]
        for one in (a, b, c, d):
            answer = await one.as_of(position, TITLES)
            assert titles(answer.json()) == {"From the new node"}
        await agree(tmp_path, a, b, c, d)
