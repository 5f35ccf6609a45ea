"""The two servers that protocol tests run against: the `reference_server` of a module, and LedgerPress."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.conformance.reference_servers import ProtocolServer, ledgerpress_server


@pytest.fixture(params=["reference", "ledgerpress"])
async def server(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[ProtocolServer]:
    """A server that implements the protocol."""
    if request.param == "reference":
        yield request.getfixturevalue("reference_server")
    else:
        async with ledgerpress_server(tmp_path / "data") as started:
            yield started
