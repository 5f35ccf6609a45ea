"""NATS servers and streams that can hold a log, and the errors for unsuitable ones: what is wrong, and what to do."""

import asyncio
import json
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import nats
import pytest

from ledgerpress.adapters.jetstream.event_log import JetStreamEventLog
from ledgerpress.adapters.jetstream.subject_names import SubjectNames
from ledgerpress.eventlog.clock_randomness_ids import uuid8
from ledgerpress.eventlog.errors import LogUnavailable, LogUnusable
from ledgerpress.eventlog.log import NO_STREAM, OpenedLog
from ledgerpress.server.log_factory import open_log
from ledgerpress.server.log_url import LogUrl
from scripts.engines.nats import NatsServer, free_ports, temporary_cluster, temporary_server
from tests.contract.sample_events import sample_write
from tests.integration.program_runs import done, program

ACCOUNTS = """
accounts {
  SYS { users: [ { user: system, password: sys-secret } ] }
  PRESS { jetstream: enabled, users: [ { user: press, password: secret } ] }
}
system_account: SYS
"""


async def opened(url: str) -> OpenedLog:
    return await open_log(LogUrl.parse(url), Path(), create_as=lambda: uuid8("publication"))


async def rejection(url: str) -> str:
    with pytest.raises(LogUnusable) as error:
        await opened(url)
    return str(error.value)


# --- acknowledged events are on disk -------------------------------------------------------------


@pytest.fixture(scope="module")
def unsynced() -> Iterator[NatsServer]:
    """A server with default settings: it syncs every two minutes."""
    with temporary_server(sync_interval=None) as server:
        yield server


async def test_a_server_with_the_default_sync_interval_is_rejected(unsynced: NatsServer) -> None:
    message = await rejection(unsynced.url("daily"))
    assert "acknowledges events before they are on disk" in message
    assert "sync_interval: always" in message
    assert "--allow-unsynced" in message
    client = await nats.connect(f"nats://{unsynced.address}")
    with pytest.raises(nats.js.errors.NotFoundError):
        await client.jetstream().stream_info(SubjectNames("daily").stream)
    await client.close()


async def test_a_server_that_cannot_be_checked_is_rejected(nats_server: NatsServer) -> None:
    message = await rejection(nats_server.url("daily", monitor=""))
    assert "cannot check whether" in message
    assert "monitor=" in message


