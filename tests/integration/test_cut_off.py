"""A subscriber that is cut off repeatedly and resumes at another process on the same data misses nothing."""

import asyncio
import random
from contextlib import closing
from pathlib import Path

import pytest

from tests.integration.interrupted_subscribers import Cut, Follow, Wire, over_event_stream, over_websocket
from tests.integration.server_process import Server, serving

LEAST_BYTES = 80
"""Each event takes many more bytes than this on the wire, so some events remain for the last connection."""


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
    rng: random.Random,
) -> tuple[list[int], int]:
    """Return the positions that a subscriber received, and how often it was cut off in the middle of a frame."""
    positions: list[int] = []
    in_a_frame = 0
    for number in range(cuts + 1):
        # The last connection is not cut off: it receives the remaining events.
        budget = None if number == cuts else rng.randrange(1, 2 * LEAST_BYTES * events // cuts)
        position = positions[-1] if positions else start
        try:
            with closing(Wire(addresses[number % len(addresses)])) as wire:
                stream = follow_on(wire, position, budget)
                while len(positions) < events:
                    positions.append(next(stream))
        except Cut as cut:
            in_a_frame += cut.in_a_frame
        else:
            assert number == cuts, f"all events had arrived after {number} cuts"
            break
    return positions, in_a_frame


@pytest.mark.parametrize(
    ("follow_on", "events", "cuts"),
    [
        pytest.param(over_websocket, 1_000, 100, id="websocket"),
        pytest.param(over_event_stream, 200, 30, id="event stream"),
    ],
)
async def test_a_subscriber_that_is_cut_off_receives_each_event_once(
    tmp_path: Path, follow_on: Follow, events: int, cuts: int
) -> None:
    rng = random.Random(19)
    async with serving(tmp_path / "data", 3) as servers:
        addresses = [await server.address() for server in servers[:2]]
        async with await servers[0].connect() as client:
            _, start = await client.execute("{ moment { position } }")
        following = asyncio.create_task(
            asyncio.to_thread(follow, addresses, start, events, cuts, follow_on, rng)
        )
        writers = [servers[0], servers[2]]  # one that it subscribes to, and one that it never uses
        await asyncio.gather(*(write(server, f"Writer {n}", events // 2) for n, server in enumerate(writers)))
        async with asyncio.timeout(120):
            positions, in_a_frame = await following
    assert positions == list(range(start + 1, start + events + 1))
    assert in_a_frame > cuts / 2
