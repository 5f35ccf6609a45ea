"""Reads of a snapshot are remembered until any process changes the views, and never longer."""

import asyncio
import gc
import sqlite3
import tempfile
import tracemalloc
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractContextManager, closing
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledgerpress.commands.command_request_and_context import CommandRequest
from ledgerpress.features.categories import queries as category_queries
from ledgerpress.features.categories.commands import CreateCategory
from ledgerpress.features.categories.model import CategoryRef
from ledgerpress.features.posts import article_queries, post_queries
from ledgerpress.features.posts.create_edit_categorize_commands import CreatePost, EditPost
from ledgerpress.features.posts.listings_projection import EVERY_ARTICLE
from ledgerpress.features.posts.schema.types import Body
from ledgerpress.features.registry import all_projectors, event_codec
from ledgerpress.operator.withdraw import withdraw_payload
from ledgerpress.server.store import Store, open_store
from ledgerpress.views.files.views_file_connections import ViewsFile
from ledgerpress.views.paging import PageRequest, page_of
from ledgerpress.views.snapshot_and_cache_dependencies import (
    CacheDependencies,
    RememberedReads,
    Snapshot,
    Topic,
)
from tests.fixed_sources import SeededBytes

TOPIC = Topic("article", "birds")


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    async with open_store(tmp_path / "data") as store:
        await store.commands.handle(CreatePost(title="Birds", publish=True))
        yield store


class Titles:
    """A read of the title of the only article, which counts how often it reads the file."""

    def __init__(self) -> None:
        self.reads = 0

    def __call__(self, snapshot: Snapshot) -> str:
        def read(snapshot: Snapshot) -> str:
            self.reads += 1
            rows = snapshot.about(TOPIC).execute("SELECT title FROM content ORDER BY position DESC LIMIT 1")
            return str(rows.fetchone()[0])

        return snapshot.once("title", read)


async def rename(store: Store, title: str) -> None:
    with store.snapshot() as snapshot:
        article = article_queries.by_slug(snapshot, "birds")
    assert article is not None
    await store.commands.handle(EditPost(post_id=article.id, title=title, publish=True))
    await store.views.wait_for(await store.log.head(), 10)


async def test_a_read_is_repeated_only_after_the_views_changed(tmp_path: Path) -> None:
    reads = 0

    def count(snapshot: Snapshot) -> int:
        nonlocal reads
        reads += 1
        return int(snapshot.about().execute("SELECT count(*) FROM author").fetchone()[0])

    views = await ViewsFile.open(tmp_path / "views.sqlite", all_projectors())
    try:
        for changes in range(3):
            for _ in range(3):
                with views.snapshot() as snapshot:
                    assert snapshot.once("authors", count) == changes
            assert reads == changes + 1
            await views.write(lambda db: db.execute("INSERT INTO author (id) VALUES (hex(randomblob(8)))"))
    finally:
        await views.aclose()


async def test_a_command_is_seen_by_the_next_read(store: Store) -> None:
    title = Titles()
    for name in ("Herons", "Terns", "Gulls"):
        await rename(store, name)
        for _ in range(2):
            with store.snapshot() as snapshot:
                assert title(snapshot) == name


async def test_a_change_by_another_process_is_noticed_at_once(store: Store) -> None:
    title = Titles()
    with store.snapshot() as snapshot:
        assert title(snapshot) == "Birds"
    with closing(sqlite3.connect(store.views.path, isolation_level=None)) as other:
        other.execute("UPDATE content SET title = 'Terns'")
        with store.snapshot() as snapshot:
            assert title(snapshot) == "Terns"
        other.execute("UPDATE content SET title = 'Gulls'")
        with store.snapshot() as snapshot:
            assert title(snapshot) == "Gulls"


async def test_an_open_snapshot_shows_its_own_state_and_leaves_it_to_no_other(store: Store) -> None:
    title = Titles()
    with (
        store.snapshot() as before,
        closing(sqlite3.connect(store.views.path, isolation_level=None)) as other,
    ):
        other.execute("UPDATE content SET title = 'Terns'")
        with store.snapshot() as after:
            assert title(before) == "Birds"
            assert title(after) == "Terns"
            assert title(before) == "Birds"
        with store.snapshot() as later:
            assert title(later) == "Terns"


