"""The lag of projections behind the log."""

from ledgerpress.eventlog.clock_randomness_ids import uuid8
from ledgerpress.eventlog.envelope import NewEvent, SealedPayload
from ledgerpress.eventlog.log import NO_STREAM, StreamWrite
from ledgerpress.eventlog.log_health import LogHealth
from ledgerpress.views.projection.checkpoints import Checkpoint
from ledgerpress.views.projection.lag import Lag, lags
from tests.property.memory_log import MemoryLog


def event(recorded_at: int) -> NewEvent:
    some_id = uuid8("event", recorded_at)
    return NewEvent(
        event_id=some_id,
        type="site.named",
        schema_version=1,
        recorded_at=recorded_at,
        actor_id=some_id,
        command_id=some_id,
        correlation_id=some_id,
        payload=SealedPayload("json", b"{}", bytes(32)),
    )


async def test_lag_counts_from_the_first_event_not_yet_applied_and_is_never_negative() -> None:
    log = MemoryLog(uuid8("publication"))
    points = {name: Checkpoint(position, None) for name, position in (("a", 0), ("b", 2), ("c", 3))}
    points["d"] = Checkpoint(1, None, "it failed")
    assert await lags(log, {"a": Checkpoint(0, None)}, 0, LogHealth()) == {"a": Lag(0, 0.0)}

    times = (10_000_000, 12_500_000, 11_000_000)
    await log.append([StreamWrite("site", NO_STREAM, (event(times[0]),))])
    for version, time in enumerate(times[1:], 1):
        await log.append([StreamWrite("site", version, (event(time),))])
    assert await lags(log, points, 13_000_000, LogHealth()) == {
        "a": Lag(3, 3.0),
        "b": Lag(1, 2.0),
        "c": Lag(0, 0.0),
        "d": Lag(2, 0.5),
    }
    assert {lag.seconds for lag in (await lags(log, points, 9_000_000, LogHealth())).values()} == {0.0}
    ahead = {"e": Checkpoint(7, None)}
    assert await lags(log, ahead, 13_000_000, LogHealth()) == {"e": Lag(0, 0.0)}, "another process was faster"
