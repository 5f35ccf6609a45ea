"""Misuse of the library raises an error that names the mistake, and changes nothing."""

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest

from ledgerpress import CreatePost, OpenStore, Role, open_store
from ledgerpress.features.actors.model import RESERVED

HOOKS = """
import sys, threading
def hook(*_): pass
sys.excepthook = threading.excepthook = hook
import asyncio, ledgerpress
from pathlib import Path

async def main():
    async with ledgerpress.open_store(Path(sys.argv[1]), features=[]) as store:
        await store.graphql("{ site { name } }")

ledgerpress.create_app
asyncio.run(main())
print(sys.excepthook is hook, threading.excepthook is hook)
"""


async def test_a_command_from_another_thread_raises_and_records_nothing(tmp_path: Path) -> None:
    async with open_store(tmp_path, features=[]) as store:
        head = await store.head()

        def publish() -> None:
            asyncio.run(write(store))

        with pytest.raises(RuntimeError, match="run_coroutine_threadsafe"):
            await asyncio.to_thread(publish)
        assert await store.head() == head

        loop = asyncio.get_running_loop()
        await asyncio.to_thread(lambda: asyncio.run_coroutine_threadsafe(write(store), loop).result(60))
        assert await store.head() > head


async def write(store: OpenStore) -> None:
    await store.execute(CreatePost(title="Tide"))


async def test_no_client_can_act_as_a_built_in_actor(tmp_path: Path) -> None:
    async with open_store(tmp_path, features=[]) as store:
        for actor in RESERVED:
            with pytest.raises(ValueError, match="a built-in actor of LedgerPress"):
                store.identity(Role.EDITOR, actor.id, name="Mallory")
        with pytest.raises(TypeError, match="is not a Role"):
            store.identity("editor", "5f0c3b1e-0000-4000-8000-000000000000")  # type: ignore[arg-type]


async def test_iterators_end_when_the_store_closes(tmp_path: Path) -> None:
    async with open_store(tmp_path, features=[]) as store:
        await store.execute(CreatePost(title="Tide"))
        with pytest.raises(ValueError, match="not a position"):
            store.events(after=-1)
        events = store.events()
        assert (await anext(events)).position == 1
        subscription = store.subscribe("subscription { recentPosts(first: 1) { totalCount } }")
    with pytest.raises(Exception, match="The store is closed"):
        await anext(events)
    assert [result async for result in subscription] == []


def test_the_exception_hooks_of_the_process_do_not_change(tmp_path: Path) -> None:
    process = subprocess.run(
        [sys.executable, "-c", HOOKS, tmp_path], check=True, capture_output=True, text=True
    )
    assert process.stdout == "True True\n"
