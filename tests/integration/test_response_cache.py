"""Answers that are kept: for how long, for whom, and what an event takes away."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ledgerpress.commands.client_identity import ANONYMOUS, LOCAL_OPERATOR, Identity
from ledgerpress.commands.roles_and_permissions import Role
from ledgerpress.features.categories.model import CategoryRef
from ledgerpress.features.posts.create_edit_categorize_commands import CategorizePost, CreatePost, EditPost
from ledgerpress.features.posts.lifecycle_commands import PublishPost, UnpublishPost
from ledgerpress.features.registry import graphql_schema
from ledgerpress.graphql.cached_executor import CachedExecutor, CacheSettings
from ledgerpress.graphql.executor import Executor
from ledgerpress.graphql.relay import global_ids
from ledgerpress.graphql.results import EncodedResult, ResponseMap, Result
from ledgerpress.server.store import Store, open_store
from tests.cached_documents import execute_cached
from tests.fixed_sources import StandingClock
from tests.identities import identity
from tests.integration.graphql_client import Client
from tests.integration.test_withdraw import run_beside
from tests.property.store_session import Session

ARTICLE = "query ($id: ID!) { article(id: $id) { title body { html } categories { name } authors { name } } }"
FRONT = "query ($first: Int) { articles(first: $first) { nodes { title age } } }"


@dataclass
class Desk:
    """A store with articles in two categories, and answers that are kept."""

    store: Store
    clock: StandingClock
    answers: CachedExecutor
    articles: list[str]
    identity: Identity = ANONYMOUS

    async def ask(self, query: str, **variables: Any) -> EncodedResult:
        return await execute_cached(
            self.answers, self.store, query, variables=variables, identity=self.identity
        )

    async def executed(self, query: str, **variables: Any) -> bool:
        """Ask, and return whether it took an execution."""
        before = self.answers.counts.executed
        await self.ask(query, **variables)
        return self.answers.counts.executed > before

    async def renewed(self) -> set[int]:
        """Ask for every article, and return the numbers of those that took an execution."""
        return {
            number
            for number, post_id in enumerate(self.articles)
            if await self.executed(ARTICLE, id=global_ids.encode("Article", post_id))
        }


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    clock = StandingClock()
    async with Session(tmp_path / "data", clock=clock) as session:
        await session.begin()
        handle, made = session.store.commands.handle, []
        for number in range(12):
            where = CategoryRef(slug="town" if number % 2 else "sport")
            post = CreatePost(title=f"Tide {number}", body="Low.", publish=True, categories=(where,))
            made.append((await handle(post)).subject_id)
        yield Desk(session.store, clock, CachedExecutor(Executor(graphql_schema())), made)


async def test_an_edit_to_one_article_leaves_the_answers_about_the_others(desk: Desk) -> None:
    handle = desk.store.commands.handle
    assert await desk.renewed() == set(range(12))
    assert await desk.renewed() == set()
    category = "query ($slug: String!) { category(slug: $slug) { name articleCount articles(first: 2) { nodes { title } } } }"
    for slug in ("town", "sport", "news"):
        await desk.ask(category, slug=slug)

    await handle(EditPost(post_id=desk.articles[3], title="Flood"))
    assert await desk.renewed() == set(), "readers see nothing of an edit before it is published"
    await handle(PublishPost(post_id=desk.articles[3]))
    assert await desk.renewed() == {3}
    assert not any([await desk.executed(category, slug=slug) for slug in ("town", "sport", "news")])

    await handle(UnpublishPost(post_id=desk.articles[3]))
    assert await desk.renewed() == {3}
    assert [await desk.executed(category, slug=slug) for slug in ("town", "sport", "news")] == [
        True,
        False,
        True,
    ]
    await handle(CategorizePost(post_id=desk.articles[4], category=CategoryRef(slug="town")))
    assert await desk.renewed() == {4}
    await handle(CreatePost(title="A draft", categories=(CategoryRef(slug="town"),)))
    assert await desk.renewed() == set()
    assert not await desk.executed(category, slug="sport")


async def test_whether_an_answer_was_kept_does_not_tell_readers_of_drafts(desk: Desk) -> None:
    article = "query ($slug: String!) { article(slug: $slug) { title } }"
    post = "query ($slug: String!) { post(slug: $slug) { title } posts { totalCount } }"
    await desk.ask(article, slug="secret")
    await desk.ask(post, slug="secret")
    takes_time = await desk.executed(post, slug="secret")
    draft = await desk.store.commands.handle(CreatePost(title="Secret", slug="secret"))
    assert not await desk.executed(article, slug="secret")
    await desk.store.commands.handle(EditPost(post_id=draft.subject_id, slug="most-secret"))
    assert not await desk.executed(article, slug="secret")
    assert await desk.executed(post, slug="secret") == takes_time
    assert await desk.executed(post, slug="secret") == takes_time
    await desk.store.commands.handle(PublishPost(post_id=draft.subject_id))
    assert not await desk.executed(article, slug="secret"), "another slug was published"


@pytest.mark.parametrize(
    ("who", "is_cached"),
    [
        (identity(Role.AUTHOR, "a"), False),
        (identity(Role.EDITOR, "a"), True),
        (identity(Role.EDITOR, "a", scopes=frozenset({"posts:read-own", "history:read"})), False),
        (LOCAL_OPERATOR, True),
    ],
)
async def test_answers_about_drafts_are_kept_for_those_who_see_all_of_them(
    desk: Desk, who: Identity, is_cached: bool
) -> None:
    desk.identity, post = who, '{ post(slug: "secret") { title } }'
    assert await desk.executed(post)
    assert await desk.executed(post) is not is_cached


async def test_a_hit_tells_the_position_of_today(desk: Desk) -> None:
    article = global_ids.encode("Article", desk.articles[0])
    first = await desk.ask(ARTICLE, id=article)
    at = (await desk.store.commands.handle(EditPost(post_id=desk.articles[1], title="Flood"))).position
    again = await desk.ask(ARTICLE, id=article)
    assert desk.answers.counts.hits == 1
    assert (again.body, again.etag) == (first.body, first.etag)
    assert first.position < again.position == at


async def test_an_age_is_kept_up_to_the_microsecond_at_which_it_changes(desk: Desk) -> None:
    young = await desk.ask(FRONT, first=1)
    assert young.expires_at == desk.clock.time + 60_000_000
    desk.clock.time += 59_999_999
    assert not await desk.executed(FRONT, first=1)
    desk.clock.time += 1
    older = await desk.ask(FRONT, first=1)
    assert b"just now" in young.body
    assert b"1 minute ago" in older.body
    desk.clock.time -= 1
    assert (await desk.ask(FRONT, first=1)).body == young.body, "the clock was set back"


async def test_variables_are_the_same_in_any_order_and_null_is_not_absent(desk: Desk) -> None:
    query = "query ($a: Int, $b: Int = 3) { x: articles(first: $a) { totalCount } y: articles(first: $b) { totalCount } }"
    assert await desk.executed(query, a=1, b=2)
    assert not await desk.executed(query, b=2, a=1)
    assert await desk.executed(query, a=1, b=None)
    assert await desk.executed(query, a=1)
    assert await desk.executed(query, a=1, b=1.0)


async def test_those_who_may_see_the_same_share_an_answer_and_others_do_not(desk: Desk) -> None:
    query = "{ articles { totalCount } }"
    for who, hits in ((ANONYMOUS, 0), (ANONYMOUS, 1), (LOCAL_OPERATOR, 1), (LOCAL_OPERATOR, 2)):
        await execute_cached(desk.answers, desk.store, query, identity=who)
        assert desk.answers.counts.hits == hits
    await execute_cached(desk.answers, desk.store, query, identity=ANONYMOUS, open_past=True)
    assert desk.answers.counts.hits == 2


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
async def test_what_depends_on_more_than_events_is_not_kept(desk: Desk, query: str) -> None:
    desk.identity = LOCAL_OPERATOR
    for _ in range(3):
        assert await desk.executed(query)


async def test_an_answer_with_an_error_of_the_servers_making_is_not_kept(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("out of order")

    with monkeypatch.context() as broken:
        broken.setattr("ledgerpress.features.posts.schema.types.render", fail)
        answer = await desk.ask(ARTICLE, id=global_ids.encode("Article", desk.articles[0]))
        assert b'"errors"' in answer.body
    answer = await desk.ask(ARTICLE, id=global_ids.encode("Article", desk.articles[0]))
    assert b"Low." in answer.body


async def test_memory_is_bounded_and_what_was_asked_for_last_stays(desk: Desk) -> None:
    desk.answers = CachedExecutor(Executor(graphql_schema()), CacheSettings(max_bytes=20_000))
    for number in range(200):
        await desk.ask(FRONT + " " * number, first=5)
        assert desk.answers.bytes <= 20_000
    assert not await desk.executed(FRONT + " " * 199, first=5)
    assert await desk.executed(FRONT, first=5)
    none = CachedExecutor(Executor(graphql_schema()), CacheSettings(max_bytes=0))
    for _ in range(2):
        await execute_cached(none, desk.store, FRONT, variables={"first": 1})
    assert (none.counts.hits, none.counts.executed) == (0, 2)


class Slow(Executor):
    """An engine that hands its answers over when it is told to."""

    def __init__(self) -> None:
        super().__init__(graphql_schema())
        self.go = asyncio.Event()
        self.ended = 0

    async def execute(self, *args: Any, **given: Any) -> Result[ResponseMap]:
        try:
            answer = await super().execute(*args, **given)
            await self.go.wait()
            return answer
        finally:
            self.ended += 1


async def asking(desk: Desk, many: int, query: str = FRONT) -> list[asyncio.Task[EncodedResult]]:
    tasks = [asyncio.create_task(desk.ask(query, first=3)) for _ in range(many)]
    await asyncio.sleep(0.01)
    return tasks


async def test_many_who_ask_for_the_same_at_once_take_one_execution(desk: Desk) -> None:
    engine = Slow()
    desk.answers = CachedExecutor(engine)
    tasks = await asking(desk, 50)
    engine.go.set()
    assert len({answer.body for answer in await asyncio.gather(*tasks)}) == 1
    assert desk.answers.counts.executed == 1


async def test_who_asked_first_may_go_and_the_last_ends_the_execution(desk: Desk) -> None:
    engine = Slow()
    desk.answers = CachedExecutor(engine)
    first, *others = await asking(desk, 3)
    first.cancel()
    await asyncio.sleep(0.01)
    engine.go.set()
    assert len(await asyncio.gather(*others)) == 2
    assert desk.answers.counts.executed == engine.ended == 1

    engine.go.clear()
    tasks = await asking(desk, 2, query=FRONT + " ")
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
    await asyncio.sleep(0.01)
    assert engine.ended == 2
    engine.go.set()
    assert (await desk.ask(FRONT + " ", first=3)).executed


async def test_who_asks_after_an_event_is_not_told_what_was_read_before(desk: Desk) -> None:
    engine = Slow()
    desk.answers = CachedExecutor(engine)
    before = await asking(desk, 1)
    post_id = desk.articles[-1]
    await desk.store.commands.handle(EditPost(post_id=post_id, title="Flood", publish=True))
    after = await asking(desk, 5)
    engine.go.set()
    assert b"Flood" not in (await before[0]).body
    assert all(b"Flood" in answer.body for answer in await asyncio.gather(*after))
    assert b"Flood" in (await desk.ask(FRONT, first=3)).body


async def test_what_was_withdrawn_is_not_told_again_and_leaves_the_memory(
    tmp_path: Path,
) -> None:
    async with open_store(tmp_path / "data") as store:
        answers = CachedExecutor(Executor(graphql_schema()))
        secret = "a nest in the ninth willow"
        made = await store.commands.handle(CreatePost(title="Birds", body=secret, publish=True))
        asked: dict[str, Any] = {
            "query": ARTICLE,
            "variables": {"id": global_ids.encode("Article", made.subject_id)},
        }
        assert secret.encode() in (await execute_cached(answers, store, **asked)).body
        found = [one.position for one in await store.log.read(0, 100) if one.header.type == "post.created"]
        result = await run_beside(
            "withdraw", str(found[0]), "--reason", "asked for", "--data", tmp_path / "data"
        )
        assert result.exit_code == 0, result.stderr
        assert await store.views.wait_for(await store.log.head(), 10)
        assert answers.bytes == 0, "nobody has asked since"
        assert secret.encode() not in (await execute_cached(answers, store, **asked)).body


async def test_at_the_door_a_repeated_query_is_the_same_until_it_changes(door: Client) -> None:
    await door.write("Tide", publish=True)
    query = "{ articles { nodes { title } } }"
    first = await door.post(query)
    again = await door.post(query)
    assert (first.content, first.headers) == (again.content, again.headers)
    await door.write("Flood", publish=True)
    changed = await door.post(query)
    assert b"Flood" in changed.content
    assert int(changed.headers["LedgerPress-Position"]) > int(again.headers["LedgerPress-Position"])
