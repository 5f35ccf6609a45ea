"""The messages of subscriptions, over a WebSocket to a real server on a real store."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from ledgerpress.commands.client_identity import ANONYMOUS, LOCAL_OPERATOR, FixedIdentity, Identity
from ledgerpress.commands.command_and_guard_declarations import Command
from ledgerpress.commands.command_request_and_context import CommandRequest
from ledgerpress.commands.confirm_and_correct_clock import CorrectClock
from ledgerpress.features.actors.commands import RegisterActor
from ledgerpress.features.categories.commands import CreateCategory, MergeCategory
from ledgerpress.features.categories.model import CategoryRef
from ledgerpress.features.categories.unmerge_command import UnmergeCategory
from ledgerpress.features.posts.correction_commands import AddCorrection
from ledgerpress.features.posts.corrections.decisions import NewCorrection
from ledgerpress.features.posts.create_edit_categorize_commands import (
    CategorizePost,
    CreatePost,
    EditPost,
    UncategorizePost,
)
from ledgerpress.features.posts.lifecycle_commands import PublishPost, UnpublishPost
from ledgerpress.features.registry import event_codec
from ledgerpress.graphql.executor import Executor
from ledgerpress.graphql.relay.global_ids import encode
from ledgerpress.graphql.subscriptions import hub
from ledgerpress.graphql.subscriptions.settings import SubscriptionSettings
from ledgerpress.operator.withdraw import withdraw_payload
from ledgerpress.server.store import Store, open_store
from ledgerpress.server.views_rebuild import rebuild
from tests.fixed_sources import SeededBytes, SetClock
from tests.integration.several_workers import opened_store
from tests.integration.websocket_client import Served, Socket, served, websocket

pytestmark = pytest.mark.usefixtures("workers")

CHANGES = "subscription ($from: Position) { changes(fromPosition: $from) { position type } }"
ARTICLE = "subscription ($slug: String!) { articleChanged(slug: $slug) { position article { title slug } } }"
RECENT = "subscription { recentPosts(first: 2) { nodes { title } totalCount } }"


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    async with opened_store(tmp_path / "data", clock=SetClock(), randomness=SeededBytes()) as store:
        yield store


@pytest.fixture
async def server(store: Store) -> AsyncIterator[Served]:
    async with served(store) as server:
        yield server
        await server.nothing_is_left()


@pytest.fixture
async def socket(server: Served) -> AsyncIterator[Socket]:
    """The operator's socket."""
    async with websocket(server.host, server.port) as socket:
        yield await socket.init()


@pytest.fixture
async def reader(store: Store) -> AsyncIterator[Socket]:
    """The socket of an anonymous client, which can read only public content."""
    async with served(store, authenticator=FixedIdentity(ANONYMOUS)) as server:
        async with websocket(server.host, server.port) as socket:
            yield await socket.init()
        await server.nothing_is_left()


async def actor(store: Store, name: str) -> int:
    """Record one event, and return its position."""
    return (await store.commands.handle(RegisterActor(name=name))).position


async def settled(socket: Socket) -> None:
    """Wait until a subscription that sends no first message has begun."""
    await socket.quiet()
    await asyncio.sleep(0.1)
    await socket.quiet()


async def positions(socket: Socket, count: int) -> list[int]:
    return [(await socket.next())["data"]["changes"]["position"] for _ in range(count)]


# --- changes ---------------------------------------------------------------------------------------


async def test_changes_begin_with_the_next_event(socket: Socket, store: Store) -> None:
    await actor(store, "Before")
    await socket.subscribe(CHANGES)
    await settled(socket)
    recorded = [await actor(store, f"Author {number}") for number in range(3)]
    payloads = [await socket.next() for _ in recorded]
    assert [payload["data"]["changes"]["position"] for payload in payloads] == recorded
    assert [payload["extensions"]["position"] for payload in payloads] == recorded
    assert payloads[0]["data"]["changes"]["type"] == "actor.registered"
    await socket.quiet()


