"""`ledgerpress.open_store`, as docs/how-to/use-as-a-library.md describes it, on each engine."""

import asyncio
import gc
import logging
import re
import signal
import sqlite3
import sys
import warnings
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, closing
from pathlib import Path
from typing import Final, TypeVar

import pytest

import ledgerpress
import ledgerpress_factcheck
from ledgerpress import ANONYMOUS, CommandResult, CreatePost, EditPost, OpenStore, Rejection, Role
from ledgerpress.operator.withdraw import withdraw
from ledgerpress.retry import poll
from ledgerpress.server.library import event_reading
from ledgerpress_factcheck.commands import CheckPost
from ledgerpress_factcheck.projection import checks_of
from tests.integration.severable_log import severable

ROOT: Final = Path(__file__).parents[2]
EXAMPLE: Final = ROOT / "docs" / "examples" / "library" / "publications.py"
GUIDE: Final = ROOT / "docs" / "how-to" / "use-as-a-library.md"
ADA: Final = "5f0c3b1e-2d64-4c8e-9d0a-3b6f0d6f7a11"
BOB: Final = "5f0c3b1e-2d64-4c8e-9d0a-3b6f0d6f7a12"
TITLES: Final = "{ recentPosts(first: 3) { nodes { title } } }"
CHANGES: Final = "subscription ($from: Position) { changes(fromPosition: $from) { position } }"

T = TypeVar("T")


@pytest.fixture
async def store(tmp_path: Path, log_url: str) -> AsyncIterator[OpenStore]:
    async with ledgerpress.open_store(tmp_path / "data", log=log_url, features=[]) as store:
        yield store


def accepted(result: CommandResult | Rejection) -> CommandResult:
    if isinstance(result, Rejection):
        raise result
    return result


async def publish(store: OpenStore, title: str) -> CommandResult:
    return accepted(await store.execute(CreatePost(title=title, body="Low.", publish=True)))


async def first(count: int, results: AsyncGenerator[T, None]) -> list[T]:
    """Return the first `count` results, and close the iterator."""
    collected: list[T] = []
    async with asyncio.timeout(30), aclosing(results):
        async for result in results:
            collected.append(result)
            if len(collected) == count:
                break
    return collected


# --- the example ---------------------------------------------------------------------------------------


async def test_the_example_counts_each_publication_once_however_often_it_is_killed(tmp_path: Path) -> None:
    data, database = tmp_path / "data", tmp_path / "publications.db"

    async def counted_up_to(position: int) -> None:
        async def counts() -> list[tuple[int]] | None:
            try:
                with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as db:
                    rows = db.execute("SELECT position FROM checkpoint WHERE position >= ?", (position,))
                    return rows.fetchall() or None
            except sqlite3.OperationalError:
                return None

        assert await poll(counts, interval=0.05, timeout=60), await process.communicate()

    published = 1
    for run in range(3):
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-u", EXAMPLE, data, database, stdout=asyncio.subprocess.PIPE, cwd=tmp_path
        )
        assert process.stdout is not None
        try:
            async with asyncio.timeout(60):
                line = (await process.stdout.readline()).decode()
            assert "{'title': 'The tide mill'}" in line
            async with ledgerpress.open_store(data, features=[]) as store:
                published += run
                for _ in range(run):
                    await publish(store, "Flood")
                await counted_up_to(await store.head())
        finally:
            process.kill()
            await process.communicate()
        with closing(sqlite3.connect(database)) as db:
            times = [row[0] for row in db.execute("SELECT times FROM publications")]
        assert times == [1] * published


async def test_the_guide_shows_the_example_that_is_tested() -> None:
    assert EXAMPLE.read_text("utf-8").partition('"""\n\n')[2].strip() in GUIDE.read_text("utf-8")


# --- commands ------------------------------------------------------------------------------------------


async def test_a_command_returns_its_result_and_the_views_show_it(store: OpenStore) -> None:
    command = CreatePost(title="Tide", body="Low.", publish=True)
    result = accepted(
        await store.execute(command, reason="Trying", idempotency_key="tide", expected_version=0)
    )
    assert (result.replayed, result.views_behind, result.position) == (False, False, await store.head())
    post = await store.graphql(
        "query ($id: ID!) { post(id: $id) { title version } }",
        {"id": ledgerpress.global_id("Post", result.subject_id)},
    )
    assert (post.errors, post.data) == ([], {"post": {"title": "Tide", "version": 2}})
    assert post.position == store.position == result.position

    again = await store.execute(command, reason="Trying", idempotency_key="tide", expected_version=0)
    assert again == CommandResult(result.subject_id, result.position, replayed=True)
    assert await store.head() == result.position


