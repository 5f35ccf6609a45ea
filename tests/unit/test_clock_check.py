"""The clock of the NATS servers is read from their time, with nanoseconds and any offset."""

from unittest.mock import Mock

import msgspec
import pytest

from ledgerpress.adapters.jetstream.clock_check import ClockCheck
from ledgerpress.adapters.jetstream.stream_leader_api import StreamInfo
from ledgerpress.eventlog.errors import LogUnavailable
from ledgerpress.rfc3339 import parse

NOW = "2024-12-22T09:00:00Z"


async def _difference_is_accepted(monkeypatch: pytest.MonkeyPatch, server_time: str) -> bool:
    monkeypatch.setattr(
        "ledgerpress.adapters.jetstream.clock_check.time.time", lambda: parse(NOW) / 1_000_000
    )
    state = {"messages": 0, "bytes": 0, "first_seq": 1, "last_seq": 0}
    info = msgspec.convert({"config": {}, "state": state, "ts": server_time}, StreamInfo)
    check = ClockCheck(Mock(info=_returning(info)))
    check.compare(info)
    try:
        await check.check()
    except LogUnavailable:
        return False
    finally:
        await check.close()
    return True


def _returning(info: StreamInfo) -> object:
    async def answer() -> StreamInfo:
        return info

    return answer


@pytest.mark.parametrize(
    ("server_time", "accepted"),
    [
        (NOW, True),
        ("2024-12-22T09:00:00.123456789Z", True),
        ("2024-12-22T10:00:00.123456789+01:00", True),
        ("2024-12-22T10:00:00.1+01:00", True),
        ("2024-12-22T09:00:00.123456789+01:00", False),
        ("2024-12-22T09:00:07Z", False),
        ("", True),
    ],
)
async def test_the_clocks_are_compared_at_any_offset(
    monkeypatch: pytest.MonkeyPatch, server_time: str, accepted: bool
) -> None:
    assert await _difference_is_accepted(monkeypatch, server_time) is accepted