async def test_a_monitoring_address_without_a_server_is_an_error(
    nats_server: NatsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ledgerpress.adapters.jetstream.sync_check.RETRY_TIMEOUT", 0.1)
    # The server may still be starting. A node that starts with it waits for it, as it waits for the log.
    with pytest.raises(LogUnavailable, match="Check that all servers run"):
        await opened(nats_server.url("daily", monitor=f"http://127.0.0.1:{free_ports(1)[0]}"))


async def test_an_operator_can_allow_unsynced_servers(
    unsynced: NatsServer, caplog: pytest.LogCaptureFixture
) -> None:
    log = await opened(unsynced.url("allowed", allow_unsynced="true"))
    assert isinstance(log, JetStreamEventLog)
    assert log.notices[0].startswith("unsynced:")
    assert await log.append([sample_write("post.a", NO_STREAM)]) == 1
    await log.aclose()
    assert "may lose events that they acknowledged" in caplog.text


async def test_a_server_that_syncs_each_write_causes_no_notice(jetstream_url: str) -> None:
    log = await opened(jetstream_url)
    assert isinstance(log, JetStreamEventLog)
    assert not log.notices
    await log.aclose()


@pytest.mark.parametrize("synced", [True, False])
async def test_a_system_user_can_replace_the_monitoring_address(synced: bool) -> None:
    interval = "always" if synced else None
    with temporary_server(sync_interval=interval, more=ACCOUNTS, monitored=False) as server:
        url = server.url("daily", monitor="", system_user="system", system_password="sys-secret")
        url = url.replace("nats://", "nats://press:secret@")
        if synced:
            await (await opened(url)).aclose()
        else:
            assert "sync_interval: always" in await rejection(url)
        message = await rejection(url.replace("system_password=sys-secret", "system_password=no"))
        assert "user system" in message
        assert "secret" not in message


@pytest.fixture(scope="module")
def mixed() -> Iterator[list[NatsServer]]:
    """A cluster: two servers that sync each write, one that does not, and one without JetStream."""
    with tempfile.TemporaryDirectory(prefix="nats-") as directory, ExitStack() as running_servers:
        ports = free_ports(4)
        routes = ", ".join(f'"nats://127.0.0.1:{port}"' for port in ports)
        servers = []
        for number, port in enumerate(ports, 1):
            cluster = f'cluster {{ name: press, listen: "127.0.0.1:{port}", routes: [{routes}], no_advertise: true }}'
            server = NatsServer(
                Path(directory) / f"n{number}",
                name=f"n{number}",
                sync_interval=None if number == 3 else "always",
                more=f"{cluster}\n{ACCOUNTS}",
            )
            if number == 4:
                server.configuration = (
                    f'server_name: n4\nlisten: "{server.address}"\nhttp: "{server.monitor.removeprefix("http://")}"\n'
                    f"{cluster}\n{ACCOUNTS.replace('jetstream: enabled, ', '')}"
                )
            servers.append(server)
            running_servers.callback(server.kill)
            server.launch()
        for server in servers[:3]:
            server.wait_ready()
        yield servers


@pytest.mark.parametrize("monitored", [(0, 1, 3), (0, 1, 1, 3), (1, 0)])
async def test_a_server_without_jetstream_does_not_count_for_another(
    mixed: list[NatsServer], monitored: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ledgerpress.adapters.jetstream.sync_check.RETRY_TIMEOUT", 1.0)
    monitors = ",".join(mixed[number].monitor for number in monitored)
    url = mixed[0].url("daily", monitor=monitors).replace("nats://", "nats://press:secret@")
    assert "2 of 3 servers with JetStream have reported" in await rejection(url)


@pytest.mark.parametrize("way", ["monitor", "system user"])
async def test_every_server_of_a_cluster_is_checked(mixed: list[NatsServer], way: str) -> None:
    if way == "monitor":
        url = mixed[0].url("daily", monitor=",".join(server.monitor for server in mixed))
    else:
        url = mixed[0].url("daily", monitor="", system_user="system", system_password="sys-secret")
    message = await rejection(url.replace("nats://", "nats://press:secret@"))
    assert "the NATS server n3 acknowledges events before they are on disk" in message


# --- the URL --------------------------------------------------------------------------------------


async def test_an_invalid_parameter_is_rejected(jetstream_url: str) -> None:
    assert "replica=" in await rejection(f"{jetstream_url}&replica=3")
    assert "replicas=2" in await rejection(f"{jetstream_url}&replicas=2")
    assert "allow_unsynced=yes" in await rejection(f"{jetstream_url}&allow_unsynced=yes")


@pytest.mark.parametrize(
    ("parameter", "reason"),
    [
        ("tls_ca=/nowhere", "tls_ca=/nowhere cannot be read: it does not exist; check the path"),
        ("tls_ca=/", "tls_ca=/ cannot be read: it is a directory, not a file"),
        (f"tls_ca={__file__}", f"tls_ca={__file__} contains no certificate that can be read"),
        ("tls_ca=/dev/null", "tls_ca=/dev/null contains no certificate that can be read"),
        ("credentials=/nowhere", "credentials file /nowhere cannot be read: it does not exist"),
        ("credentials=/", "credentials file / cannot be read"),
        ("monitor=http://one:x", "monitor=http://one:x is invalid"),
        ("monitor=one:8222", "monitor=one:8222 is invalid"),
        ("monitor=127.0.0.1:8222", "monitor=127.0.0.1:8222 is invalid"),
        ("monitor=http://", "monitor=http:// is invalid"),
        ("monitor=#part", "it contains a # or a blank"),
    ],
)
async def test_the_error_names_the_invalid_parameter(
    nats_server: NatsServer, parameter: str, reason: str
) -> None:
    url = nats_server.url("daily", monitor="" if "monitor" in parameter else nats_server.monitor)
    assert reason in await rejection(f"{url}&{parameter}")


async def test_an_unknown_system_user_is_reported(
    nats_server: NatsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ledgerpress.adapters.jetstream.sync_check.RETRY_TIMEOUT", 0.1)
    message = await rejection(nats_server.url("daily", monitor="", system_user="system"))
    assert "no server answers the system user" in message


async def test_unreachable_servers_are_named_without_the_password() -> None:
    (port,) = free_ports(1)
    with pytest.raises(LogUnavailable) as error:
        await opened(f"nats://press:secret@127.0.0.1:{port}?publication=daily")
    assert f"127.0.0.1:{port}" in str(error.value)
    assert "secret" not in str(error.value)


async def test_a_wrong_password_is_not_reported_as_an_unreachable_server() -> None:
    with temporary_server(more=ACCOUNTS) as server:
        message = await rejection(server.url("daily").replace("nats://", "nats://press:wrong@"))
    assert "reject the user press" in message
    assert "wrong" not in message


async def test_too_many_replicas_for_one_server_are_rejected(jetstream_url: str) -> None:
    assert "replicas=1" in await rejection(f"{jetstream_url}&replicas=3")


async def test_a_server_with_a_low_message_limit_is_rejected() -> None:
    with temporary_server(more="max_payload: 512KB") as server:
        assert "max_payload" in await rejection(server.url("daily"))


async def test_too_few_replicas_cause_a_notice() -> None:
    with temporary_cluster() as cluster:
        for replicas, notices in (("1", []), ("", ["replicas: the log has 1 of 3 replicas"])):
            log = await opened(cluster.url("daily", replicas=replicas))
            assert [notice[: len(notices[0])] for notice in log.notices] == notices
            await log.aclose()
        await change_stream(cluster.servers[0], "daily", num_replicas=3)
        log = await opened(cluster.url("daily"))
        assert log.notices == []
        await log.aclose()


# --- the stream -----------------------------------------------------------------------------------


async def create_log_and_change_stream(server: NatsServer, name: str, **changes: object) -> None:
    """Create a log, and change its stream."""
    log = await opened(server.url(name))
    await log.aclose()
    await change_stream(server, name, **changes)


async def change_stream(server: NatsServer, name: str, **changes: object) -> None:
    """Change the stream of a log."""
    client = await nats.connect(f"nats://{server.address}")
    stream = SubjectNames(name).stream
    response = await client.request(f"$JS.API.STREAM.INFO.{stream}", b"", timeout=5)
    config: dict[str, Any] = {**json.loads(response.data)["config"], **changes}
    response = await client.request(f"$JS.API.STREAM.UPDATE.{stream}", json.dumps(config).encode(), timeout=5)
    await client.close()
    assert "error" not in json.loads(response.data), response.data


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("max_age", {"max_age": 3_600_000_000_000}),
        ("max_msgs", {"max_msgs": 1_000}),
        ("max_bytes", {"max_bytes": 10_000_000}),
        ("discard", {"discard": "old"}),
        ("duplicate_window", {"duplicate_window": 120_000_000_000}),
        ("republish", {"republish": {"src": ">", "dest": "elsewhere.>"}}),
        ("allow_direct", {"allow_direct": False}),
        ("publication", {"metadata": {}}),
    ],
)
async def test_a_stream_with_an_unsafe_configuration_is_rejected(
    nats_server: NatsServer, name: str, changes: dict[str, object]
) -> None:
    publication = f"changed-{name}"
    await create_log_and_change_stream(nats_server, publication, **changes)
    message = await rejection(nats_server.url(publication))
    assert SubjectNames(publication).stream in message
    assert name in message


async def test_a_stream_of_another_application_is_rejected(nats_server: NatsServer) -> None:
    client = await nats.connect(f"nats://{nats_server.address}")
    await client.jetstream().add_stream(name=SubjectNames("other").stream, subjects=["elsewhere.>"])
    await client.close()
    message = await rejection(nats_server.url("other"))
    assert "its subjects must be" in message
    assert "does not contain a publication" in message


async def test_publications_on_one_server_are_separate(nats_server: NatsServer) -> None:
    first = await opened(nats_server.url("apart"))
    second = await open_log(
        LogUrl.parse(nats_server.url("apart-2")), Path(), create_as=lambda: uuid8("another publication")
    )
    assert await first.append([sample_write("post.a", NO_STREAM)]) == 1
    assert await second.append([sample_write("post.a", NO_STREAM, events=2)]) == 2
    assert (await first.head(), await second.head()) == (1, 2)
    assert first.publication != second.publication
    assert await first.leases.write("schedules", "node a", previous=0) is not None
    assert await second.leases.read("schedules") is None
    await first.aclose()
    await second.aclose()


async def test_a_false_head_notification_is_not_trusted(nats_server: NatsServer) -> None:
    log = await opened(nats_server.url("rung"))
    await log.append([sample_write("post.a", NO_STREAM)])
    waiting = asyncio.ensure_future(log.wait_beyond(1, 0.5))
    client = await nats.connect(f"nats://{nats_server.address}")
    await client.publish(SubjectNames("rung").head_broadcast, b"99999999")
    await client.close()
    assert not await waiting
    assert not await log.wait_beyond(1, 0)
    await log.aclose()


# --- the clock ------------------------------------------------------------------------------------


@pytest.mark.parametrize("offset", [-7, 7])
async def test_a_node_with_a_wrong_clock_writes_nothing_until_the_clock_is_right(
    jetstream_url: str, monkeypatch: pytest.MonkeyPatch, offset: int
) -> None:
    real_time = time.time
    monkeypatch.setattr("ledgerpress.adapters.jetstream.clock_check.time.time", lambda: real_time() + offset)
    log = await opened(jetstream_url)
    with pytest.raises(LogUnavailable, match="ahead of" if offset > 0 else "behind"):
        await log.append([sample_write("post.a", NO_STREAM)])
    assert await log.read(0, 10) == []
    with pytest.raises(LogUnavailable, match="nothing is recorded"):
        await log.withdraw(1, [sample_write("withdrawal.a", NO_STREAM)])
    monkeypatch.setattr(
        "ledgerpress.adapters.jetstream.clock_check.time.time", lambda: real_time() + offset / 2
    )
    assert await log.append([sample_write("post.a", NO_STREAM)]) == 1
    await log.aclose()


async def test_status_shows_the_state_of_a_node_while_a_server_is_unreachable(tmp_path: Path) -> None:
    with temporary_cluster() as cluster:
        log = ("--log", cluster.url("daily"))
        await done("demo", *log, "--data", tmp_path / "node")
        before = json.loads(await done("status", "--json", "--data", tmp_path / "node", *log))
        cluster.servers[1].kill()
        result = await program("status", "--json", "--data", tmp_path / "node", *log)
        assert result.code == 3
        assert "Check that all servers run" in result.err
        assert "sync_interval" not in result.err
        status = json.loads(result.out)
        assert (status["head"], status["publication"]) == (None, before["publication"])
        assert [projection["checkpoint"] for projection in status["projections"]] == [before["head"]] * len(
            status["projections"]
        )
