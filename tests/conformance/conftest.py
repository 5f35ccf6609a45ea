"""The two sides that a protocol is tested of: a module's own `reference_server`, and ours."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.conformance.reference_servers import Side, ours


@pytest.fixture(params=["reference", "ours"])
async def side(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Side]:
    """A server of the protocol."""
    if request.param == "reference":
        yield request.getfixturevalue("reference_server")
    else:
        async with ours(tmp_path / "data") as one:
            yield one
