"""The response cache: lifetime of entries, sharing between users, and invalidation by events."""

import asyncio
from collections.abc import AsyncIterator, Awaitable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from graphql import ExecutionResult

from ledgerpress.commands.client_identity import ANONYMOUS, LOCAL_OPERATOR, Identity
from ledgerpress.commands.roles_and_permissions import Role
from ledgerpress.features.categories.model import CategoryRef
from ledgerpress.features.posts.create_edit_categorize_commands import CategorizePost, CreatePost, EditPost
from ledgerpress.features.posts.lifecycle_commands import PublishPost, UnpublishPost
from ledgerpress.features.registry import graphql_schema
from ledgerpress.graphql.cached_executor import CachedExecutor
from ledgerpress.graphql.context import Context
from ledgerpress.graphql.executor import Executor
from ledgerpress.graphql.limits.settings import CacheSettings
from ledgerpress.graphql.relay import global_ids
from ledgerpress.graphql.results import EncodedResult
from ledgerpress.server.store import Store, open_store
from tests.cached_documents import execute_cached
from tests.fixed_sources import StandingClock
from tests.identities import identity
from tests.integration.graphql_client import Client
from tests.integration.test_withdraw import run_in_thread
from tests.property.store_session import Session

pytestmark = pytest.mark.usefixtures("workers")

ARTICLE = "query ($id: ID!) { article(id: $id) { title body { html } categories { name } authors { name } } }"
FRONT = "query ($first: Int) { articles(first: $first) { nodes { title age } } }"


@dataclass
class CachingClient:
    """A client of a store with articles in two categories, whose responses are cached."""

    store: Store
    clock: StandingClock
    executor: CachedExecutor
    articles: list[str]
    identity: Identity = ANONYMOUS

    async def ask(self, query: str, **variables: Any) -> EncodedResult:
        return await execute_cached(
            self.executor, self.store, query, variables=variables, identity=self.identity
        )

    async def executes(self, query: str, **variables: Any) -> bool:
        """Send a query, and return whether it was executed rather than served from the cache."""
        before = self.executor.counts.executed
        await self.ask(query, **variables)
        return self.executor.counts.executed > before

    async def executed_articles(self) -> set[int]:
        """Query every article, and return the numbers of the articles that were not served from the cache."""
        return {
            number
            for number, post_id in enumerate(self.articles)
            if await self.executes(ARTICLE, id=global_ids.encode("Article", post_id))
        }


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[CachingClient]:
    clock = StandingClock()
    async with Session(tmp_path / "data", clock=clock) as session:
        await session.begin()
        handle, articles = session.store.commands.handle, []
        for number in range(12):
            category = CategoryRef(slug="town" if number % 2 else "sport")
            post = CreatePost(title=f"Tide {number}", body="Low.", publish=True, categories=(category,))
            articles.append((await handle(post)).subject_id)
        yield CachingClient(session.store, clock, CachedExecutor(Executor(graphql_schema())), articles)


async def test_a_change_to_one_article_leaves_cached_responses_about_others(client: CachingClient) -> None:
    handle = client.store.commands.handle
    assert await client.executed_articles() == set(range(12))
    assert await client.executed_articles() == set()
    category = "query ($slug: String!) { category(slug: $slug) { name articleCount articles(first: 2) { nodes { title } } } }"
    for slug in ("town", "sport", "news"):
        await client.ask(category, slug=slug)

    await handle(EditPost(post_id=client.articles[3], title="Flood"))
    assert await client.executed_articles() == set(), (
        "an edit is not visible to readers before it is published"
    )
    await handle(PublishPost(post_id=client.articles[3]))
    assert await client.executed_articles() == {3}
    assert not any([await client.executes(category, slug=slug) for slug in ("town", "sport", "news")])

    await handle(UnpublishPost(post_id=client.articles[3]))
    assert await client.executed_articles() == {3}
    assert [await client.executes(category, slug=slug) for slug in ("town", "sport", "news")] == [
        True,
        False,
        True,
    ]
    await handle(CategorizePost(post_id=client.articles[4], category=CategoryRef(slug="town")))
    assert await client.executed_articles() == {4}
    await handle(CreatePost(title="A draft", categories=(CategoryRef(slug="town"),)))
    assert await client.executed_articles() == set()
    assert not await client.executes(category, slug="sport")


async def test_cache_hits_and_misses_do_not_reveal_drafts(client: CachingClient) -> None:
    article = "query ($slug: String!) { article(slug: $slug) { title } }"
    post = "query ($slug: String!) { post(slug: $slug) { title } posts { totalCount } }"
    await client.ask(article, slug="secret")
    await client.ask(post, slug="secret")
    is_executed = await client.executes(post, slug="secret")
    draft = await client.store.commands.handle(CreatePost(title="Secret", slug="secret"))
    assert not await client.executes(article, slug="secret")
    await client.store.commands.handle(EditPost(post_id=draft.subject_id, slug="most-secret"))
    assert not await client.executes(article, slug="secret")
    assert await client.executes(post, slug="secret") == is_executed
    assert await client.executes(post, slug="secret") == is_executed
    await client.store.commands.handle(PublishPost(post_id=draft.subject_id))
    assert not await client.executes(article, slug="secret"), "another slug was published"


