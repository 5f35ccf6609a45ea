"""Several nodes on one log, with each engine: each node has its own views, and all views are equal."""

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
    """Two nodes on one log; the first node creates the log."""
    async with node(tmp_path / "a", log_url) as a, node(tmp_path / "b", log_url) as b:
        yield a, b


async def check_views_equal(tmp_path: Path, *nodes: Node) -> None:
    """Check that all views are equal, row for row, and equal to views rebuilt from the log."""
    for node_ in nodes:
        await node_.level()
    rows = await rebuilt(nodes[0].store.log, tmp_path / "rebuilt.sqlite", batch_size=500)
    for node_ in nodes:
        assert rows_of(node_.views) == rows


def titles(response: dict[str, Any]) -> set[str]:
    return {post["title"] for post in response["data"]["posts"]["nodes"]}


async def test_a_node_serves_what_another_node_acknowledged_at_its_position(
    tmp_path: Path, nodes: tuple[Node, Node]
) -> None:
    position = 0
    for number in range(12):
        writer, reader = nodes if number % 2 else reversed(nodes)
        position = (await writer.do("postCreate", title=f"Number {number}"))["position"]
        response = await reader.as_of(position, TITLES)
        assert response.json()["data"]["posts"]["totalCount"] == number + 1
        assert int(response.headers["ledgerpress-position"]) >= position
    response = await nodes[0].as_of(position, TITLES)
    assert titles(response.json()) == {f"Number {number}" for number in range(12)}
    rejection = await nodes[0].as_of(position + 1, TITLES)
    assert rejection.json()["errors"][0]["extensions"]["code"] == "NO_SUCH_POSITION"
    await check_views_equal(tmp_path, *nodes)


async def test_nodes_decide_from_the_log_and_not_from_their_views(
    tmp_path: Path, nodes: tuple[Node, Node]
) -> None:
    """A node whose views are behind neither overwrites the changes of another node nor repeats them."""
    a, b = nodes
    post = await a.write("Ours")
    for number in range(6):
        editor, other = (a, b) if number % 2 else (b, a)
        edited = await editor.do("postEdit", "post { version }", id=post["id"], title=f"Edit {number}")
        conflict = await other.do(
            "postEdit", id=post["id"], title="Too late", expectedVersion=post["version"]
        )
        (error,) = conflict["userErrors"]
        assert (error["code"], error["currentVersion"]) == ("VERSION_CONFLICT", edited["post"]["version"])
    first = await a.do("postCreate", title="Taken", slug="taken")
    assert first["userErrors"] == []
    assert (await b.do("postCreate", title="Again", slug="taken"))["userErrors"][0]["code"] == "SLUG_TAKEN"
    await check_views_equal(tmp_path, a, b)


async def test_a_command_sent_to_both_nodes_concurrently_is_recorded_once(
    tmp_path: Path, log_url: str
) -> None:
    """Each of two processes receives several requests with the same key."""
    keys = [f"key {number}" for number in range(15)]
    async with Servers(tmp_path) as servers, AsyncExitStack() as stack:
        first = await servers.start(tmp_path / "a", "--log", log_url)
        second = await servers.start(tmp_path / "b", "--log", log_url)
        clients = [await server.connect() for server in (first, second) for _ in range(3)]
        stack.push_async_callback(close_all, clients)
        for key in keys:
            outcomes = await asyncio.gather(*(_create(client, key) for client in clients))
            assert {outcome.code for outcome in outcomes} == {None}
            assert len({outcome.position for outcome in outcomes}) == 1, outcomes
            assert (
                len({str(outcome.object and outcome.object["id"]) for outcome in outcomes if outcome.object})
                == 1
            )
            assert Counter(outcome.replayed for outcome in outcomes) == {False: 1, True: len(clients) - 1}
        data, _ = await clients[0].execute("{ posts(first: 100) { totalCount } }")
        assert data["posts"]["totalCount"] == len(keys)
        for server in (first, second):
            assert await server.stop() == 0
            assert server.words() == ""
    assert rows_of(_views(tmp_path / "a")) == rows_of(_views(tmp_path / "b"))


async def _create(client: WireClient, key: str) -> Outcome:
    return await client.mutate("postCreate", title=f"By {key}", idempotencyKey=key)


