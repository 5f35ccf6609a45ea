"""The location of a log on any engine, which can be opened several times, as by several nodes."""

from pathlib import Path

from ledgerpress.eventlog.clock_randomness_ids import uuid8
from ledgerpress.eventlog.log import OpenedLog
from ledgerpress.server.log_factory import open_log
from ledgerpress.server.log_url import LogUrl


class LogPlace:
    """The log at a URL. Each attempt to create it has another publication id, of which one is stored."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._opened: list[OpenedLog] = []
        self._calls = 0

    async def open(self) -> OpenedLog:
        """Open the log; the first call creates it."""
        self._calls += 1
        call = self._calls
        log = await open_log(
            LogUrl.parse(self.url), Path(), create_as=lambda: uuid8("publication", self.url, call)
        )
        self._opened.append(log)
        return log

    async def close(self, log: OpenedLog) -> None:
        await log.aclose()

    async def close_all(self) -> None:
        for log in self._opened:
            await log.aclose()


def another_place(url: str, number: int) -> str:
    """Return the URL of another new log on the same engine."""
    named = LogUrl.parse(url)
    if named.engine == "sqlite":
        return f"{url}-{number}"
    former = f"publication={named.publication}"
    assert former in url
    return url.replace(former, f"{former}-{number}")
