"""The servers of protocol tests: the `reference_server` of a module, and LedgerPress with one worker and with four."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.conformance.reference_servers import ProtocolServer, ledgerpress_server
from tests.integration.several_workers import VARIABLE, pytest_generate_tests, workers

__all__ = ["pytest_generate_tests", "workers"]


@pytest.fixture(params=["reference", "ledgerpress", "ledgerpress with four workers"])
async def server(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[ProtocolServer]:
    """A server that implements the protocol."""
    if request.param == "reference":
        yield request.getfixturevalue("reference_server")
    else:
        monkeypatch.setenv(VARIABLE, "1" if request.param == "ledgerpress" else "4")
        async with ledgerpress_server(tmp_path / "data") as started:
            yield started
