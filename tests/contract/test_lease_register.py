"""The contract of every adapter: the registers that store leases."""

import asyncio

from ledgerpress.eventlog.lease_compare_and_set import LeaseRecord
from tests.engines.log_locations import LogPlace as Logs


async def test_a_register_is_written_by_compare_and_set(logs: Logs) -> None:
    first, second = (await logs.open()).leases, (await logs.open()).leases
    assert await first.read("schedules") is None
    assert await first.write("schedules", "node a", previous=3) is None
    assert await first.write("schedules", "node a", previous=0) == LeaseRecord(1, "node a")
    assert await second.write("schedules", "node b", previous=0) is None
    assert await second.read("schedules") == LeaseRecord(1, "node a")
    assert await second.write("schedules", "node b", previous=1) == LeaseRecord(2, "node b")
    assert await first.write("schedules", "node a", previous=1) is None
    assert await first.read("schedules") == LeaseRecord(2, "node b")
    assert await first.read("webhooks") is None


async def test_one_of_many_concurrent_writes_to_a_register_succeeds(logs: Logs) -> None:
    registers = [(await logs.open()).leases for _ in range(3)]
    for previous in range(5):
        results = await asyncio.gather(
            *(registers[n % 3].write("schedules", f"node {n}", previous=previous) for n in range(12))
        )
        (winner,) = [result for result in results if result]
        assert winner == await registers[0].read("schedules")
        assert winner.revision == previous + 1


async def test_a_register_survives_a_restart(logs: Logs) -> None:
    log = await logs.open()
    await log.leases.write("schedules", "node a", previous=0)
    await logs.close(log)
    assert await (await logs.open()).leases.read("schedules") == LeaseRecord(1, "node a")