async def test_a_rejection_is_returned_and_records_nothing(store: OpenStore) -> None:
    post = await publish(store, "Tide")
    result = await store.execute(EditPost(post_id=post.subject_id, title="Flood"), expected_version=1)
    assert isinstance(result, Rejection)
    assert (result.code, result.field, result.current_version) == (
        "VERSION_CONFLICT",
        ("expectedVersion",),
        2,
    )
    assert await store.head() == post.position


async def test_an_identity_decides_what_a_command_may_do_and_is_recorded(store: OpenStore) -> None:
    ada, bob = store.identity(Role.EDITOR, ADA, name="Ada"), store.identity(Role.AUTHOR, BOB, name="Bob")
    post = accepted(await store.execute(CreatePost(title="Tide"), identity=ada, reason="Ada's own"))
    events = {recorded.header.type: recorded async for recorded in store.events()}
    assert events["post.created"].header.actor_id == ADA
    assert events["post.created"].reason == "Ada's own"
    assert isinstance(events["actor.registered"].event, ledgerpress.ActorRegistered)

    theirs = await store.execute(EditPost(post_id=post.subject_id, title="Bob's"), identity=bob)
    assert isinstance(theirs, Rejection)
    assert theirs.code == "NOT_FOUND"  # an author does not see the posts of others
    with pytest.raises(ledgerpress.PermissionDenied):
        await store.execute(CreatePost(title="Mine"), identity=ANONYMOUS)
    narrow = store.identity(Role.EDITOR, ADA, scopes=["posts:read"])
    with pytest.raises(ledgerpress.PermissionDenied):
        await store.execute(CreatePost(title="Mine"), identity=narrow)
    with pytest.raises(ValueError, match="'ada' is not an actor id"):
        store.identity(Role.EDITOR, "ada")


# --- GraphQL -------------------------------------------------------------------------------------------


async def test_an_identity_decides_what_a_query_shows(store: OpenStore) -> None:
    accepted(await store.execute(CreatePost(title="Draft", slug="draft")))
    query = '{ post(slug: "draft") { title } }'
    assert (await store.graphql(query)).data == {"post": {"title": "Draft"}}
    hidden = await store.graphql(query, identity=ANONYMOUS)
    assert hidden.data == {"post": None}
    assert [error["extensions"]["code"] for error in hidden.errors] == ["UNAUTHENTICATED"]


async def test_a_mutation_records_its_actor_and_the_past_can_be_queried(store: OpenStore) -> None:
    mutation = (
        "mutation ($input: PostCreateInput!) { postCreate(input: $input) { position userErrors { code } } }"
    )
    ada = store.identity(Role.EDITOR, ADA, name="Ada")
    result = await store.graphql(mutation, {"input": {"title": "Tide", "publish": True}}, identity=ada)
    assert result.data is not None
    position = int(result.data["postCreate"]["position"])
    recorded = [recorded async for recorded in store.events(types=["post.created"])]
    assert [event.header.actor_id for event in recorded] == [ADA]
    await publish(store, "Flood")
    past = "query ($at: Position!) { recentPosts(asOf: { position: $at }) { nodes { title } } }"
    result = await store.graphql(past, {"at": position})
    assert result.data == {"recentPosts": {"nodes": [{"title": "Tide"}]}}


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ("{", "Syntax Error"),
        ("{ nothing }", "Cannot query field"),
        ("{ __schema { types { name } } }", "Introspection is off"),
        (CHANGES, r"This is a subscription: pass it to subscribe\(\)"),
        ("{ " + " ".join(f"a{n}: __typename" for n in range(100)) + " }", "root fields|aliases"),
    ],
)
async def test_a_document_that_is_not_executed_has_errors(
    tmp_path: Path, document: str, message: str
) -> None:
    async with ledgerpress.open_store(tmp_path, features=[]) as store:
        result = await store.graphql(document)
        assert result.data is None
        assert re.search(message, result.errors[0]["message"]), result.errors


async def test_the_development_profile_allows_introspection(tmp_path: Path) -> None:
    async with ledgerpress.open_store(tmp_path, features=[], profile="development") as store:
        result = await store.graphql("{ __schema { queryType { name } } }")
        assert result.data == {"__schema": {"queryType": {"name": "Query"}}}


