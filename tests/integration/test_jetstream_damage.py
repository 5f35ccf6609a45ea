"""A running server notices that its stream lost events, also events that it does not read."""

from pathlib import Path

import pytest

from ledgerpress.eventlog.errors import LogDamaged
from ledgerpress.eventlog.log import NO_STREAM
from scripts.engines.nats import NatsServer
from tests.contract.sample_events import sample_write
from tests.integration.server_process import EVERYONE_IS_ADMIN, Servers
from tests.integration.test_jetstream_withdrawal import admin_request, opened, withdraw
from tests.integration.test_log_engine_away import CREATE, ask, client, titles, wait_for_readiness


async def test_a_server_notices_the_loss_of_an_old_event(nats_server: NatsServer, tmp_path: Path) -> None:
    environment = {**EVERYONE_IS_ADMIN, "LEDGERPRESS_LOG": nats_server.url("lost")}
    async with Servers(tmp_path, environment) as servers:
        server = await servers.start(tmp_path / "node")
        async with client(server) as http:
            await ask(http, CREATE, title="Before")
            await admin_request(nats_server, "STREAM.MSG.DELETE", "lost", {"seq": 2})
            readiness = await wait_for_readiness(http, status="behind", failing=["read", "write"])
            assert "the event at position 2 is missing and was not withdrawn" in str(readiness["notices"])
            response = await ask(http, CREATE, title="Meanwhile")
            assert response.json()["errors"][0]["extensions"]["code"] == "LOG_UNAVAILABLE"
            assert await titles(http) == ["Before"]
        assert "restore the stream from a backup" in server.words()


async def test_withdrawn_events_are_not_lost_events(nats_server: NatsServer) -> None:
    log, other = [await opened(nats_server.url("withdrawn")) for _ in range(2)]
    await log.append([sample_write("post.a", NO_STREAM, events=4)])
    for position in (1, 2):
        await withdraw(log, position)
        for node in (log, other):
            assert await node.current_publication() == node.publication
    await admin_request(nats_server, "STREAM.MSG.DELETE", "withdrawn", {"seq": 3})
    for node in (log, other):
        for _ in range(2):
            with pytest.raises(LogDamaged, match="the event at position 3 is missing and was not withdrawn"):
                await node.current_publication()
        await node.aclose()
