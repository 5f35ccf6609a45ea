"""Leases on every engine: one holder at a time, and the log rejects appends of former holders."""

import asyncio
from typing import Final

import pytest

from ledgerpress.eventlog.clock_randomness_ids import SystemClock, SystemRandomness
from ledgerpress.eventlog.errors import LogUnavailable, WrongExpectedVersion
from ledgerpress.eventlog.lease_compare_and_set import LeaseRecord, LeaseRegister
from ledgerpress.eventlog.leases import Fence, LeaseLost, Leases
from ledgerpress.eventlog.log import ANY_VERSION, NO_STREAM, OpenedLog
from ledgerpress.features.registry import event_codec
from tests.contract.sample_events import everything, places, sample_write
from tests.engines.log_locations import LogPlace as Logs
from tests.lease_proxies import takings

LONG: Final = 3_600.0
"""Seconds; long enough that a lease does not expire during a test."""
SHORT: Final = 1.5


class DisconnectableRegister(LeaseRegister):
    """The lease register of a node that can lose its connection."""

    def __init__(self, register: LeaseRegister) -> None:
        self._register = register
        self.reachable = True

    async def read(self, name: str) -> LeaseRecord | None:
        self._check()
        return await self._register.read(name)

    async def write(self, name: str, holder: str, *, previous: int) -> LeaseRecord | None:
        self._check()
        return await self._register.write(name, holder, previous=previous)

    def _check(self) -> None:
        if not self.reachable:
            raise LogUnavailable("this node is cut off")


def node(log: OpenedLog, name: str, *, duration: float, register: LeaseRegister | None = None) -> Leases:
    """Return the leases of a node."""
    leases = Leases(log, event_codec(), SystemClock(), SystemRandomness(), node=name, duration=duration)
    if register is not None:
        leases._register = register
    return leases


async def test_one_holder_works_at_a_time_and_each_has_a_greater_token(logs: Logs) -> None:
    opened = [await logs.open() for _ in range(3)]
    working, tokens = set[str](), list[int]()

    async def work(name: str, log: OpenedLog) -> None:
        leases = node(log, name, duration=LONG)
        for _ in range(3):
            async with leases.hold("schedules") as fence:
                assert not working
                working.add(name)
                tokens.append(fence.token)
                await fence.append(log, [sample_write("post.a", ANY_VERSION)])
                await asyncio.sleep(0.01)
                working.remove(name)

    async with asyncio.timeout(120):
        await asyncio.gather(*(work(f"node-{n}", log) for n, log in enumerate(opened)))
    assert tokens == list(range(1, 10))
    assert sorted(await takings(opened[0], "schedules")) == sorted(["node-0", "node-1", "node-2"] * 3)
    assert [stream for stream, _ in await places(opened[0])] == ["lease.schedules", "post.a"] * 9


async def test_a_disconnected_holder_loses_its_lease_and_its_later_appends_are_rejected(logs: Logs) -> None:
    first, second = await logs.open(), await logs.open()
    register = DisconnectableRegister(first.leases)
    held, fences = asyncio.Event(), list[Fence]()

    async def hold() -> None:
        async with node(first, "first", duration=SHORT, register=register).hold("schedules") as fence:
            fences.append(fence)
            await fence.append(first, [sample_write("post.a", NO_STREAM)])
            held.set()
            await asyncio.sleep(LONG)

    async with asyncio.timeout(120):
        holding = asyncio.create_task(hold())
        await held.wait()
        register.reachable = False
        async with node(second, "second", duration=LONG).hold("schedules") as fence:
            with pytest.raises(LeaseLost):
                await holding
            with pytest.raises(LeaseLost) as error:
                await fences[0].append(first, [sample_write("post.a", 1), sample_write("post.b", NO_STREAM)])
            assert (error.value.lease, error.value.token) == ("schedules", 1)
            assert fence.token == 2
            await fence.append(second, [sample_write("post.a", 1)])
            with pytest.raises(WrongExpectedVersion):
                await fence.append(second, [sample_write("post.a", 1)])
    assert await places(second) == [
        ("lease.schedules", 1), ("post.a", 1), ("lease.schedules", 2), ("post.a", 2)
    ]  # fmt: skip


async def test_a_released_lease_is_acquired_immediately(logs: Logs) -> None:
    first, second = await logs.open(), await logs.open()
    async with asyncio.timeout(120):
        async with node(first, "first", duration=LONG).hold("schedules"):
            waiting = asyncio.create_task(_hold_once(node(second, "second", duration=LONG)))
            await asyncio.sleep(0.1)
            assert not waiting.done()
        assert (await waiting).token == 2


async def test_the_lease_of_a_killed_node_expires(logs: Logs) -> None:
    lost, log = await logs.open(), await logs.open()
    leases = node(lost, "lost", duration=SHORT)
    # A killed node leaves its lease like this: acquired, but not released.
    await leases._acquire("schedules")
    await logs.close(lost)
    async with asyncio.timeout(120):
        assert (await _hold_once(node(log, "heir", duration=LONG))).token == 2
    assert await takings(log, "schedules") == ["lost", "heir"]


async def test_each_acquired_lease_is_recorded_as_an_event(logs: Logs) -> None:
    log = await logs.open()
    for name in ("schedules", "webhooks"):
        await _hold_once(node(log, "node", duration=LONG), name)
    codec = event_codec()
    events = [codec.decode(stored) for stored in await everything(log)]
    assert [(recorded.header.type, recorded.header.stream, recorded.event) for recorded in events] == [
        ("lease.taken", f"lease.{name}", codec.decode(stored).event)
        for name, stored in zip(("schedules", "webhooks"), await everything(log), strict=True)
    ]
    assert [getattr(recorded.event, "lease", None) for recorded in events] == ["schedules", "webhooks"]


async def _hold_once(leases: Leases, name: str = "schedules") -> Fence:
    async with leases.hold(name) as fence:
        return fence
