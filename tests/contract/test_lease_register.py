"""What every adapter promises of the registers in which leases are kept."""

import asyncio

from ledgerpress.eventlog.lease_compare_and_set import LeaseRecord
from tests.engines.log_locations import LogPlace as Logs


async def test_a_register_is_compared_and_set(logs: Logs) -> None:
    one, other = (await logs.open()).leases, (await logs.open()).leases
    assert await one.read("schedules") is None
    assert await one.write("schedules", "node a", previous=3) is None
    assert await one.write("schedules", "node a", previous=0) == LeaseRecord(1, "node a")
    assert await other.write("schedules", "node b", previous=0) is None
    assert await other.read("schedules") == LeaseRecord(1, "node a")
    assert await other.write("schedules", "node b", previous=1) == LeaseRecord(2, "node b")
    assert await one.write("schedules", "node a", previous=1) is None
    assert await one.read("schedules") == LeaseRecord(2, "node b")
    assert await one.read("webhooks") is None


async def test_of_many_at_once_one_sets_it(logs: Logs) -> None:
    registers = [(await logs.open()).leases for _ in range(3)]
    for previous in range(5):
        answers = await asyncio.gather(
            *(registers[n % 3].write("schedules", f"node {n}", previous=previous) for n in range(12))
        )
        (winner,) = [answer for answer in answers if answer]
        assert winner == await registers[0].read("schedules")
        assert winner.revision == previous + 1


async def test_a_register_survives_a_restart(logs: Logs) -> None:
    log = await logs.open()
    await log.leases.write("schedules", "node a", previous=0)
    await logs.close(log)
    assert await (await logs.open()).leases.read("schedules") == LeaseRecord(1, "node a")
