"""What `ledgerpress serve` accepts from trusted proxies: the address of the client, and the prefix of the site."""

from pathlib import Path

import httpx2
import pytest

from tests.integration.server_process import EVERYONE_IS_ADMIN, Servers
from tests.integration.test_logs import accesses, base

FORWARDED = {"X-Forwarded-For": "203.0.113.9", "X-Forwarded-Prefix": "/news"}


@pytest.mark.parametrize(
    ("proxies", "client", "prefix"),
    [("127.0.0.1", "203.0.113.9", "/news"), ("10.0.0.0/8", "127.0.0.1", ""), ("", "127.0.0.1", "")],
)
async def test_forwarded_headers_are_accepted_only_from_trusted_proxies(
    proxies: str, client: str, prefix: str, tmp_path: Path
) -> None:
    async with Servers(tmp_path, {**EVERYONE_IS_ADMIN, "LEDGERPRESS_TRUSTED_PROXIES": proxies}) as servers:
        server = await servers.start(tmp_path / "data", "--profile", "production")
        async with httpx2.AsyncClient(base_url=await base(server), headers=FORWARDED) as http:
            page = await http.get("/")
            assert f'href="{prefix}/graphql"' in page.text
            response = await http.post("/graphql", json={"query": "{ __typename }"})
            assert response.json()["data"] == {"__typename": "Query"}
        assert await server.stop() == 0
        assert [(line["path"], line["client"]) for line in accesses(server)] == [
            (f"{prefix}/", client),
            (f"{prefix}/graphql", client),
        ]
