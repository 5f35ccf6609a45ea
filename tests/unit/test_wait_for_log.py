"""A starting server waits for its log until its timeout, and no longer."""

import asyncio
from pathlib import Path

import pytest

from ledgerpress.eventlog.errors import LogUnavailable
from ledgerpress.server import log_factory
from ledgerpress.server.log_factory import open_when_available
from ledgerpress.server.log_url import LogUrl


async def test_an_attempt_without_a_response_ends_at_the_timeout(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    attempts = 0

    async def frozen(*_: object, **__: object) -> None:
        nonlocal attempts
        attempts += 1
        if attempts == 1:
            raise LogUnavailable("no answer")
        await asyncio.Event().wait()

    monkeypatch.setattr(log_factory, "open_log", frozen)
    url = LogUrl.parse("postgresql://db/news?publication=daily")
    async with asyncio.timeout(30):
        with pytest.raises(LogUnavailable, match="cannot be reached: no answer: check that"):
            await open_when_available(url, tmp_path, create_as=None, timeout=0.5)
    assert attempts == 2