async def test_a_subscription_sends_new_events_and_resumes_after_a_position(store: OpenStore) -> None:
    tide = await publish(store, "Tide")
    missed = await first(tide.position - 1, store.subscribe(CHANGES, {"from": 1}))
    assert [result.position for result in missed] == list(range(2, tide.position + 1))

    subscription = store.subscribe("subscription { recentPosts(first: 1) { nodes { title } } }")
    async with asyncio.timeout(30), aclosing(subscription):
        titles = [(await anext(subscription)).data]
        await publish(store, "Flood")
        titles.append((await anext(subscription)).data)
    assert titles == [{"recentPosts": {"nodes": [{"title": title}]}} for title in ("Tide", "Flood")]


async def test_a_slow_subscriber_misses_nothing(tmp_path: Path) -> None:
    async with ledgerpress.open_store(tmp_path, features=[]) as store:
        subscription = store.subscribe(CHANGES, {"from": 0})
        async with asyncio.timeout(60), aclosing(subscription):
            positions = [(await anext(subscription)).position]
            head = 0
            for number in range(20):  # the subscriber reads nothing in the meantime
                head = (await publish(store, f"Tide {number}")).position
            while positions[-1] < head:
                positions.append((await anext(subscription)).position)
        assert positions == list(range(1, head + 1))


async def test_a_subscription_that_is_rejected_has_errors_in_its_only_result(store: OpenStore) -> None:
    for document, message in (("subscription { nothing }", "Cannot query"), (TITLES, "pass it to graphql()")):
        (result,) = [result async for result in store.subscribe(document)]
        assert result.data is None
        assert message in result.errors[0]["message"]
    denied = [result async for result in store.subscribe(CHANGES, identity=ANONYMOUS)]
    assert [error["extensions"]["code"] for result in denied for error in result.errors] == [
        "UNAUTHENTICATED"
    ]
    ahead = [result async for result in store.subscribe(CHANGES, {"from": 10_000})]
    assert [error["extensions"]["code"] for result in ahead for error in result.errors] == ["BAD_USER_INPUT"]


# --- events --------------------------------------------------------------------------------------------


async def test_events_are_read_by_range_stream_and_type(store: OpenStore) -> None:
    tide, flood = await publish(store, "Tide"), await publish(store, "Flood")
    head = await store.head()
    everything = [recorded async for recorded in store.events()]
    assert [recorded.position for recorded in everything] == list(range(1, head + 1))
    assert head == flood.position

    between = [recorded.position async for recorded in store.events(after=tide.position - 1, until=head - 1)]
    assert between == list(range(tide.position, head))
    assert [recorded async for recorded in store.events(after=head)] == []
    assert [recorded.position async for recorded in store.events(after=head - 1, until=head + 50)] == [head]

    of_post = [recorded async for recorded in store.events(stream=f"post.{tide.subject_id}")]
    assert [recorded.header.type for recorded in of_post] == ["post.created", "post.published"]
    created = of_post[0].event
    assert isinstance(created, ledgerpress.PostCreated)
    assert (created.title, created.body) == ("Tide", "Low.")
    later = store.events(
        after=of_post[0].position, until=of_post[1].position, stream=of_post[0].header.stream
    )
    assert [recorded.position async for recorded in later] == [of_post[1].position]

    published = [recorded.event async for recorded in store.events(types=["post.published"])]
    ids = [event.post_id for event in published if isinstance(event, ledgerpress.PostPublished)]
    assert ids == [tide.subject_id, flood.subject_id]


@pytest.mark.parametrize("method", ["events", "follow"])
async def test_a_type_that_no_event_has_is_an_error(tmp_path: Path, method: str) -> None:
    async with ledgerpress.open_store(tmp_path, features=[]) as store:
        with pytest.raises(ValueError, match=r"no event has the type post\.publish"):
            await anext(getattr(store, method)(types=["post.publish"]))
        with pytest.raises(TypeError, match="a collection of names"):
            await anext(getattr(store, method)(types="post.published"))


async def test_a_follower_receives_past_and_new_events_of_any_process(
    store: OpenStore, tmp_path: Path, log_url: str
) -> None:
    tide = await publish(store, "Tide")
    following = store.follow(after=tide.position - 1)
    async with asyncio.timeout(30), aclosing(following):
        positions = [(await anext(following)).position]
        other_node = ledgerpress.open_store(tmp_path / "other", log=log_url, features=[])
        async with other_node as other:
            head = (await publish(other, "Flood")).position
        while positions[-1] < head:
            positions.append((await anext(following)).position)
    assert positions == list(range(tide.position, head + 1))
    assert await store.wait_for(head, timeout=30)
    result = await store.graphql(TITLES)
    assert result.data == {"recentPosts": {"nodes": [{"title": "Flood"}, {"title": "Tide"}]}}


