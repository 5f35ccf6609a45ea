"""A subscriber who is cut off again and again, and resumes at another process on the same data, misses nothing."""

import asyncio
import random
from contextlib import closing
from pathlib import Path

import pytest

from tests.integration.interrupted_subscribers import Cut, Follow, Wire, over_event_stream, over_websocket
from tests.integration.server_process import Server, serving

LEAST_BYTES = 110
"""An event takes more on its way; so that events are left for the last connection."""


async def write(server: Server, name: str, count: int) -> None:
    """Record `count` events."""
    async with await server.connect() as client:
        for number in range(count):
            outcome = await client.mutate("authorRegister", name=f"{name} {number}")
            assert not outcome.errors


def follow(
    addresses: list[tuple[str, int]],
    start: int,
    events: int,
    cuts: int,
    follow_on: Follow,
    chance: random.Random,
) -> tuple[list[int], int]:
    """Return the positions that a subscriber got, and how often it was cut in the middle of a frame."""
    got: list[int] = []
    in_a_frame = 0
    for number in range(cuts + 1):
        # The last connection stays: it gets what is left.
        budget = None if number == cuts else chance.randrange(1, 2 * LEAST_BYTES * events // cuts)
        position = got[-1] if got else start
        try:
            with closing(Wire(addresses[number % len(addresses)])) as wire:
                stream = follow_on(wire, position, budget)
                while len(got) < events:
                    got.append(next(stream))
        except Cut as cut:
            in_a_frame += cut.in_a_frame
        else:
            assert number == cuts, f"everything had come after {number} cuts"
            break
    return got, in_a_frame


@pytest.mark.parametrize(
    ("follow_on", "events", "cuts"),
    [
        pytest.param(over_websocket, 1_000, 100, id="websocket"),
        pytest.param(over_event_stream, 200, 30, id="event stream"),
    ],
)
async def test_a_subscriber_who_is_cut_off_has_each_event_once(
    tmp_path: Path, follow_on: Follow, events: int, cuts: int
) -> None:
    chance = random.Random(19)
    async with serving(tmp_path / "data", 3) as servers:
        addresses = [await server.address() for server in servers[:2]]
        async with await servers[0].connect() as client:
            _, start = await client.execute("{ moment { position } }")
        following = asyncio.create_task(
            asyncio.to_thread(follow, addresses, start, events, cuts, follow_on, chance)
        )
        writers = [servers[0], servers[2]]  # one that it subscribes at, and one that it never does
        await asyncio.gather(*(write(server, f"Writer {n}", events // 2) for n, server in enumerate(writers)))
        async with asyncio.timeout(120):
            got, in_a_frame = await following
    assert got == list(range(start + 1, start + events + 1))
    assert in_a_frame > cuts / 2
