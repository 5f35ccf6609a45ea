"""A log whose engine a test makes unreachable, at moments when a real engine rarely fails."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from ledgerpress.eventlog.errors import AppendUnresolved, LogUnavailable
from ledgerpress.eventlog.log import OpenedLog, StreamWrite
from ledgerpress.server import log_factory
from ledgerpress.server.log_factory import open_log
from ledgerpress.server.log_url import LogUrl


class Severed:
    """The state of all logs opened by `severable`.

    If `away` is true, the logs are unreachable and raise `error`. If `mute` is true, they become unreachable after the next append is recorded
    and before it is acknowledged. `calls` counts the calls of all logs.
    """

    def __init__(self) -> None:
        self.away = False
        self.error: type[Exception] = LogUnavailable
        self.mute = False
        self.calls = 0


class _Log:
    def __init__(self, log: OpenedLog, severed: Severed) -> None:
        self._log = log
        self._severed = severed
        self.notices = ("unsynced: a test says so",)
        self.counts = {"reconnects": 3, "resolved": 2}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._log, name)

    async def append(self, writes: Sequence[StreamWrite]) -> int:
        self._check()
        position = await self._log.append(writes)
        if self._severed.mute:
            self._severed.away = True
            raise AppendUnresolved("the connection broke")
        return position

    async def head(self) -> int:
        self._check()
        return await self._log.head()

    async def read(self, after: int, limit: int) -> Any:
        self._check()
        return await self._log.read(after, limit)

    async def read_stream(self, stream: str, after: int = 0) -> Any:
        self._check()
        return await self._log.read_stream(stream, after)

    async def wait_beyond(self, position: int, timeout: float) -> bool:
        self._check()
        # A short wait, so that a waiting client soon notices that the log is away.
        return await self._log.wait_beyond(position, min(timeout, 0.05))

    def _check(self) -> None:
        self._severed.calls += 1
        if self._severed.away:
            raise self._severed.error("the cable is cut")


@contextmanager
def severable(monkeypatch: pytest.MonkeyPatch) -> Iterator[Severed]:
    """Make every store that is opened use a log that the test can make unreachable."""
    severed = Severed()

    async def opened(url: LogUrl, data: Path, *, create_as: Callable[[], str] | None) -> Any:
        if severed.away:
            raise LogUnavailable("the cable is cut")
        return _Log(await open_log(url, data, create_as=create_as), severed)

    monkeypatch.setattr(log_factory, "open_log", opened)
    yield severed
