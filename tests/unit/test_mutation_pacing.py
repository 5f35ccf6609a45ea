"""Mutations begin in order and in groups, and other work runs between two groups."""

import asyncio

from ledgerpress.graphql.limits.mutation_pacing import GROUP, TURNS, MutationPacing


async def _turns(number: int) -> None:
    for _ in range(number):
        await asyncio.sleep(0)


async def test_a_group_begins_at_once_and_the_others_wait_for_many_turns() -> None:
    pacing, begun = MutationPacing(), list[int]()

    async def mutation(number: int) -> None:
        await pacing.begin()
        begun.append(number)

    tasks = [asyncio.create_task(mutation(number)) for number in range(2 * GROUP + 3)]
    await _turns(1)
    assert begun == list(range(GROUP))
    await _turns(TURNS - 1)
    assert len(begun) == GROUP
    await _turns(2)
    assert begun == list(range(2 * GROUP))
    await asyncio.gather(*tasks)
    assert begun == list(range(2 * GROUP + 3))


async def test_a_mutation_during_the_turns_after_a_group_waits_and_one_after_them_does_not() -> None:
    pacing = MutationPacing()
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


async def test_a_cancelled_mutation_takes_no_place_in_a_group() -> None:
    pacing, begun = MutationPacing(), list[int]()

    async def mutation(number: int) -> None:
        await pacing.begin()
        begun.append(number)

    tasks = [asyncio.create_task(mutation(number)) for number in range(3 * GROUP)]
    await _turns(2)
    for task in tasks[GROUP : 2 * GROUP]:
        task.cancel()
    await _turns(TURNS)
    assert begun == [*range(GROUP), *range(2 * GROUP, 3 * GROUP)]
    await asyncio.gather(*tasks, return_exceptions=True)


def test_an_ended_event_loop_keeps_no_mutation_waiting() -> None:
    pacing = MutationPacing()

    async def full() -> None:
        for _ in range(GROUP):
            await pacing.begin()

    for _ in range(2):
        asyncio.run(asyncio.wait_for(full(), timeout=10))
