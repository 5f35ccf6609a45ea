"""A server is killed during bulk requests: atomic ones have an effect as a whole, and a retry applies nothing twice.

`scripts/bench bulk_kills` kills more often, with larger requests, and on the other engines.
"""

from pathlib import Path
from random import Random

import pytest

from ledgerpress.server.data_directory import LOG_FILE
from ledgerpress.server.log_factory import open_log
from ledgerpress.server.log_url import LogUrl
from tests.integration.bulk_kills import KilledBulkRequests
from tests.integration.server_process import Servers
from tests.property.view_rows import rebuilt, rows_of, views_in_use


@pytest.mark.slow
async def test_bulk_requests_survive_kills(tmp_path: Path) -> None:
    data = tmp_path / "data"
    url = f"sqlite:{data / LOG_FILE}"
    async with Servers(tmp_path) as servers:
        requests = KilledBulkRequests(servers, data, url, 150, Random(78))
        await requests.run(kills=4)
    log = await open_log(LogUrl.parse(url), Path(), create_as=None)
    try:
        assert rows_of(views_in_use(data)) == await rebuilt(log, tmp_path / "rebuilt.db", batch_size=500)
    finally:
        await log.aclose()
