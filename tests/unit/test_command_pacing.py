"""Commands begin in order and in groups, and other work runs between two groups."""

import asyncio
import time

from ledgerpress.commands.command_pacing import GROUP, MAX_SECONDS, TURNS, CommandPacing


async def _turns(number: int) -> None:
    for _ in range(number):
        await asyncio.sleep(0)


async def test_a_group_begins_at_once_and_the_others_wait_for_many_turns() -> None:
    pacing, begun = CommandPacing(), list[int]()

    async def command(number: int) -> None:
        await pacing.begin()
        begun.append(number)

    tasks = [asyncio.create_task(command(number)) for number in range(2 * GROUP + 3)]
    await _turns(1)
    assert begun == list(range(GROUP))
    await _turns(TURNS - 1)
    assert len(begun) == GROUP
    await _turns(2)
    assert begun == list(range(2 * GROUP))
    await asyncio.gather(*tasks)
    assert begun == list(range(2 * GROUP + 3))


async def test_a_command_during_the_turns_after_a_group_waits_and_one_after_them_does_not() -> None:
    pacing = CommandPacing()
    await pacing.begin()
    await _turns(2)
    late = asyncio.create_task(pacing.begin())
    await _turns(2)
    assert not late.done()
    await late
    await _turns(TURNS + 1)
    soon = asyncio.create_task(pacing.begin())
    await _turns(1)
    assert soon.done()


async def test_a_cancelled_command_takes_no_place_in_a_group() -> None:
    pacing, begun = CommandPacing(), list[int]()

    async def command(number: int) -> None:
        await pacing.begin()
        begun.append(number)

    tasks = [asyncio.create_task(command(number)) for number in range(3 * GROUP)]
    await _turns(2)
    for task in tasks[GROUP : 2 * GROUP]:
        task.cancel()
    await _turns(TURNS)
    assert begun == [*range(GROUP), *range(2 * GROUP, 3 * GROUP)]
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_a_newcomer_does_not_pass_commands_that_wait() -> None:
    pacing, begun = CommandPacing(), list[int]()

    async def command(number: int) -> None:
        await pacing.begin()
        begun.append(number)

    first = [asyncio.create_task(command(number)) for number in range(GROUP + 2)]
    newcomers = list[asyncio.Task[None]]()
    while len(begun) < GROUP + 2:
        newcomers.append(asyncio.create_task(command(GROUP + 2 + len(newcomers))))
        await _turns(1)
    await asyncio.gather(*first, *newcomers)
    assert begun == sorted(begun)


async def test_long_turns_delay_a_group_for_a_limited_time() -> None:
    pacing = CommandPacing()
    await pacing.begin()
    await _turns(1)
    late = asyncio.create_task(pacing.begin())
    await _turns(1)
    time.sleep(MAX_SECONDS)  # noqa: ASYNC251 - a turn with slow queries
    await _turns(2)
    assert late.done()
