"""Many concurrent clients, on one server process and on four that share a data directory."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from ledgerpress.features.posts.model import POSTS, PostEdited
from ledgerpress.graphql.relay import global_ids
from tests.integration.keep_alive_client import Client, Outcome, close_all
from tests.integration.log_history import assert_gapless, by_command, of_stream, recorded
from tests.integration.server_process import serving

pytestmark = pytest.mark.serial

on_one_and_on_four_processes = pytest.mark.parametrize("processes", [1, 4])


@asynccontextmanager
async def connected(data: Path, *, processes: int, clients: int) -> AsyncIterator[list[Client]]:
    """Yield `clients` clients, spread evenly over `processes` servers."""
    async with serving(data, processes) as servers:
        connections = [await servers[number % processes].connect() for number in range(clients)]
        try:
            yield connections
        finally:
            await close_all(connections)


async def all_at_once(clients: Sequence[Client], name: str, /, **input: object) -> list[Outcome]:
    """Let every client send the same mutation, formatted with the client's number."""
    return await asyncio.gather(
        *(client.mutate(name, **numbered(input, number)) for number, client in enumerate(clients))
    )


async def until_done(clients: Sequence[Client], name: str, /, **input: object) -> tuple[list[Outcome], int]:
    """Send the mutation by every client until none gets BUSY; return the results and how many got BUSY at first.

    A command gets BUSY only because of other processes: within one process, commands wait for each other.
    """
    outcomes = await all_at_once(clients, name, **input)
    busy = waiting = [number for number, outcome in enumerate(outcomes) if outcome.code == "BUSY"]
    while waiting:
        for number in waiting:
            outcomes[number] = await clients[number].mutate(name, **numbered(input, number))
        waiting = [number for number in waiting if outcomes[number].code == "BUSY"]
    return outcomes, len(busy)


def numbered(input: Mapping[str, object], number: int) -> dict[str, object]:
    return {key: text.format(number) if isinstance(text, str) else text for key, text in input.items()}


def stream_of(post: dict[str, object]) -> str:
    return POSTS.stream(global_ids.argument(str(post["id"]), "Post"))


@on_one_and_on_four_processes
async def test_of_64_edits_of_one_version_exactly_one_succeeds(tmp_path: Path, processes: int) -> None:
    data, winners = tmp_path / "data", {}
    async with connected(data, processes=processes, clients=64) as clients:
        for round_number in range(5):
            post = (await clients[0].mutate("postCreate", title=f"Round {round_number}")).done
            version = post["version"]
            outcomes = await all_at_once(
                clients, "postEdit", id=post["id"], title="Title {}", expectedVersion=version
            )
            codes = Counter(outcome.code for outcome in outcomes)
            assert codes == {None: 1, "VERSION_CONFLICT": 63}
            assert {outcome.errors[0]["currentVersion"] for outcome in outcomes if outcome.errors} == {
                version + 1
            }
            (winner,) = (outcome.done for outcome in outcomes if not outcome.errors)
            assert winner["version"] == version + 1
            winners[stream_of(post)] = winner["title"]
        events = await recorded(data)
    assert_gapless(events)
    for stream, title in winners.items():
        edits = [
            recorded_event.event
            for recorded_event in of_stream(events, stream)
            if isinstance(recorded_event.event, PostEdited)
        ]
        assert [edit.title for edit in edits] == [title]