async def test_a_remembered_read_still_records_its_dependencies(store: Store) -> None:
    title = Titles()
    with store.snapshot() as snapshot:
        title(snapshot)
        reads = CacheDependencies()
        title(replace(snapshot, reads=reads))
        assert reads.topics == {TOPIC}
        assert not reads.everything
    assert title.reads == 1


async def test_reads_of_the_past_and_with_a_filter_are_not_remembered(store: Store) -> None:
    class Everything:
        def among(self, items: object) -> set[int]:
            raise NotImplementedError

        def count_hidden(self, ks: object, position: int) -> int:
            raise NotImplementedError

    title = Titles()
    with store.snapshot() as snapshot:
        for _ in range(2):
            title(snapshot.at(snapshot.position - 1))
            title(replace(snapshot, only=Everything()))
    assert title.reads == 4


STEPS: Final = (
    "open",
    "open",
    "close",
    "read",
    "read",
    "read",
    "write",
    "other process",
    "row",
    "forget",
    "fail",
    "end",
)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from(STEPS), max_size=80), st.integers(0, 2**32))
def test_every_snapshot_shows_its_own_state_in_any_order_of_reads_and_changes(
    steps: list[str], seed: int
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(interleave(Path(folder) / "views.sqlite", steps, Random(seed)))


async def interleave(path: Path, steps: Sequence[str], chance: Random) -> None:
    """Take the steps, with several snapshots at a time, and compare each read with one that remembers nothing."""
    views = await ViewsFile.open(path, all_projectors())
    try:
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            snapshots = Snapshots(views, chance)
            for step in steps:
                match step:
                    case "write":
                        await views.write(lambda db: db.execute(_ADD_AUTHOR), is_brief=chance.random() < 0.5)
                    case "other process":
                        other.execute(_ADD_AUTHOR)
                    case "row":
                        views.latest_row(_AUTHORS, ())
                    case "forget":
                        views.forget()
                    case _:
                        snapshots.take(step)
            snapshots.close()
            with views.snapshot() as last:
                assert last.once("authors", count_authors) == other.execute(_AUTHORS).fetchone()[0]
    finally:
        await views.aclose()


class Snapshots:
    """The snapshots that are open at the same time."""

    def __init__(self, views: ViewsFile, chance: Random) -> None:
        self._views = views
        self._chance = chance
        self._opened: list[tuple[AbstractContextManager[Snapshot], Snapshot]] = []

    def take(self, step: str) -> None:
        """Open, close or end snapshots, or read from one."""
        if step == "open":
            manager = self._views.snapshot()
            self._opened.append((manager, manager.__enter__()))
        elif step == "end" and self._chance.random() < 0.2:
            self._views.end_reads_older_than(0)
        elif self._opened:
            number = self._chance.randrange(len(self._opened))
            if step == "close":
                self._opened.pop(number)[0].__exit__(None, None, None)
            elif step == "fail":
                with pytest.raises(ValueError, match="unreadable"):
                    self._opened[number][1].once(("failing", self._chance.random()), _fail)
            else:
                _compare(self._opened[number][1])

    def close(self) -> None:
        """Read from all snapshots, and close them."""
        for _, snapshot in self._opened:
            _compare(snapshot)
        for manager, _ in self._opened:
            manager.__exit__(None, None, None)


def _compare(snapshot: Snapshot) -> None:
    for name in ("authors", "authors again"):
        try:
            expected = count_authors(snapshot)
        except sqlite3.ProgrammingError:  # the read was ended
            return
        assert snapshot.once(name, count_authors) == expected


def _fail(_: Snapshot) -> int:
    raise ValueError("unreadable")


_ADD_AUTHOR: Final = "INSERT INTO author (id) VALUES (hex(randomblob(8)))"
_AUTHORS: Final = "SELECT count(*) FROM author"


def count_authors(snapshot: Snapshot) -> int:
    return int(snapshot.connection.execute(_AUTHORS).fetchone()[0])


async def test_a_result_is_not_remembered_if_the_read_fails(store: Store) -> None:
    def fail(_: Snapshot) -> str:
        raise ValueError("unreadable")

    with store.snapshot() as snapshot:
        with pytest.raises(ValueError, match="unreadable"):
            snapshot.once("title", fail)
        assert Titles()(snapshot) == "Birds"


async def test_nothing_is_kept_of_a_state_that_has_passed(store: Store) -> None:
    title = Titles()
    with store.snapshot() as former:
        assert title(former) == "Birds"
    await rename(store, "Terns")
    with store.snapshot() as snapshot:
        assert title(snapshot) == "Terns"
        assert former.remembered is not None
        assert len(former.remembered) == 0, "also if something refers to a former snapshot"
        assert snapshot.remembered is not None
        assert len(snapshot.remembered) == 1


def remembered_reads() -> int:
    """Return the number of reads that are remembered in the memory of this process."""
    return sum(len(each) for each in gc.get_objects() if isinstance(each, RememberedReads))


async def withdraw(store: Store) -> int:
    """Withdraw the text of the only post; return the position of the withdrawal."""
    events = await store.log.read(0, 100)
    created = next(event.position for event in events if event.header.type == "post.created")
    return await withdraw_payload(
        store.log, event_codec(), store.clock, SeededBytes("1"), created, CommandRequest(reason="by law")
    )


async def test_a_withdrawal_leaves_nothing_in_memory(store: Store) -> None:
    with store.snapshot() as snapshot:
        article_queries.by_slug(snapshot, "birds")
    assert remembered_reads()
    assert await store.views.wait_for(await withdraw(store), 10)
    assert remembered_reads() == 0, "it is forgotten before the next request"


async def test_a_withdrawal_by_another_process_leaves_nothing_in_memory(store: Store, tmp_path: Path) -> None:
    async with open_store(tmp_path / "data") as other:
        with other.snapshot() as snapshot:
            article_queries.by_slug(snapshot, "birds")
            at = await withdraw(store)
            article_queries.by_id(snapshot, "another")
        assert await store.views.wait_for(at, 10)
        assert await other.views.wait_for(at, 10)
        assert remembered_reads() == 0, "it is forgotten before the next request"
        with other.snapshot() as after:
            article = article_queries.by_slug(after, "birds")
            assert article is None or article.title != "Birds"


async def test_the_counted_memory_is_about_the_memory_that_is_used(store: Store) -> None:
    await store.commands.handle(CreateCategory(name="Nature", slug="nature"))
    for number in range(100):
        await store.commands.handle(
            CreatePost(
                title=f"Bird {number} " + "é" * 200,
                teaser="t" * 900,
                body="# Heading\n\n" + "ö word " * 300,
                categories=(CategoryRef(slug="nature"),),
                publish=True,
            )
        )
    assert await store.views.wait_for(await store.log.head(), 10)

    def seqs(snapshot: Snapshot, first: int = 100) -> list[int]:
        return [key.post for key in page_of(snapshot, [EVERY_ARTICLE], PageRequest(first)).entries]

    def body(snapshot: Snapshot, number: int) -> None:
        article = article_queries.by_seq(snapshot, seqs(snapshot)[number])
        assert article is not None
        _ = Body(snapshot=snapshot, position=article.body)._rendered

    reads: dict[str, Callable[[Snapshot, int], object]] = {
        "unknown slugs of any length": lambda at, number: article_queries.by_slug(
            at, f"{number}" + "x" * 100_000
        ),
        "unknown slugs of categories": lambda at, number: category_queries.by_slug(
            at, f"{number}" + "ж" * 50_000
        ),
        "ids of any length": lambda at, number: article_queries.by_id(at, f"{number}" + "x" * 100_000),
        "articles": lambda at, number: article_queries.by_seq(at, seqs(at)[number]),
        "lists of articles": lambda at, number: article_queries.by_seqs(at, seqs(at, 100 - number)),
        "pages": lambda at, number: seqs(at, 100 - number),
        "categories of articles": lambda at, number: post_queries.categories_of_each(
            at, seqs(at, 100 - number)
        ),
        "bodies": body,
    }
    for name, read in reads.items():
        await rename(store, name)  # everything is read again
        with store.snapshot() as snapshot:
            read(snapshot, 0)
            remembered = snapshot.remembered
            assert remembered is not None
            gc.collect()
            counted = remembered.bytes
            tracemalloc.start()
            try:
                for number in range(1, 60):
                    read(snapshot, number)
                gc.collect()
                allocated = tracemalloc.get_traced_memory()[0]
            finally:
                tracemalloc.stop()
            assert allocated < 1.5 * (remembered.bytes - counted) + 20_000, name


def test_memory_is_bounded() -> None:
    remembered = RememberedReads(1, max_bytes=10_000)
    for number in range(1_000):
        remembered.put(number, "text", CacheDependencies(), size=900)
        assert remembered.get(number) is not None
        assert len(remembered) <= 11
    remembered.put("large", "text", CacheDependencies(), size=20_000)
    assert remembered.get("large") is None
