"""A node whose role can no longer write or connect reports this, still serves reads, and recovers."""

from pathlib import Path

from scripts.engines.postgres import PostgresServer
from tests.integration.postgres_appends import open_at
from tests.integration.server_process import EVERYONE_IS_ADMIN, Servers
from tests.integration.test_log_engine_away import CREATE, ask, client, titles, wait_for_readiness

ROLE = """
CREATE ROLE node LOGIN;
GRANT USAGE ON SCHEMA ledgerpress TO node;
GRANT SELECT, INSERT ON ledgerpress.event TO node;
GRANT SELECT, UPDATE (note) ON ledgerpress.log_head TO node;
GRANT SELECT, INSERT, UPDATE ON ledgerpress.lease TO node;
"""


async def test_a_node_without_write_permission_reports_it_and_serves_reads(tmp_path: Path) -> None:
    server = PostgresServer()
    try:
        await (await open_at(server.url("daily"))).aclose()
        server.sql(ROLE)
        environment = {**EVERYONE_IS_ADMIN, "LEDGERPRESS_LOG": server.url("daily", user="node")}
        async with (
            Servers(tmp_path, environment) as servers,
            client(await servers.start(tmp_path / "one")) as http,
        ):
            assert (await ask(http, CREATE, title="Before")).status_code == 200
            server.sql("REVOKE INSERT ON ledgerpress.event FROM node")
            rejection = await ask(http, CREATE, title="Refused")
            assert rejection.status_code == 503, rejection.text
            (error,) = rejection.json()["errors"]
            assert error["extensions"] == {"code": "LOG_UNAVAILABLE"}
            assert "does not accept writes from this node: nothing was recorded" in error["message"]
            readiness = await wait_for_readiness(http, status="failing", failing=["write"])
            assert readiness["log"] == "reachable"
            assert "permission denied" in readiness["notices"][0]
            assert await titles(http) == ["Before"]
            server.sql("GRANT INSERT ON ledgerpress.event TO node")
            await wait_for_readiness(http, status="ready")
            assert (await ask(http, CREATE, title="After")).status_code == 200

            server.sql("ALTER ROLE node NOLOGIN")
            server.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'node'")
            rejection = await ask(http, CREATE, title="Refused")
            assert rejection.status_code == 503, rejection.text
            assert "LOG_UNAVAILABLE" in rejection.text
            server.sql("ALTER ROLE node LOGIN")
            await wait_for_readiness(http, status="ready", log="reachable")
            assert (await ask(http, CREATE, title="At last")).status_code == 200
    finally:
        server.close()