@on_one_and_on_four_processes
async def test_edits_without_an_expected_version_are_all_recorded(tmp_path: Path, processes: int) -> None:
    data = tmp_path / "data"
    async with connected(data, processes=processes, clients=64) as clients:
        post = (await clients[0].mutate("postCreate", title="Much edited", slug="much-edited")).done
        outcomes, busy = await until_done(clients, "postEdit", id=post["id"], title="Title {}")
        assert Counter(outcome.code for outcome in outcomes) == {None: 64}
        assert busy <= (0 if processes == 1 else 32)
        events = await recorded(data)
    assert_gapless(events)
    edits = [edit for edit in of_stream(events, stream_of(post)) if isinstance(edit.event, PostEdited)]
    assert len(edits) == 64
    assert {edit.position for edit in edits} == {outcome.position for outcome in outcomes}
    by_position = {edit.position: edit.event for edit in edits}
    for number, outcome in enumerate(outcomes):
        edit = by_position[outcome.position or 0]
        assert isinstance(edit, PostEdited)
        assert edit.title == f"Title {number}"


@on_one_and_on_four_processes
async def test_an_idempotency_key_sent_by_all_clients_takes_effect_once(
    tmp_path: Path, processes: int
) -> None:
    data = tmp_path / "data"
    async with connected(data, processes=processes, clients=16) as clients:
        before = len(by_command(await recorded(data)))
        for number in range(10):
            name, key_prefix = f"Round {number}", f"round {number}"
            posts = await all_at_once(clients, "postCreate", title=name, idempotencyKey=f"{key_prefix} post")
            post = assert_took_effect_once(posts)
            categories = await all_at_once(
                clients, "categoryCreate", name=name, idempotencyKey=f"{key_prefix} category"
            )
            assert_took_effect_once(categories)
            edit = {"id": post["id"], "title": f"{name}!", "idempotencyKey": f"{key_prefix} edit"}
            if number % 2:
                edit["expectedVersion"] = post["version"]
            edited = assert_took_effect_once(await all_at_once(clients, "postEdit", **edit))
            assert edited["version"] == 2
        events = await recorded(data)
    assert_gapless(events)
    assert len(by_command(events)) == before + 30


def assert_took_effect_once(outcomes: Sequence[Outcome]) -> dict[str, object]:
    assert Counter(outcome.code for outcome in outcomes) == {None: len(outcomes)}
    assert Counter(outcome.replayed for outcome in outcomes) == {False: 1, True: len(outcomes) - 1}
    assert len({outcome.position for outcome in outcomes}) == 1
    assert len({outcome.done["id"] for outcome in outcomes}) == 1
    return outcomes[0].done


async def test_a_client_reads_its_own_writes_on_the_same_process(tmp_path: Path) -> None:
    query = "query ($id: ID!) { post(id: $id) { title version } }"

    async def write_and_read(client: Client, number: int) -> None:
        post = (await client.mutate("postCreate", title=f"Post {number}")).done
        for version in range(2, 12):
            title = f"Post {number}, version {version}"
            written = await client.mutate("postEdit", id=post["id"], title=title)
            assert written.done["title"] == title
            assert written.seen_at >= (written.position or 0)
            data, seen_at = await client.execute(query, id=post["id"])
            assert data["post"] == {"title": title, "version": version}
            assert seen_at >= (written.position or 0)

    async with connected(tmp_path / "data", processes=4, clients=16) as clients:
        await asyncio.gather(*(write_and_read(client, number) for number, client in enumerate(clients)))


@on_one_and_on_four_processes
async def test_an_explicit_slug_goes_to_one_post_and_derived_slugs_get_numbers(
    tmp_path: Path, processes: int
) -> None:
    data = tmp_path / "data"
    async with connected(data, processes=processes, clients=32) as clients:
        outcomes, busy = await until_done(clients, "postCreate", title="Tide Mill")
        assert Counter(outcome.code for outcome in outcomes) == {None: 32}
        assert busy <= (0 if processes == 1 else 16)
        slugs = {outcome.done["slug"] for outcome in outcomes}
        assert slugs == {"tide-mill", *(f"tide-mill-{number}" for number in range(2, 33))}

        outcomes = await all_at_once(clients, "postCreate", title="Post {}", slug="night-market")
        assert Counter(outcome.code for outcome in outcomes) == {None: 1, "SLUG_TAKEN": 31}
        assert_gapless(await recorded(data))
