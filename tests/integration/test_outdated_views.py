"""A server whose projectors are newer than its views serves those, and rebuilds beside them."""

import asyncio
import sys
from pathlib import Path
from typing import Final

from ledgerpress.features.posts.create_edit_categorize_commands import CreatePost
from ledgerpress.server.store import open_store
from tests.integration.program_runs import done as program_done
from tests.integration.server_process import PROGRAM, Server, Servers
from tests.property.view_rows import views_in_use

NEWER: Final = (sys.executable, "-m", "tests.integration.other_version_program", "capitals")
OTHER_TABLES: Final = (sys.executable, "-m", "tests.integration.other_version_program", "more-tables")
TEASERS: Final = ("in small letters", "in small letters too")


async def make(data: Path) -> None:
    async with open_store(data) as store:
        for number, teaser in enumerate(TEASERS):
            await store.commands.handle(CreatePost(title=f"Post {number}", teaser=teaser, publish=True))


async def teasers(server: Server) -> list[str]:
    async with await server.connect() as client:
        data, _ = await client.execute("{ recentPosts { nodes { teaser } } }")
    return [node["teaser"] for node in data["recentPosts"]["nodes"]]


async def changed(server: Server) -> None:
    """Wait until a teaser is in capitals, asking all the time: every answer is there, and right by one version or the other."""
    async with asyncio.timeout(60):
        while True:
            found = await teasers(server)
            if any(teaser.isupper() for teaser in found):
                return
            assert sorted(found) == sorted(TEASERS)
            await asyncio.sleep(0.02)


async def test_old_views_are_served_until_the_new_ones_are_made(tmp_path: Path) -> None:
    data = tmp_path / "data"
    await make(data)
    before = views_in_use(data)
    async with Servers(tmp_path) as servers:
        old = await servers.start(data, program=PROGRAM)
        server = await servers.start(data, program=NEWER)
        await changed(server)
        assert sorted(await teasers(old)) == sorted(TEASERS), "an older server goes on with its own"
        async with await server.connect() as client:
            done = (await client.mutate("postCreate", title="One more", publish=True)).done
        assert done["status"] == "PUBLISHED"
        assert views_in_use(data) == before, "the views of the older version stay"
        # What an operator goes back to is not made anew once more.
        await program_done("views", "rollback", "--data", data, change="capitals")
        await asyncio.sleep(2.5)
        assert sorted(filter(None, await teasers(server))) == sorted(TEASERS)


async def test_where_the_tables_differ_views_are_made_before_anything_is_served(tmp_path: Path) -> None:
    data = tmp_path / "data"
    await make(data)
    async with Servers(tmp_path) as servers:
        old = await servers.start(data, program=PROGRAM)
        new = await servers.start(data, program=OTHER_TABLES)
        assert any(teaser.isupper() for teaser in await teasers(new))
        assert sorted(await teasers(old)) == sorted(TEASERS), "an older server goes on with its own"
        async with await new.connect() as client:
            position = (await client.mutate("postCreate", title="By the new", publish=True)).position
        async with asyncio.timeout(10):
            while True:
                async with await old.connect() as client:
                    _, seen = await client.execute("{ site { name } }")
                if seen >= (position or 0):
                    break
                await asyncio.sleep(0.05)


async def test_views_deleted_under_a_server_are_made_anew(tmp_path: Path) -> None:
    data = tmp_path / "data"
    await make(data)
    async with Servers(tmp_path) as servers:
        server = await servers.start(data)
        gone = views_in_use(data)
        for file in data.glob("views-*"):
            file.unlink()
        async with asyncio.timeout(60):
            while not any(one.name.endswith(".sqlite") for one in data.glob("views-*.sqlite")):
                assert sorted(await teasers(server)) == sorted(TEASERS)
                await asyncio.sleep(0.05)
        async with await server.connect() as client:
            done = (await client.mutate("postCreate", title="One more", publish=True)).done
        assert done["title"] == "One more"
        await asyncio.sleep(1)
        assert views_in_use(data).parent == gone.parent
        async with await server.connect() as client:
            assert await client.get("/health/ready") == 200