def _views(data: Path) -> Path:
    (path,) = data.glob("views-*.sqlite")
    return path


async def test_a_token_is_valid_and_revoked_on_every_node(tmp_path: Path, log_url: str) -> None:
    async with node(tmp_path / "a", log_url) as a, node(tmp_path / "b", log_url, tokens=True) as b:
        for _ in range(10):
            secret = new_secret(a.store.randomness)
            command = CreateToken(name="Feed", role=Role.EDITOR, secret_hash=secret_hash(secret))
            created = await a.store.commands.handle(command)
            headers = {"Authorization": f"Bearer {secret}"}
            response = await b.as_of(created.position, VIEWER, headers=headers)
            assert response.json() == {"data": {"viewer": {"role": "EDITOR"}}}

            revocation = await a.store.commands.handle(RevokeToken(token_id=created.subject_id))
            response = await b.as_of(revocation.position, VIEWER, headers=headers)
            assert response.status_code == 401, response.text
            extensions = {"minPosition": revocation.position}
            request = {"query": VIEWER, "extensions": extensions}
            assert (await b.http.post("/graphql", json=request, headers=headers)).status_code == 401


async def test_a_token_is_checked_again_after_waiting_for_a_position(tmp_path: Path, log_url: str) -> None:
    """A node that is behind does not accept a token at a minimum position at which it is revoked."""
    async with node(tmp_path / "a", log_url) as a, node(tmp_path / "b", log_url, tokens=True) as b:
        secrets = [new_secret(a.store.randomness) for _ in range(2)]
        old, new = (
            CreateToken(name=name, role=Role.EDITOR, secret_hash=secret_hash(secret))
            for name, secret in zip(("Old", "New"), secrets, strict=True)
        )
        created = await a.store.commands.handle(old)
        assert await b.store.views.wait_for(created.position, 20)
        async with _paused_views(b):
            revocation = await a.store.commands.handle(RevokeToken(token_id=created.subject_id))
            other = await a.store.commands.handle(new)
            requests = [
                asyncio.create_task(b.as_of(position, VIEWER, headers={"Authorization": f"Bearer {secret}"}))
                for position, secret in ((revocation.position, secrets[0]), (other.position, secrets[1]))
            ]
            await asyncio.sleep(0.2)
            assert not any(request.done() for request in requests)
        old_response, new_response = await asyncio.gather(*requests)
        assert old_response.status_code == 401
        assert new_response.json() == {"data": {"viewer": {"role": "EDITOR"}}}
        headers = {"Authorization": f"Bearer {new_secret(a.store.randomness)}"}
        assert (await b.as_of(other.position, VIEWER, headers=headers)).status_code == 401


class _paused_views:  # noqa: N801 - used like a function
    """Pauses the updates of a node's views."""

    def __init__(self, node: Node) -> None:
        self._node = node

    async def __aenter__(self) -> None:
        self._turn = self._node.store.views._live.runner._turn
        await self._turn.acquire()

    async def __aexit__(self, *_: object) -> None:
        self._turn.release()


async def test_a_subscriber_on_one_node_receives_events_of_another_node(nodes: tuple[Node, Node]) -> None:
    a, b = nodes
    head = await b.level()
    async with served(b.store) as server, websocket(server.host, server.port) as socket:
        await socket.init()
        await socket.subscribe(CHANGES, **{"from": head})
        expected = []
        for number in range(5):
            position = (await a.do("postCreate", title=f"Number {number}"))["position"]
            message = await socket.next()
            while message["data"]["changes"]["position"] < position:
                expected.append(message["data"]["changes"])
                message = await socket.next()
            expected.append(message["data"]["changes"])
        positions = [change["position"] for change in expected]
        assert positions == sorted(set(positions))
        assert sum(change["type"] == "post.created" for change in expected) == 5


async def wait_for_rebuilt_views(node: Node) -> None:
    """Wait until a node answers from the rebuilt views."""
    async with asyncio.timeout(20):
        while node.store.views.path != node.views:  # noqa: ASYNC110
            await asyncio.sleep(0.01)


def files_containing(data: Path, text: str) -> Iterator[str]:
    """Yield the names of a node's files that contain `text`."""
    for file in sorted(data.iterdir()):
        if text.encode() in file.read_bytes():
            yield file.name


