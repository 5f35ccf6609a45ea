"""A server whose projectors are newer than its views serves the old views and rebuilds in the background."""

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


async def create_posts(data: Path) -> None:
    async with open_store(data) as store:
        for number, teaser in enumerate(TEASERS):
            await store.commands.handle(CreatePost(title=f"Post {number}", teaser=teaser, publish=True))


async def teasers(server: Server) -> list[str]:
    async with await server.connect() as client:
        data, _ = await client.execute("{ recentPosts { nodes { teaser } } }")
    return [node["teaser"] for node in data["recentPosts"]["nodes"]]


async def wait_for_new_views(server: Server) -> None:
    """Query until a teaser is in capitals; every response before it must be correct for the older version."""
    async with asyncio.timeout(60):
        while True:
            current_teasers = await teasers(server)
            if any(teaser.isupper() for teaser in current_teasers):
                return
            assert sorted(current_teasers) == sorted(TEASERS)
            await asyncio.sleep(0.02)


async def test_old_views_are_served_until_the_new_views_are_built(tmp_path: Path) -> None:
    data = tmp_path / "data"
    await create_posts(data)
    before = views_in_use(data)
    async with Servers(tmp_path) as servers:
        old = await servers.start(data, program=PROGRAM)
        server = await servers.start(data, program=NEWER)
        await wait_for_new_views(server)
        assert sorted(await teasers(old)) == sorted(TEASERS), "an older server continues with its own views"
        async with await server.connect() as client:
            post = (await client.mutate("postCreate", title="One more", publish=True)).done
        assert post["status"] == "PUBLISHED"
        assert views_in_use(data) == before, "the views of the older version stay"
        # Views to which an operator rolled back are not rebuilt again.
        await program_done("views", "rollback", "--data", data, change="capitals")
        await asyncio.sleep(2.5)
        assert sorted(filter(None, await teasers(server))) == sorted(TEASERS)


async def test_views_with_other_tables_are_built_before_the_server_starts(tmp_path: Path) -> None:
    data = tmp_path / "data"
    await create_posts(data)
    async with Servers(tmp_path) as servers:
        old = await servers.start(data, program=PROGRAM)
        new = await servers.start(data, program=OTHER_TABLES)
        assert any(teaser.isupper() for teaser in await teasers(new))
        assert sorted(await teasers(old)) == sorted(TEASERS), "an older server continues with its own views"
        async with await new.connect() as client:
            position = (await client.mutate("postCreate", title="By the new", publish=True)).position
        async with asyncio.timeout(10):
            while True:
                async with await old.connect() as client:
                    _, old_position = await client.execute("{ site { name } }")
                if old_position >= (position or 0):
                    break
                await asyncio.sleep(0.05)


async def test_views_deleted_under_a_running_server_are_rebuilt(tmp_path: Path) -> None:
    data = tmp_path / "data"
    await create_posts(data)
    async with Servers(tmp_path) as servers:
        server = await servers.start(data)
        deleted = views_in_use(data)
        for file in data.glob("views-*"):
            file.unlink()
        async with asyncio.timeout(60):
            while not any(path.name.endswith(".sqlite") for path in data.glob("views-*.sqlite")):
                assert sorted(await teasers(server)) == sorted(TEASERS)
                await asyncio.sleep(0.05)
        async with await server.connect() as client:
            post = (await client.mutate("postCreate", title="One more", publish=True)).done
        assert post["title"] == "One more"
        await asyncio.sleep(1)
        assert views_in_use(data).parent == deleted.parent
        async with await server.connect() as client:
            assert await client.get("/health/ready") == 200
