"""Leases on every engine: who holds one, and that the log takes nothing from whoever held it before."""

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

FOR_EVER: Final = 3_600.0
"""Seconds: a lease that lasts so long does not run out in a test."""
SOON: Final = 1.5


class CutOff(LeaseRegister):
    """The register of a node that is cut off at some time."""

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
    """What a node takes leases with."""
    made = Leases(log, event_codec(), SystemClock(), SystemRandomness(), node=name, duration=duration)
    if register is not None:
        made._register = register
    return made


async def test_of_many_one_works_at_a_time_and_each_time_with_a_greater_token(logs: Logs) -> None:
    opened = [await logs.open() for _ in range(3)]
    working, tokens = set[str](), list[int]()

    async def work(name: str, log: OpenedLog) -> None:
        leases = node(log, name, duration=FOR_EVER)
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


async def test_a_holder_that_is_cut_off_is_told_and_whatever_it_still_writes_is_refused(logs: Logs) -> None:
    first, second = await logs.open(), await logs.open()
    register = CutOff(first.leases)
    held, fences = asyncio.Event(), list[Fence]()

    async def hold() -> None:
        async with node(first, "first", duration=SOON, register=register).hold("schedules") as fence:
            fences.append(fence)
            await fence.append(first, [sample_write("post.a", NO_STREAM)])
            held.set()
            await asyncio.sleep(FOR_EVER)

    async with asyncio.timeout(120):
        holding = asyncio.create_task(hold())
        await held.wait()
        register.reachable = False
        async with node(second, "second", duration=FOR_EVER).hold("schedules") as fence:
            with pytest.raises(LeaseLost):
                await holding
            with pytest.raises(LeaseLost) as refusal:
                await fences[0].append(first, [sample_write("post.a", 1), sample_write("post.b", NO_STREAM)])
            assert (refusal.value.lease, refusal.value.token) == ("schedules", 1)
            assert fence.token == 2
            await fence.append(second, [sample_write("post.a", 1)])
            with pytest.raises(WrongExpectedVersion):
                await fence.append(second, [sample_write("post.a", 1)])
    assert await places(second) == [
        ("lease.schedules", 1), ("post.a", 1), ("lease.schedules", 2), ("post.a", 2)
    ]  # fmt: skip


async def test_a_lease_that_is_given_up_is_taken_at_once(logs: Logs) -> None:
    first, second = await logs.open(), await logs.open()
    async with asyncio.timeout(120):
        async with node(first, "first", duration=FOR_EVER).hold("schedules"):
            waiting = asyncio.create_task(_held(node(second, "second", duration=FOR_EVER)))
            await asyncio.sleep(0.1)
            assert not waiting.done()
        assert (await waiting).token == 2


async def test_a_lease_of_a_node_that_never_comes_back_runs_out(logs: Logs) -> None:
    lost, log = await logs.open(), await logs.open()
    leases = node(lost, "lost", duration=SOON)
    # As a node that was killed leaves it: taken, and not given up.
    await leases._acquire("schedules")
    await logs.close(lost)
    async with asyncio.timeout(120):
        assert (await _held(node(log, "heir", duration=FOR_EVER))).token == 2
    assert await takings(log, "schedules") == ["lost", "heir"]


async def test_takings_are_events_like_others(logs: Logs) -> None:
    log = await logs.open()
    for name in ("schedules", "webhooks"):
        await _held(node(log, "node", duration=FOR_EVER), name)
    codec = event_codec()
    found = [codec.decode(stored) for stored in await everything(log)]
    assert [(one.header.type, one.header.stream, one.event) for one in found] == [
        ("lease.taken", f"lease.{name}", codec.decode(stored).event)
        for name, stored in zip(("schedules", "webhooks"), await everything(log), strict=True)
    ]
    assert [getattr(one.event, "lease", None) for one in found] == ["schedules", "webhooks"]


async def _held(leases: Leases, name: str = "schedules") -> Fence:
    async with leases.hold(name) as fence:
        return fence