async def test_a_follower_that_never_waits_lets_other_tasks_run(tmp_path: Path) -> None:
    async with ledgerpress.open_store(tmp_path, features=[]) as store:
        head = (await publish(store, "Tide")).position
        turns = 0

        async def count_turns() -> None:
            nonlocal turns
            while True:
                turns += 1
                await asyncio.sleep(0)

        counting, turns_at_events = asyncio.create_task(count_turns()), []
        async with aclosing(store.follow()) as following:
            async for recorded in following:
                turns_at_events.append(turns)
                if recorded.position == head:
                    break
        counting.cancel()
        assert len(set(turns_at_events)) == len(turns_at_events) == head


async def test_a_follower_reads_no_more_than_a_batch_ahead(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_reading, "BATCH_SIZE", 3)
    data = tmp_path / "data"
    async with ledgerpress.open_store(data, features=[]) as store:
        post = await publish(store, "Secret")
        (created,) = [recorded async for recorded in store.events(types=["post.created"])]
        following = store.follow(after=created.position - 4)
        async with asyncio.timeout(60), aclosing(following):
            for _ in range(3):
                await anext(following)
            await withdraw(data, created.position, "Court order")
            assert isinstance((await anext(following)).event, ledgerpress.Withdrawn)
        assert post.position > created.position > 3


async def test_followers_by_type_skip_other_events(store: OpenStore) -> None:
    following = store.follow(types=["post.published"])
    posts = [(await publish(store, title)).subject_id for title in ("Tide", "Flood")]
    events = [recorded.event for recorded in await first(2, following)]
    assert [event.post_id for event in events if isinstance(event, ledgerpress.PostPublished)] == posts


async def test_an_invalid_position_is_an_error(store: OpenStore) -> None:
    head = await store.head()
    with pytest.raises(ValueError, match=f"position {head + 1} is beyond the head of the log, {head}"):
        await anext(store.follow(after=head + 1))
    with pytest.raises(ValueError, match="-1 is not a position"):
        await anext(store.follow(after=-1))


async def test_a_follower_waits_while_the_log_is_unreachable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with severable(monkeypatch) as log:
        async with ledgerpress.open_store(tmp_path, features=[]) as store:
            head = (await publish(store, "Tide")).position
            following = store.follow(after=head - 1)
            async with asyncio.timeout(60), aclosing(following):
                assert (await anext(following)).position == head
                log.away = True
                following_event = asyncio.ensure_future(anext(following))
                with pytest.raises(ledgerpress.LogUnavailable):
                    await first(1, store.events())
                with pytest.raises(ledgerpress.LogUnavailable):
                    await store.execute(CreatePost(title="Flood"))
                assert not following_event.done()
                log.away = False

                async def written() -> CommandResult | None:
                    try:
                        return await publish(store, "Flood")
                    except ledgerpress.LogUnavailable:
                        return None

                assert await poll(written, interval=0.1, timeout=30)
                assert (await following_event).position == head + 1


async def test_a_withdrawal_reaches_followers(tmp_path: Path) -> None:
    data = tmp_path / "data"
    async with ledgerpress.open_store(data, features=[]) as store:
        post = await publish(store, "Secret")
        (created,) = [recorded async for recorded in store.events(types=["post.created"])]
        following = store.follow(after=post.position)
        await withdraw(data, created.position, "Court order")
        (withdrawal,) = await first(1, following)
        assert isinstance(withdrawal.event, ledgerpress.PayloadWithdrawn)
        assert withdrawal.event.header["position"] == created.position
        (erased,) = [recorded async for recorded in store.events(types=["post.created"])]
        assert isinstance(erased.event, ledgerpress.Withdrawn)


# --- the store -----------------------------------------------------------------------------------------