@pytest.mark.parametrize(
    ("user", "is_cached"),
    [
        (identity(Role.AUTHOR, "a"), False),
        (identity(Role.EDITOR, "a"), True),
        (identity(Role.EDITOR, "a", scopes=frozenset({"posts:read-own", "history:read"})), False),
        (LOCAL_OPERATOR, True),
    ],
)
async def test_responses_about_drafts_are_cached_only_for_users_who_see_all_drafts(
    client: CachingClient, user: Identity, is_cached: bool
) -> None:
    client.identity, post = user, '{ post(slug: "secret") { title } }'
    assert await client.executes(post)
    assert await client.executes(post) is not is_cached


async def test_a_cache_hit_reports_the_current_position(client: CachingClient) -> None:
    article = global_ids.encode("Article", client.articles[0])
    first = await client.ask(ARTICLE, id=article)
    edited_at = (
        await client.store.commands.handle(EditPost(post_id=client.articles[1], title="Flood"))
    ).position
    again = await client.ask(ARTICLE, id=article)
    assert client.executor.counts.hits == 1
    assert (again.body, again.etag) == (first.body, first.etag)
    assert first.position < again.position == edited_at


async def test_an_age_is_cached_until_the_microsecond_at_which_it_changes(client: CachingClient) -> None:
    young = await client.ask(FRONT, first=1)
    assert young.expires_at == client.clock.time + 60_000_000
    client.clock.time += 59_999_999
    assert not await client.executes(FRONT, first=1)
    client.clock.time += 1
    older = await client.ask(FRONT, first=1)
    assert b"just now" in young.body
    assert b"1 minute ago" in older.body
    client.clock.time -= 1
    assert (await client.ask(FRONT, first=1)).body == young.body, "the clock was set back"


async def test_the_order_of_variables_does_not_matter_and_null_differs_from_absent(
    client: CachingClient,
) -> None:
    query = "query ($a: Int, $b: Int = 3) { x: articles(first: $a) { totalCount } y: articles(first: $b) { totalCount } }"
    assert await client.executes(query, a=1, b=2)
    assert not await client.executes(query, b=2, a=1)
    assert await client.executes(query, a=1, b=None)
    assert await client.executes(query, a=1)
    assert await client.executes(query, a=1, b=1.0)


async def test_only_users_with_the_same_permissions_share_a_response(client: CachingClient) -> None:
    query = "{ articles { totalCount } }"
    for user, hits in ((ANONYMOUS, 0), (ANONYMOUS, 1), (LOCAL_OPERATOR, 1), (LOCAL_OPERATOR, 2)):
        await execute_cached(client.executor, client.store, query, identity=user)
        assert client.executor.counts.hits == hits
    await execute_cached(client.executor, client.store, query, identity=ANONYMOUS, open_past=True)
    assert client.executor.counts.hits == 2


@pytest.mark.parametrize(
    "query",
    [
        "{ projections { name } }",
        'mutation { siteName(input: { name: "Tide" }) { position } }',
        "{ articles { nodes { nothing } } }",
        "{ articles",
        "query ($n: Int!) { articles(first: $n) { totalCount } }",
    ],
)
async def test_responses_that_depend_on_more_than_events_are_not_cached(
    client: CachingClient, query: str
) -> None:
    client.identity = LOCAL_OPERATOR
    for _ in range(3):
        assert await client.executes(query)