async def test_a_payload_withdrawn_on_one_node_is_erased_on_all_nodes(
    tmp_path: Path, nodes: tuple[Node, Node], log_url: str
) -> None:
    """The payload is erased from the views in use, from former views and from memory."""
    a, b = nodes
    post = await a.write("Birds of the marsh")
    edited = await a.do("postEdit", id=post["id"], body=f"{SECRET}, said a ranger.")
    await b.level()
    await rebuild(b.data, log=log_url)
    await wait_for_rebuilt_views(b)
    past = {"id": post["id"], "asOf": {"position": edited["position"]}}
    for reader in (a, b):
        assert SECRET in (await reader.as_of(edited["position"], BODY, **past)).text
    assert len(list(files_containing(b.data, SECRET))) >= 2, "the former views still exist"
    (position,) = [
        recorded.position
        for recorded in event_codec().decode_all(await a.store.log.read(0, 100))
        if SECRET in repr(recorded.event)
    ]
    withdrawal = await withdraw_payload(
        a.store.log,
        event_codec(),
        a.store.clock,
        a.store.randomness,
        position,
        CommandRequest(reason="Order 7/24"),
    )
    for reader in (a, b):
        await reader.level()
    assert len(html_rendering_and_sections._bodies) == 0
    for reader in (a, b):
        response = await reader.as_of(withdrawal, BODY, **past)
        assert response.json()["data"]["post"]["title"] == "Birds of the marsh"
        assert SECRET not in response.text
        assert await reader.store.views.sweep()
        async with asyncio.timeout(20):
            while list(files_containing(reader.data, SECRET)):  # noqa: ASYNC110
                await asyncio.sleep(0.01)
    await check_views_equal(tmp_path, a, b)


async def test_a_rebuild_on_one_node_does_not_disturb_the_other(
    tmp_path: Path, nodes: tuple[Node, Node], log_url: str
) -> None:
    a, b = nodes
    for number in range(10):
        await a.write(f"Before {number}")
    await b.level()
    before, current = a.views, b.views
    switched, positions = asyncio.Event(), list[int]()

    async def read() -> None:
        while not switched.is_set():
            written = await b.do("postCreate", title=f"During {len(positions)}")
            responses = [await reader.as_of(written["position"], TITLES) for reader in (a, b)]
            for response in responses:
                assert f"During {len(positions)}" in titles(response.json()), response.text
            positions.append(int(responses[1].headers["ledgerpress-position"]))

    async def switch() -> None:
        await rebuild(a.data, log=log_url)
        await wait_for_rebuilt_views(a)
        switched.set()

    async with asyncio.timeout(60), asyncio.TaskGroup() as tasks:
        tasks.create_task(read())
        tasks.create_task(switch())
    assert positions == sorted(positions)
    assert a.views != before
    assert (b.views, b.store.views.path) == (current, current)
    await check_views_equal(tmp_path, a, b)


async def test_a_node_that_starts_from_a_views_copy_equals_one_that_replayed(
    tmp_path: Path, nodes: tuple[Node, Node], log_url: str
) -> None:
    a, b = nodes
    post = await a.write("Before", body="x" * 2_000)
    await a.do("postPublish", id=post["id"])
    await a.level()
    views_copy = tmp_path / "snapshot"
    await done("views", "snapshot", views_copy, "--data", a.data)
    await b.do("postEdit", id=post["id"], title="After")
    await b.do("postPublish", id=post["id"])
    await done("views", "restore", views_copy, "--data", tmp_path / "c", "--log", log_url)
    (views_file,) = list_views(tmp_path / "c")
    assert views_file.state == "in use"
    assert views_file.position is not None
    assert views_file.position < await a.level()
    inode = _views(tmp_path / "c").stat().st_ino
    async with node(tmp_path / "c", log_url) as c, node(tmp_path / "d", log_url) as d:
        assert c.views.stat().st_ino == inode, "it continues with the restored views"
        assert c.store.position == await c.store.log.head(), "it has caught up before it opens"
        position = (await c.do("postEdit", id=post["id"], title="From the new node"))["position"]
        for reader in (a, b, c, d):
            response = await reader.as_of(position, TITLES)
            assert titles(response.json()) == {"From the new node"}
        await check_views_equal(tmp_path, a, b, c, d)