async def test_a_closed_store_raises_an_error_and_its_iterators_end(tmp_path: Path, log_url: str) -> None:
    async with ledgerpress.open_store(tmp_path / "data", log=log_url, features=[]) as store:
        await publish(store, "Tide")
        head = await store.head()
        followed: list[int] = []
        subscribed: list[int] = []

        async def collect(
            results: AsyncGenerator[
                ledgerpress.Recorded[ledgerpress.Event] | ledgerpress.GraphQLResult, None
            ],
            positions: list[int],
        ) -> None:
            async for result in results:
                positions.append(result.position)  # noqa: PERF401 - read while it is collected

        async def have_caught_up() -> bool | None:
            return len(followed) == len(subscribed) == head or None

        collecting = asyncio.gather(
            collect(store.follow(), followed), collect(store.subscribe(CHANGES, {"from": 0}), subscribed)
        )
        assert await poll(have_caught_up, interval=0.02, timeout=30)
    async with asyncio.timeout(30):
        await collecting
    assert followed == subscribed == list(range(1, head + 1))
    for use in (
        lambda: store.execute(CreatePost(title="Late")),
        lambda: store.graphql(TITLES),
        store.head,
        lambda: store.wait_for(1),
        lambda: anext(store.events()),
        lambda: anext(store.follow()),
        lambda: anext(store.subscribe(CHANGES)),
    ):
        with pytest.raises(ledgerpress.StoreClosed, match="The store is closed: use it inside"):
            await use()
    for synchronous in (store.snapshot, lambda: store.position, lambda: store.identity(Role.ADMIN, ADA)):
        with pytest.raises(ledgerpress.StoreClosed):
            synchronous()
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_a_directory_or_log_that_is_not_a_store_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "cat.jpg").write_bytes(b"")
    (tmp_path / "file").write_bytes(b"")
    for data, log, create, message in (
        ("photos", "sqlite:", True, "contains other files"),
        ("file", "sqlite:", True, "is a file: use a directory"),
        ("nothing", "sqlite:", False, "there is no LedgerPress store in"),
        ("new", "mysql://127.0.0.1/news", True, "not a log URL"),
    ):
        with pytest.raises(ledgerpress.LogUnusable, match=message):
            async with ledgerpress.open_store(tmp_path / data, log=log, create=create, features=[]):
                pass
    away = "postgresql://127.0.0.1:1/news?publication=daily"
    with pytest.raises(ledgerpress.LogUnavailable, match="the log cannot be reached"):
        async with ledgerpress.open_store(tmp_path / "node", log=away, features=[]):
            pass
    with pytest.raises(ValueError, match="not a profile"):
        async with ledgerpress.open_store(tmp_path / "new", profile="fast"):  # type: ignore[arg-type]
            pass


async def test_a_directory_of_another_publication_is_an_error(tmp_path: Path, sqlite_url: str) -> None:
    for log in (sqlite_url, f"{sqlite_url}-other"):
        async with ledgerpress.open_store(tmp_path / log[-3:], log=log, features=[]):
            pass
    with pytest.raises(ledgerpress.LogUnusable, match="holds the views of publication"):
        async with ledgerpress.open_store(tmp_path / sqlite_url[-3:], log=f"{sqlite_url}-other", features=[]):
            pass


async def test_a_feature_can_reject_commands_and_its_tables_can_be_read(tmp_path: Path) -> None:
    features = [ledgerpress_factcheck.FEATURE]
    async with ledgerpress.open_store(tmp_path, features=features) as store:
        post = accepted(await store.execute(CreatePost(title="Tide")))
        editor = store.identity(Role.EDITOR, ADA)
        accepted(
            await store.execute(CheckPost(post.subject_id, passed=False, note="Wrong."), identity=editor)
        )
        publication = ledgerpress.PublishPost(post_id=post.subject_id)
        rejected = await store.execute(publication)
        assert isinstance(rejected, Rejection)
        assert rejected.code == "X_FACTCHECK_FAILED"
        with store.snapshot() as snapshot:
            assert checks_of(snapshot, post.subject_id) == [(False, "Wrong.")]
    async with ledgerpress.open_store(tmp_path, features=[]) as store:
        (unknown,) = [recorded async for recorded in store.events(types=["x.factcheck.checked"])]
        assert isinstance(unknown.event, ledgerpress.UnknownEvent)


async def test_nothing_in_the_process_changes(tmp_path: Path) -> None:
    def process_state() -> tuple[object, ...]:
        root = logging.getLogger()
        numbers = [number for number in signal.Signals if number not in {signal.SIGKILL, signal.SIGSTOP}]
        return (
            (root.level, list(root.handlers), logging.getLogger("ledgerpress").handlers),
            [signal.getsignal(number) for number in numbers],
            (sys.getswitchinterval(), gc.get_freeze_count(), gc.get_threshold(), gc.isenabled()),
            (warnings.showwarning, sys.excepthook, type(asyncio.get_event_loop_policy())),
        )

    before = process_state()
    async with ledgerpress.open_store(tmp_path, features=[]) as store:
        await publish(store, "Tide")
        assert (
            await store.graphql(TITLES + " #" + "." * 5_000)
        ).errors == []  # long enough to be checked in a thread
        assert process_state() == before
    assert process_state() == before
