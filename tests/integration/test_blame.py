"""Blame of a post with many versions: only what changed is computed, and a timeout loses no progress."""

import asyncio
import itertools
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import msgspec
import pytest

from ledgerpress.commands.command_request_and_context import CommandRequest
from ledgerpress.eventlog.envelope import StoredEvent
from ledgerpress.features.history import blame_states, blamed_changes
from ledgerpress.features.history.blame import BlamedBody, follow
from ledgerpress.features.posts import post_queries
from ledgerpress.features.posts.create_edit_categorize_commands import CreatePost, EditPost
from ledgerpress.features.registry import graphql_schema
from ledgerpress.http.app import make_app
from ledgerpress.http.graphql_over_http_settings import HttpSettings
from ledgerpress.operator.withdraw import withdraw
from tests.integration.graphql_client import ROOMY, ChosenIdentity, Client, client

VERSIONS = 70
BLAME = '{ post(slug: "mill") { blame { text version } } }'
COMPLETE = '{ post(slug: "mill") { blame { text version recordedAt reason actor { id name } } } }'
PAST_BLAME = 'query ($at: AsOf) { post(slug: "mill", asOf: $at) { blame { text version } } }'


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Client]:
    async with client(tmp_path / "data") as http:
        commands = http.store.commands
        post = (await commands.handle(CreatePost(title="Mill", body=body(1)))).subject_id
        for version in range(2, VERSIONS + 1):
            await commands.handle(EditPost(post_id=post, body=body(version)))
        yield http


def body(version: int) -> str:
    """Return three paragraphs, of which each version changes one, and every tenth moves one."""
    paragraphs = [f"Paragraph {number} of version {version - (version - number) % 3}." for number in range(3)]
    if version % 10 == 0:
        paragraphs.reverse()
    return "\n\n".join(paragraphs)


def expected(versions: int) -> list[dict[str, Any]]:
    blamed = BlamedBody()
    for version in range(1, versions + 1):
        blamed = follow(blamed, version, body(version))
    return [{"text": span.text, "version": span.version} for span in blamed.spans]


