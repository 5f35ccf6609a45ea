"""Appends of several processes begin together."""

import asyncio

from ledgerpress.server.workers.append_gathering import MAX_SECONDS, AppendGathering
from tests.time_skipping_loop import now, run_skipping

DURATION = 0.01


class Appends:
    """Appends that take `DURATION`, and the times at which they began."""

    def __init__(self) -> None:
        self.gathering = AppendGathering()
        self.begins: list[float] = []

    async def append(self, at: float) -> None:
        await asyncio.sleep(at - now())
        async with self.gathering.turn():
            self.begins.append(round(now(), 6))
            await asyncio.sleep(DURATION)

    async def run(self, *times: float) -> list[float]:
        """Append at these times, and return the times at which the appends began."""
        await asyncio.gather(*map(self.append, times))
        return self.begins


def begins(*times: float) -> list[float]:
    async def run() -> list[float]:
        return await Appends().run(*times)

    return run_skipping(run())


def test_a_single_client_never_waits() -> None:
    assert begins(0.0, 0.02, 0.04, 1.0) == [0.0, 0.02, 0.04, 1.0]


def test_appends_that_arrive_during_another_one_begin_together_after_it() -> None:
    assert begins(0.0, 0.003, 0.007) == [0.0, DURATION, DURATION]


def test_after_a_large_group_the_next_ones_wait_for_each_other() -> None:
    first = [0.0] * 3
    # The first of the next three waits until the third has arrived.
    assert begins(*first, 0.011, 0.012, 0.013) == [*first, 0.013, 0.013, 0.013]


def test_the_wait_is_limited() -> None:
    first = [0.0] * 3
    assert begins(*first, 0.011) == [*first, round(0.011 + MAX_SECONDS, 6)]


def test_nothing_waits_after_a_pause() -> None:
    first = [0.0] * 3
    assert begins(*first, 0.5) == [*first, 0.5]


def test_a_cancelled_append_does_not_keep_others_waiting() -> None:
    async def run() -> list[float]:
        appends = Appends()
        tasks = [asyncio.create_task(appends.append(at)) for at in (0.0, 0.003, 0.004)]
        await asyncio.sleep(0.005)
        tasks[1].cancel()
        await asyncio.wait(tasks)
        await appends.append(0.5)
        return appends.begins

    assert run_skipping(run()) == [0.0, DURATION, 0.5]
