"""Caching clients (Apollo Client, urql with Graphcache, Relay) that show an article as it is now and as it was."""

import asyncio
import json
from asyncio.subprocess import PIPE
from pathlib import Path

import pytest

from ledgerpress.features.posts.create_edit_categorize_commands import CreatePost, EditPost
from ledgerpress.server.store import open_store
from tests.conformance import node
from tests.integration.server_process import Servers

pytestmark = pytest.mark.usefixtures("workers")

OLD, NEW = "As it was", "As it is"


@pytest.mark.parametrize("order", ["now-first", "past-first"])
@pytest.mark.parametrize("client", ["apollo", "urql", "relay"])
async def test_a_client_cache_keeps_the_present_and_the_past_of_an_article_apart(
    tmp_path: Path, client: str, order: str
) -> None:
    packages = await asyncio.to_thread(node.packages)
    async with open_store(tmp_path / "data") as store:
        created = await store.commands.handle(CreatePost(title=OLD, slug="one", publish=True))
        await store.commands.handle(EditPost(post_id=created.subject_id, title=NEW, publish=True))
    async with Servers(tmp_path) as servers:
        server = await servers.start(tmp_path / "data", "--open-past")
        host, port = await server.address()
        arguments = (f"http://{host}:{port}/graphql", client, order, "one", str(created.position))
        process = await asyncio.create_subprocess_exec(
            node.programs() / "node", node.HERE / "client_caches.mjs", packages, *arguments,
            stdout=PIPE, stderr=PIPE, env=node.environment(),
        )  # fmt: skip
        async with asyncio.timeout(60):
            output, errors = await process.communicate()
    assert process.returncode == 0, errors.decode()
    shown = json.loads(output)
    assert {name: value["title"] for name, value in shown.items()} == {
        "now": NEW,
        "past": OLD,
        "refetched": OLD,
        "nowAfterRefetch": NEW,
    }
    assert shown["refetched"]["id"] == shown["past"]["id"] != shown["now"]["id"]