async def test_subscribers_get_all_events_after_an_error_of_any_class(
    socket: Socket, store: Store, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    await socket.subscribe(CHANGES)
    await settled(socket)
    wait_for, failures = store.views.wait_for, []

    async def failing(position: int, timeout: float) -> bool:
        task = asyncio.current_task()
        if task is not None and task.get_name() == "subscriptions":
            failures.append(position)
            raise TypeError("a mistake")
        return await wait_for(position, timeout)

    with monkeypatch.context() as patch:
        patch.setattr(hub, "_WAIT_SECONDS", 0.05)
        patch.setattr(store.views, "wait_for", failing)
        recorded = [await actor(store, "Author")]
        async with asyncio.timeout(20):
            while len(failures) < 3:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
    recorded.append(await actor(store, "Another"))
    assert await positions(socket, 2) == recorded
    assert [record.getMessage() for record in caplog.records if record.exc_info] == [
        "subscribers cannot be notified at the moment; trying again"
    ]


async def test_changes_resume_from_any_position_and_continue(socket: Socket, store: Store) -> None:
    recorded = [await actor(store, f"Author {number}") for number in range(5)]
    await socket.subscribe(CHANGES, **{"from": recorded[1]})
    assert await positions(socket, 3) == recorded[2:]
    later = await actor(store, "Later")
    assert await positions(socket, 1) == [later]
    await socket.quiet()


async def test_changes_from_the_beginning_are_the_whole_log(socket: Socket, store: Store) -> None:
    head = await actor(store, "Author")
    await socket.subscribe(CHANGES, **{"from": 0})
    assert await positions(socket, head) == list(range(1, head + 1))


async def test_changes_are_filtered(socket: Socket, store: Store) -> None:
    post = await store.commands.handle(CreatePost(title="Tide"))
    other = await store.commands.handle(CreatePost(title="Ebb"))
    subscription = "subscription ($filter: ChangeFilter) { changes(filter: $filter) { position type } }"
    filter = {"stream": encode("Post", post.subject_id), "types": ["post.edited"]}
    await socket.subscribe(subscription, filter=filter)
    await settled(socket)
    await store.commands.handle(EditPost(post_id=other.subject_id, title="Not this"))
    await store.commands.handle(PublishPost(post_id=post.subject_id))
    wanted = await store.commands.handle(EditPost(post_id=post.subject_id, title="This"))
    assert await positions(socket, 1) == [wanted.position]
    await socket.quiet()


async def test_changes_end_at_the_last_position_of_the_filter(socket: Socket, store: Store) -> None:
    await actor(store, "Author")
    id = await socket.subscribe(
        "subscription { changes(fromPosition: 1, filter: { positionTo: 4 }) { position } }"
    )
    assert [payload["data"]["changes"]["position"] for payload in await socket.results(id)] == [2, 3, 4]


async def test_changes_of_a_category_are_the_same_live_and_resumed_after_a_merge(
    socket: Socket, store: Store
) -> None:
    """Changes to a category from before its merge do not count as changes to the category that it was merged into."""
    sea = await store.commands.handle(CreateCategory(name="Sea"))
    tides = await store.commands.handle(CreateCategory(name="Tides"))
    post = await store.commands.handle(CreatePost(title="Ebb"))
    query = (
        "subscription ($from: Position, $of: ID!) {"
        " changes(fromPosition: $from, filter: { category: $of }) { position } }"
    )
    of = encode("Category", sea.subject_id)
    await socket.subscribe(query, **{"from": post.position, "of": of})
    await settled(socket)
    in_tides = CategoryRef(id=tides.subject_id)
    await store.commands.handle(CategorizePost(post_id=post.subject_id, category=in_tides))
    await settled(socket)
    merged = await store.commands.handle(
        MergeCategory(category=in_tides, into=CategoryRef(id=sea.subject_id))
    )
    left = await store.commands.handle(UncategorizePost(post_id=post.subject_id, category=in_tides))
    live = await positions(socket, 2)
    assert live == [merged.position, left.position]
    await socket.quiet()
    await socket.subscribe(query, **{"from": post.position, "of": of})
    assert await positions(socket, 2) == live


async def test_each_change_is_sent_with_the_state_as_of_its_position(socket: Socket, store: Store) -> None:
    """A client that resumes later receives the same messages as a client that was connected."""
    query = (
        "subscription ($from: Position) { changes(fromPosition: $from)"
        " { position subject { ... on Post { title status } } before after } }"
    )
    await socket.subscribe(query)
    await settled(socket)
    post = await store.commands.handle(CreatePost(title="First"))
    await store.commands.handle(EditPost(post_id=post.subject_id, title="Second"))
    await store.commands.handle(PublishPost(post_id=post.subject_id))
    count = (await store.log.head()) - 4
    live = [await socket.next() for _ in range(count)]
    await socket.subscribe(query, **{"from": 4})
    assert [await socket.next() for _ in range(count)] == live
    titles = [payload["data"]["changes"]["subject"] for payload in live]
    assert {"title": "First", "status": "DRAFT"} in titles


async def test_a_position_after_the_head_is_rejected(socket: Socket) -> None:
    await socket.subscribe(CHANGES, **{"from": 99})
    message = await socket.receive()
    assert message["type"] == "error"
    assert message["payload"][0]["message"] == "Position 99 is in the future: the log is at 4."


async def test_changes_need_the_permission_to_read_the_history(reader: Socket) -> None:
    await reader.subscribe(CHANGES, **{"from": 0})
    message = await reader.receive()
    assert (message["type"], message["payload"][0]["extensions"]["code"]) == ("error", "UNAUTHENTICATED")


# --- articleChanged --------------------------------------------------------------------------------


async def test_an_article_appears_changes_and_disappears(reader: Socket, store: Store) -> None:
    created = await store.commands.handle(CreatePost(title="The tide", slug="tide"))
    post = created.subject_id
    await reader.subscribe(ARTICLE, slug="tide")
    await settled(reader)

    async def next_change() -> tuple[int, Any]:
        event = (await reader.next())["data"]["articleChanged"]
        return event["position"], event["article"]

    published = await store.commands.handle(PublishPost(post_id=post))
    assert await next_change() == (published.position, {"title": "The tide", "slug": "tide"})
    await store.commands.handle(EditPost(post_id=post, title="The ebb"))
    await reader.quiet()
    republished = await store.commands.handle(PublishPost(post_id=post))
    assert await next_change() == (republished.position, {"title": "The ebb", "slug": "tide"})
    unpublished = await store.commands.handle(UnpublishPost(post_id=post))
    assert await next_change() == (unpublished.position, None)


async def test_an_article_is_followed_by_its_former_slug(reader: Socket, store: Store) -> None:
    post = await store.commands.handle(CreatePost(title="The tide", slug="tide", publish=True))
    await reader.subscribe(ARTICLE, slug="tide")
    await settled(reader)
    await store.commands.handle(EditPost(post_id=post.subject_id, slug="ebb", publish=True))
    event = (await reader.next())["data"]["articleChanged"]
    assert event["article"] == {"title": "The tide", "slug": "ebb"}


async def test_an_article_changes_with_its_categories(reader: Socket, store: Store) -> None:
    category = await store.commands.handle(CreateCategory(name="Sea"))
    post = await store.commands.handle(CreatePost(title="The tide", slug="tide", publish=True))
    await reader.subscribe(
        'subscription { articleChanged(slug: "tide") { article { categories { name } } } }'
    )
    await settled(reader)
    ref = CategoryRef(id=category.subject_id)
    await store.commands.handle(CategorizePost(post_id=post.subject_id, category=ref))
    event = (await reader.next())["data"]["articleChanged"]
    assert event["article"] == {"categories": [{"name": "Sea"}]}


async def test_an_article_changes_when_its_text_is_withdrawn(reader: Socket, store: Store) -> None:
    draft = await store.commands.handle(CreatePost(title="Never public", slug="draft"))
    created = await store.commands.handle(CreatePost(title="The tide", slug="tide", publish=True))
    edited = await store.commands.handle(EditPost(post_id=created.subject_id, title="The ebb", publish=True))
    await reader.subscribe(ARTICLE, slug="tide")
    await settled(reader)

    async def withdraw(position: int) -> int:
        return await withdraw_payload(
            store.log,
            store.codec,
            store.clock,
            SeededBytes(str(position)),
            position,
            CommandRequest(reason="An order."),
        )

    async def shown_after(position: int) -> Any:
        record = await withdraw(position)
        message = (await reader.next())["data"]["articleChanged"]
        assert message["position"] == record
        return message["article"]

    await withdraw(draft.position)
    await reader.quiet()
    of_edit = edited.position - 1
    assert await shown_after(of_edit) == {"title": "The tide", "slug": "tide"}
    (creation,) = [
        event.position
        for event in await store.log.read_stream(f"post.{created.subject_id}")
        if event.header.stream_version == 1
    ]
    assert await shown_after(creation) is None, "the slug is withdrawn too"


async def test_an_article_changes_with_merges_of_its_categories(reader: Socket, store: Store) -> None:
    names = ("Sea", "Tides", "Water")
    sea, tides, water = [
        CategoryRef(id=(await store.commands.handle(CreateCategory(name=name))).subject_id) for name in names
    ]
    create = CreatePost(title="The tide", slug="tide", categories=(tides,), publish=True)
    post = await store.commands.handle(create)
    await reader.subscribe(
        'subscription { articleChanged(slug: "tide") { article { categories { name } } } }'
    )
    await settled(reader)

    async def shown_after(command: Command) -> list[str]:
        await store.commands.handle(command)
        article = (await reader.next())["data"]["articleChanged"]["article"]
        return [category["name"] for category in article["categories"]]

    assert await shown_after(MergeCategory(category=tides, into=sea)) == ["Sea"]
    assert await shown_after(MergeCategory(category=sea, into=water)) == ["Water"]
    assert await shown_after(UnmergeCategory(category=sea)) == ["Sea"]
    assert await shown_after(UnmergeCategory(category=tides)) == ["Tides"]
    assert await shown_after(UncategorizePost(post_id=post.subject_id, category=tides)) == []
    await store.commands.handle(MergeCategory(category=tides, into=sea))
    await reader.quiet()


async def test_an_article_changes_with_the_clock_that_recorded_its_dates(
    reader: Socket, store: Store
) -> None:
    post = await store.commands.handle(CreatePost(title="The tide", slug="tide", publish=True))
    added = await store.commands.handle(
        AddCorrection(post_id=post.subject_id, correction=NewCorrection(note="It was low."))
    )
    await reader.subscribe(
        'subscription { articleChanged(slug: "tide") { article { publishedAt corrections { at } } } }'
    )
    await settled(reader)

    async def correct(first: int, last: int) -> None:
        command = CorrectClock(first_position=first, last_position=last, shift=-60_000_000)
        await store.commands.handle(command, CommandRequest(reason="It was a minute ahead."))

    await correct(post.position - 1, post.position)
    first = (await reader.next())["data"]["articleChanged"]["article"]
    await correct(added.position, added.position)
    second = (await reader.next())["data"]["articleChanged"]["article"]
    assert first["publishedAt"] == second["publishedAt"] < first["corrections"][0]["at"]
    assert second["corrections"][0]["at"] < first["corrections"][0]["at"]
    await correct(1, 1)
    await reader.quiet()


async def test_changes_to_posts_that_are_not_public_are_not_sent(reader: Socket, store: Store) -> None:
    category = await store.commands.handle(CreateCategory(name="Sea"))
    never = await store.commands.handle(CreatePost(title="Never", slug="never"))
    once = await store.commands.handle(CreatePost(title="Once", slug="once", publish=True))
    await store.commands.handle(UnpublishPost(post_id=once.subject_id))
    for slug in ("never", "once"):
        await reader.subscribe(ARTICLE, slug=slug)
    await settled(reader)
    for post in (never.subject_id, once.subject_id):
        await store.commands.handle(EditPost(post_id=post, title="Changed"))
        await store.commands.handle(
            CategorizePost(post_id=post, category=CategoryRef(id=category.subject_id))
        )
    await settled(reader)


# --- recentPosts -----------------------------------------------------------------------------------


async def test_recent_posts_are_sent_at_once_and_again_when_they_change(reader: Socket, store: Store) -> None:
    await store.commands.handle(CreatePost(title="First", publish=True))
    await reader.subscribe(RECENT)
    first = await reader.next()
    assert first["data"]["recentPosts"] == {"nodes": [{"title": "First"}], "totalCount": 1}
    await actor(store, "Of no concern")
    await store.commands.handle(CreatePost(title="A draft"))
    await settled(reader)
    published = await store.commands.handle(CreatePost(title="Second", publish=True))
    second = await reader.next()
    assert [post["title"] for post in second["data"]["recentPosts"]["nodes"]] == ["Second", "First"]
    assert second["extensions"]["position"] >= published.position


async def test_recent_posts_are_sent_again_when_only_their_age_changes(tmp_path: Path) -> None:
    clock = SetClock()
    async with (
        open_store(tmp_path / "data", clock=clock, randomness=SeededBytes()) as store,
        served(store, live=SubscriptionSettings(clock_seconds=0.1)) as server,
        websocket(server.host, server.port) as socket,
    ):
        await store.commands.handle(CreatePost(title="First", publish=True))
        query = "subscription { recentPosts { nodes { age } } }"
        await (await socket.init()).subscribe(query)
        await socket.next()
        clock.time += 30 * 86_400_000_000
        while "1 month ago" not in str(await socket.next()):
            pass  # an earlier age may come first


async def test_an_invalid_live_query_is_an_error(reader: Socket) -> None:
    await reader.subscribe("subscription { recentPosts(first: 1000) { totalCount } }")
    message = await reader.receive()
    assert message["type"] == "error"
    assert "between 0 and 100" in message["payload"][0]["message"]


# --- shared executions, other processes, and exchanged views -------------------------------------------


@pytest.mark.one_worker
async def test_each_event_is_executed_once_for_all_equal_subscriptions(
    server: Served, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    executed = 0
    step = Executor.step

    async def counting(self: Executor, *arguments: Any) -> Any:
        nonlocal executed
        executed += 1
        return await step(self, *arguments)

    async with AsyncExitStack() as stack:
        sockets = []
        for _ in range(20):
            opened = await stack.enter_async_context(websocket(server.host, server.port))
            sockets.append(await opened.init())
            await sockets[-1].subscribe(CHANGES, **{"from": 0})
            assert await positions(sockets[-1], 4) == [1, 2, 3, 4]
        await settled(sockets[-1])
        monkeypatch.setattr(Executor, "step", counting)
        recorded = []
        for number in range(5):
            recorded.append(await actor(store, f"Author {number}"))
            for socket in sockets:
                assert await positions(socket, 1) == recorded[-1:]
            assert executed == len(recorded), "no step after the last event of the views"
        # A late subscriber receives cached events.
        executed = 0
        late = await stack.enter_async_context(websocket(server.host, server.port))
        await (await late.init()).subscribe(CHANGES, **{"from": recorded[0]})
        assert await positions(late, 4) == recorded[1:]
        assert executed <= 2, "one to find the first event, and one to find that there are no more"


async def test_users_with_different_permissions_do_not_share_messages(store: Store) -> None:
    class AnyToken:
        async def identify(self, authorization: str | None) -> Identity:
            return ANONYMOUS if authorization is None else LOCAL_OPERATOR

    async with served(store, authenticator=AnyToken()) as server:
        async with (
            websocket(server.host, server.port) as operator,
            websocket(server.host, server.port) as anonymous,
        ):
            await (await operator.init(authorization="Bearer operator")).subscribe(CHANGES, **{"from": 3})
            assert await positions(operator, 1) == [4]
            await (await anonymous.init()).subscribe(CHANGES, **{"from": 3})
            assert (await anonymous.receive())["type"] == "error"
        await server.nothing_is_left()


@pytest.mark.usefixtures("any_silence")
async def test_events_of_another_process_are_sent(socket: Socket, tmp_path: Path) -> None:
    await socket.subscribe(CHANGES)
    await settled(socket)
    async with open_store(tmp_path / "data", randomness=SeededBytes("other")) as other:
        recorded = [await actor(other, f"Author {number}") for number in range(3)]
        assert await positions(socket, 3) == recorded


async def test_a_switch_to_rebuilt_views_misses_and_repeats_no_message(
    socket: Socket, store: Store, tmp_path: Path
) -> None:
    await socket.subscribe(CHANGES)
    await socket.subscribe(RECENT)
    assert "recentPosts" in (await socket.next())["data"]
    before, recorded, finished = store.views.path, list[int](), asyncio.Event()

    async def write() -> None:
        while not finished.is_set():
            recorded.append(await actor(store, f"Author {len(recorded)}"))
            await asyncio.sleep(0.01)

    writing = asyncio.create_task(write())
    await rebuild(tmp_path / "data")
    async with asyncio.timeout(30):
        while store.views.path == before:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    finished.set()
    await writing
    assert await positions(socket, len(recorded)) == recorded
    await socket.quiet()


async def test_a_withdrawal_misses_and_repeats_no_message_and_clears_cached_events(
    socket: Socket, store: Store
) -> None:
    secret = await store.commands.handle(CreatePost(title="The heron nests here"))
    query = "subscription ($from: Position) { changes(fromPosition: $from) { position withdrawn after } }"
    first = await store.log.head() - 2
    await socket.subscribe(query, **{"from": first})
    messages = [await socket.next() for _ in range(2)]
    assert "heron" in str(messages)
    created = next(message["extensions"]["position"] for message in messages if "heron" in str(message))
    withdrawn_at = await withdraw_payload(
        store.log, event_codec(), SetClock(), SeededBytes("w"), created, CommandRequest(reason="By law.")
    )
    assert (await socket.next())["extensions"]["position"] == withdrawn_at
    later = await actor(store, "Later")
    assert (await socket.next())["extensions"]["position"] == later
    await socket.subscribe(query, **{"from": first})
    repeated = [await socket.next() for _ in range(4)]
    assert "heron" not in str(repeated)
    assert [message["extensions"]["position"] for message in repeated][-2:] == [withdrawn_at, later]
    assert secret.position <= withdrawn_at