async def test_a_response_with_an_internal_error_is_not_cached(
    client: CachingClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("out of order")

    with monkeypatch.context() as broken:
        broken.setattr("ledgerpress.features.posts.schema.types.render", fail)
        response = await client.ask(ARTICLE, id=global_ids.encode("Article", client.articles[0]))
        assert b'"errors"' in response.body
    response = await client.ask(ARTICLE, id=global_ids.encode("Article", client.articles[0]))
    assert b"Low." in response.body


async def test_memory_is_bounded_and_the_most_recently_used_response_stays(client: CachingClient) -> None:
    client.executor = CachedExecutor(Executor(graphql_schema()), CacheSettings(max_bytes=20_000))
    for number in range(200):
        await client.ask(FRONT + " " * number, first=5)
        assert client.executor.bytes <= 20_000
    assert not await client.executes(FRONT + " " * 199, first=5)
    assert await client.executes(FRONT, first=5)
    uncached = CachedExecutor(Executor(graphql_schema()), CacheSettings(max_bytes=0))
    for _ in range(2):
        await execute_cached(uncached, client.store, FRONT, variables={"first": 1})
    assert (uncached.counts.hits, uncached.counts.executed) == (0, 2)


class PausedExecutor(Executor):
    """An executor that returns results only after the test has set `go`."""

    def __init__(self) -> None:
        super().__init__(graphql_schema())
        self.go = asyncio.Event()
        self.ended = 0

    def _run(self, *args: Any, **options: Any) -> Awaitable[ExecutionResult]:
        result = super()._run(*args, **options)
        assert isinstance(result, ExecutionResult)
        return self._paused(result)

    async def _paused(self, result: ExecutionResult) -> ExecutionResult:
        try:
            await self.go.wait()
            return result
        finally:
            self.ended += 1


async def start_queries(
    client: CachingClient, count: int, query: str = FRONT
) -> list[asyncio.Task[EncodedResult]]:
    tasks = [asyncio.create_task(client.ask(query, first=3)) for _ in range(count)]
    await asyncio.sleep(0.01)
    return tasks


async def test_simultaneous_equal_queries_share_one_execution(client: CachingClient) -> None:
    paused = PausedExecutor()
    client.executor = CachedExecutor(paused)
    tasks = await start_queries(client, 50)
    paused.go.set()
    assert len({response.body for response in await asyncio.gather(*tasks)}) == 1
    assert client.executor.counts.executed == 1


async def test_a_shared_execution_is_cancelled_only_when_its_last_client_leaves(
    client: CachingClient,
) -> None:
    paused = PausedExecutor()
    client.executor = CachedExecutor(paused)
    first, *others = await start_queries(client, 3)
    first.cancel()
    await asyncio.sleep(0.01)
    paused.go.set()
    assert len(await asyncio.gather(*others)) == 2
    assert client.executor.counts.executed == paused.ended == 1

    paused.go.clear()
    tasks = await start_queries(client, 2, query=FRONT + " ")
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
    await asyncio.sleep(0.01)
    assert paused.ended == 2
    paused.go.set()
    assert (await client.ask(FRONT + " ", first=3)).executed


async def test_an_execution_that_is_cancelled_before_its_task_begins_releases_its_snapshot(
    client: CachingClient,
) -> None:
    client.executor = CachedExecutor(PausedExecutor())
    closed = 0
    release = Context.close

    def close(context: Context) -> None:
        nonlocal closed
        closed += context._opened is not None
        release(context)

    with patch.object(Context, "close", close):
        query = asyncio.create_task(client.ask(FRONT, first=3))
        await asyncio.sleep(0)  # the query has begun, and the task of its execution has not
        (task,) = [task for task in asyncio.all_tasks() if task.get_name() == "answer"]
        task.cancel()  # as when the event loop ends
        await asyncio.wait([query])
        await asyncio.sleep(0.01)
    assert closed == 1


async def test_a_query_after_an_event_does_not_share_an_execution_from_before_it(
    client: CachingClient,
) -> None:
    paused = PausedExecutor()
    client.executor = CachedExecutor(paused)
    before = await start_queries(client, 1)
    post_id = client.articles[-1]
    await client.store.commands.handle(EditPost(post_id=post_id, title="Flood", publish=True))
    after = await start_queries(client, 5)
    paused.go.set()
    assert b"Flood" not in (await before[0]).body
    assert all(b"Flood" in response.body for response in await asyncio.gather(*after))
    assert b"Flood" in (await client.ask(FRONT, first=3)).body


async def test_withdrawn_text_is_not_served_again_and_leaves_memory(
    tmp_path: Path,
) -> None:
    async with open_store(tmp_path / "data") as store:
        executor = CachedExecutor(Executor(graphql_schema()))
        secret = "a nest in the ninth willow"
        post = await store.commands.handle(CreatePost(title="Birds", body=secret, publish=True))
        request: dict[str, Any] = {
            "query": ARTICLE,
            "variables": {"id": global_ids.encode("Article", post.subject_id)},
        }
        assert secret.encode() in (await execute_cached(executor, store, **request)).body
        positions = [
            event.position for event in await store.log.read(0, 100) if event.header.type == "post.created"
        ]
        result = await run_in_thread(
            "withdraw", str(positions[0]), "--yes", "--reason", "asked for", "--data", tmp_path / "data"
        )
        assert result.exit_code == 0, result.stderr
        assert await store.views.wait_for(await store.log.head(), 10)
        assert executor.bytes == 0, "the cache is empty before the next request"
        assert secret.encode() not in (await execute_cached(executor, store, **request)).body


async def test_a_repeated_query_gets_the_same_http_response_until_the_result_changes(api: Client) -> None:
    await api.write("Tide", publish=True)
    query = "{ articles { nodes { title } } }"
    first = await api.post(query)
    again = await api.post(query)
    assert (first.content, first.headers) == (again.content, again.headers)
    await api.write("Flood", publish=True)
    changed = await api.post(query)
    assert b"Flood" in changed.content
    assert int(changed.headers["LedgerPress-Position"]) > int(again.headers["LedgerPress-Position"])