@pytest.fixture
def followed(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return the versions that are followed from now on, in order."""
    versions: list[int] = []

    def recording(before: BlamedBody, version: int, text: str) -> BlamedBody:
        versions.append(version)
        return follow(before, version, text)

    monkeypatch.setattr(blame_states, "follow", recording)
    return versions


async def test_blame_continues_from_the_nearest_version_that_is_cached(
    api: Client, followed: list[int]
) -> None:
    assert (await api.ask(BLAME))["post"]["blame"] == expected(VERSIONS)
    assert followed == list(range(1, VERSIONS + 1))
    followed.clear()
    assert (await api.ask(BLAME))["post"]["blame"] == expected(VERSIONS)
    assert followed == []
    post = (await api.ask('{ post(slug: "mill") { id } }'))["post"]["id"]
    await api.do("postEdit", id=post, body=body(VERSIONS + 1))
    await api.do("postEdit", id=post, title="Tide mill", slug="mill")
    assert (await api.ask(BLAME))["post"]["blame"] == expected(VERSIONS + 1)
    assert followed == [VERSIONS + 1]


async def test_who_wrote_each_part_is_read_in_pieces_and_not_one_by_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    versions, piece = 90, 40
    monkeypatch.setattr(blamed_changes, "PIECE", piece)
    async with client(tmp_path / "data") as http:
        commands, words = http.store.commands, ["first"]
        post = (await commands.handle(CreatePost(title="Mill", body="first"))).subject_id
        for version in range(2, versions + 1):
            words.append(f"word{version}")
            request = CommandRequest(reason=f"Reason {version}.")
            await commands.handle(EditPost(post_id=post, body=" ".join(words)), request)
        reads: list[int] = []
        read = http.store.log.read

        async def recording(after: int, limit: int) -> list[StoredEvent]:
            reads.append(limit)
            return await read(after, limit)

        monkeypatch.setattr(http.store.log, "read", recording)
        with http.store.snapshot() as snapshot:
            connection, statements = snapshot.connection, list[str]()
        connection.set_trace_callback(statements.append)
        spans = (await http.ask(COMPLETE))["post"]["blame"]
        connection.set_trace_callback(None)
    assert [(span["version"], span["reason"]) for span in spans] == [
        (1, None),
        *((version, f"Reason {version}.") for version in range(2, versions + 1)),
    ]
    assert {span["actor"]["id"] for span in spans} == {spans[0]["actor"]["id"]}
    assert [span["recordedAt"] for span in spans] == sorted(span["recordedAt"] for span in spans)
    pieces = -(-versions // piece)
    assert len([limit for limit in reads if limit <= piece + 1]) == pieces, (
        "other reads are of the projections"
    )
    assert sum("FROM change JOIN" in statement for statement in statements) == pieces
    assert sum("FROM actor_name" in statement for statement in statements) == 1


async def test_the_blame_of_a_past_version_does_not_use_later_versions(
    api: Client, followed: list[int]
) -> None:
    await api.ask(BLAME)
    head = await api.store.log.head()
    for back in (60, 1, 30, 29):
        past = await api.ask(PAST_BLAME, at={"position": head - back})
        assert past["post"]["blame"] == expected(VERSIONS - back)
    assert followed[VERSIONS:], "the blame of a past version continues from an earlier one"
    followed.clear()
    await api.ask(PAST_BLAME, at={"position": head - 29})
    assert followed == []


async def test_any_version_can_be_requested_if_few_are_cached(
    api: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blame_states, "MAX_STATES", 3)
    head = await api.store.log.head()
    for back in (0, 60, 1, 30, 31, 29, 0):
        past = await api.ask(PAST_BLAME, at={"position": head - back})
        assert past["post"]["blame"] == expected(VERSIONS - back)


async def test_a_timeout_keeps_the_progress_and_does_not_blame_the_client(
    api: Client, followed: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, timed_out = threading.Event(), threading.Event()

    def waiting(before: BlamedBody, version: int, text: str) -> BlamedBody:
        begun.set()
        timed_out.wait()
        followed.append(version)
        return follow(before, version, text)

    monkeypatch.setattr(blame_states, "follow", waiting)
    hasty = make_app(
        api.store,
        graphql_schema(),
        authenticator=ChosenIdentity(api.writer),
        settings=HttpSettings.development(),
        limits=msgspec.structs.replace(ROOMY, seconds=0.5),
    )
    transport = httpx2.ASGITransport(app=hasty)
    async with httpx2.AsyncClient(transport=transport, base_url="http://test") as http:
        response = await http.post("/graphql", json={"query": BLAME})
        while not begun.is_set():
            response = await http.post("/graphql", json={"query": BLAME})
    timed_out.set()
    assert response.status_code == 504
    assert [error["extensions"]["code"] for error in response.json()["errors"]] == ["TIMEOUT"]

    assert (await api.ask(BLAME))["post"]["blame"] == expected(VERSIONS)
    assert followed == list(range(1, VERSIONS + 1)), "no version is followed twice"


async def test_a_request_that_meets_a_turn_that_has_just_ended_computes_the_rest(
    api: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The callback that removes an ended turn runs only after the event loop has run other tasks."""
    computed, iterations = api.store.computed, itertools.count()
    bodies_after = blame_states._bodies_after

    def counted(*arguments: Any) -> Any:
        assert next(iterations) < 10 * VERSIONS, "the request waits for the ended turn forever"
        return bodies_after(*arguments)

    monkeypatch.setattr(blame_states, "_bodies_after", counted)
    ended: asyncio.Future[blame_states.BlameState] = asyncio.get_running_loop().create_future()
    with api.store.snapshot() as snapshot:
        post = post_queries.by_slug(snapshot, "mill")
        assert post is not None
        first = bodies_after(snapshot, post.seq, 0, [])[:5]
        ended.set_result(blame_states._follow(blame_states._NO_VERSION, first))
        generation = computed.generation(0)
        computed.put(("blame", post.seq), blame_states.BlameStates(turn=ended), 100, generation)
        blamed = await blame_states.blamed_body(snapshot, post, computed, 0)
    assert [{"text": span.text, "version": span.version} for span in blamed.spans] == expected(VERSIONS)


@pytest.mark.usefixtures("any_silence")
async def test_a_withdrawn_version_is_never_taken_from_the_cache(api: Client, tmp_path: Path) -> None:
    await api.ask(BLAME)
    assert len(api.store.computed) == 1
    head = await api.store.log.head()
    await withdraw(tmp_path / "data", head, "A court's order.")
    assert await api.store.views.wait_for(await api.store.log.head(), 20)
    blamed = (await api.ask(BLAME))["post"]["blame"]
    assert blamed == expected(VERSIONS - 1)
    assert f"version {VERSIONS}" not in str(blamed)


@pytest.mark.usefixtures("any_silence")
async def test_a_result_of_before_a_withdrawal_is_not_cached_after_it(api: Client, tmp_path: Path) -> None:
    computed = api.store.computed
    before = computed.generation(0)
    await withdraw(tmp_path / "data", await api.store.log.head(), "A court's order.")
    assert await api.store.views.wait_for(await api.store.log.head(), 20)
    computed.put("late", "withdrawn text", 100, before)
    assert len(computed) == 0
    with api.store.snapshot() as snapshot:
        generation = computed.generation(api.store.last_withdrawal(snapshot))
    assert computed.generation(0) is None, (
        "a process that still reads former views neither reads nor writes the cache"
    )
    computed.put("new", "text", 100, generation)
    assert computed.get("new", generation) == "text"
