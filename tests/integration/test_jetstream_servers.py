"""Which NATS servers and streams carry a log, and which are refused: with the reason, and with what to do."""

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


async def refusal(url: str) -> str:
    with pytest.raises(LogUnusable) as refused:
        await opened(url)
    return str(refused.value)


# --- what is acknowledged is on the disk ---------------------------------------------------------


@pytest.fixture(scope="module")
def careless() -> Iterator[NatsServer]:
    """A server as it is without any setting: it flushes every two minutes."""
    with temporary_server(sync_interval=None) as server:
        yield server


async def test_a_server_with_the_default_sync_interval_is_refused(careless: NatsServer) -> None:
    said = await refusal(careless.url("daily"))
    assert "acknowledges events before they are on disk" in said
    assert "sync_interval: always" in said
    assert "--allow-unsynced" in said
    client = await nats.connect(f"nats://{careless.address}")
    with pytest.raises(nats.js.errors.NotFoundError):
        await client.jetstream().stream_info(SubjectNames("daily").stream)
    await client.close()


async def test_a_server_that_does_not_say_is_refused(nats_server: NatsServer) -> None:
    said = await refusal(nats_server.url("daily", monitor=""))
    assert "cannot check whether" in said
    assert "monitor=" in said


async def test_a_monitoring_address_where_nobody_is_is_refused(
    nats_server: NatsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ledgerpress.adapters.jetstream.sync_check.RETRY_TIMEOUT", 0.1)
    # It may be a server that is on its way: whoever starts one with a node waits for it, as for the log.
    with pytest.raises(LogUnavailable, match="Check that all servers run"):
        await opened(nats_server.url("daily", monitor=f"http://127.0.0.1:{free_ports(1)[0]}"))


async def test_an_operator_may_allow_it(careless: NatsServer, caplog: pytest.LogCaptureFixture) -> None:
    log = await opened(careless.url("allowed", allow_unsynced="true"))
    assert isinstance(log, JetStreamEventLog)
    assert log.notices[0].startswith("unsynced:")
    assert await log.append([sample_write("post.a", NO_STREAM)]) == 1
    await log.aclose()
    assert "may lose events that they acknowledged" in caplog.text


async def test_a_server_that_writes_through_is_not_marked(jetstream_url: str) -> None:
    log = await opened(jetstream_url)
    assert isinstance(log, JetStreamEventLog)
    assert not log.notices
    await log.aclose()


@pytest.mark.parametrize("synced", [True, False])
async def test_a_system_user_can_be_asked_instead(synced: bool) -> None:
    interval = "always" if synced else None
    with temporary_server(sync_interval=interval, more=ACCOUNTS, monitored=False) as server:
        url = server.url("daily", monitor="", system_user="system", system_password="sys-secret")
        url = url.replace("nats://", "nats://press:secret@")
        if synced:
            await (await opened(url)).aclose()
        else:
            assert "sync_interval: always" in await refusal(url)
        said = await refusal(url.replace("system_password=sys-secret", "system_password=no"))
        assert "user system" in said
        assert "secret" not in said


@pytest.fixture(scope="module")
def mixed() -> Iterator[list[NatsServer]]:
    """A cluster: two servers that write through, one that does not, and one without JetStream."""
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


@pytest.mark.parametrize("asked", [(0, 1, 3), (0, 1, 1, 3), (1, 0)])
async def test_a_server_without_jetstream_says_nothing_for_another(
    mixed: list[NatsServer], asked: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ledgerpress.adapters.jetstream.sync_check.RETRY_TIMEOUT", 1.0)
    monitors = ",".join(mixed[number].monitor for number in asked)
    url = mixed[0].url("daily", monitor=monitors).replace("nats://", "nats://press:secret@")
    assert "2 of 3 servers with JetStream have reported" in await refusal(url)


@pytest.mark.parametrize("way", ["monitor", "system user"])
async def test_every_server_of_a_cluster_is_asked(mixed: list[NatsServer], way: str) -> None:
    if way == "monitor":
        url = mixed[0].url("daily", monitor=",".join(server.monitor for server in mixed))
    else:
        url = mixed[0].url("daily", monitor="", system_user="system", system_password="sys-secret")
    said = await refusal(url.replace("nats://", "nats://press:secret@"))
    assert "the NATS server n3 acknowledges events before they are on disk" in said


# --- the URL --------------------------------------------------------------------------------------


async def test_a_parameter_that_means_nothing_is_refused(jetstream_url: str) -> None:
    assert "replica=" in await refusal(f"{jetstream_url}&replica=3")
    assert "replicas=2" in await refusal(f"{jetstream_url}&replicas=2")
    assert "allow_unsynced=yes" in await refusal(f"{jetstream_url}&allow_unsynced=yes")


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ("tls_ca=/nowhere", "tls_ca=/nowhere cannot be read"),
        ("credentials=/nowhere", "credentials file /nowhere cannot be read: No such file"),
        ("credentials=/", "credentials file / cannot be read"),
        ("monitor=http://one:x", "monitor=http://one:x is invalid"),
        ("monitor=one:8222", "monitor=one:8222 is invalid"),
        ("monitor=127.0.0.1:8222", "monitor=127.0.0.1:8222 is invalid"),
        ("monitor=http://", "monitor=http:// is invalid"),
        ("monitor=#part", "it contains a # or a blank"),
    ],
)
async def test_what_the_url_says_wrongly_is_named(nats_server: NatsServer, wrong: str, why: str) -> None:
    url = nats_server.url("daily", monitor="" if "monitor" in wrong else nats_server.monitor)
    assert why in await refusal(f"{url}&{wrong}")


async def test_a_system_user_where_there_is_none_is_named(
    nats_server: NatsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ledgerpress.adapters.jetstream.sync_check.RETRY_TIMEOUT", 0.1)
    said = await refusal(nats_server.url("daily", monitor="", system_user="system"))
    assert "no server answers the system user" in said


async def test_servers_that_do_not_answer_are_named_without_the_password() -> None:
    (port,) = free_ports(1)
    with pytest.raises(LogUnavailable) as away:
        await opened(f"nats://press:secret@127.0.0.1:{port}?publication=daily")
    assert f"127.0.0.1:{port}" in str(away.value)
    assert "secret" not in str(away.value)


async def test_a_wrong_password_is_not_taken_for_a_server_that_is_away() -> None:
    with temporary_server(more=ACCOUNTS) as server:
        said = await refusal(server.url("daily").replace("nats://", "nats://press:wrong@"))
    assert "reject the user press" in said
    assert "wrong" not in said


async def test_too_many_replicas_for_one_server_are_refused(jetstream_url: str) -> None:
    assert "replicas=1" in await refusal(f"{jetstream_url}&replicas=3")


async def test_a_server_that_takes_only_small_messages_is_refused() -> None:
    with temporary_server(more="max_payload: 512KB") as server:
        assert "max_payload" in await refusal(server.url("daily"))


async def test_too_few_replicas_are_told_of() -> None:
    with temporary_cluster() as cluster:
        for replicas, told in (("1", []), ("", ["replicas: the log has 1 of 3 replicas"])):
            log = await opened(cluster.url("daily", replicas=replicas))
            assert [notice[: len(told[0])] for notice in log.notices] == told
            await log.aclose()
        await changed(cluster.servers[0], "daily", num_replicas=3)
        log = await opened(cluster.url("daily"))
        assert log.notices == []
        await log.aclose()


# --- the stream -----------------------------------------------------------------------------------


async def changed_stream(server: NatsServer, name: str, **changes: object) -> None:
    """Make a log, and change its stream."""
    log = await opened(server.url(name))
    await log.aclose()
    await changed(server, name, **changes)


async def changed(server: NatsServer, name: str, **changes: object) -> None:
    """Change the stream of a log."""
    client = await nats.connect(f"nats://{server.address}")
    stream = SubjectNames(name).stream
    answer = await client.request(f"$JS.API.STREAM.INFO.{stream}", b"", timeout=5)
    config: dict[str, Any] = {**json.loads(answer.data)["config"], **changes}
    answer = await client.request(f"$JS.API.STREAM.UPDATE.{stream}", json.dumps(config).encode(), timeout=5)
    await client.close()
    assert "error" not in json.loads(answer.data), answer.data


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
async def test_a_stream_that_does_not_keep_everything_is_refused(
    nats_server: NatsServer, name: str, changes: dict[str, object]
) -> None:
    publication = f"changed-{name}"
    await changed_stream(nats_server, publication, **changes)
    said = await refusal(nats_server.url(publication))
    assert SubjectNames(publication).stream in said
    assert name in said


async def test_a_stream_of_somebody_else_is_refused(nats_server: NatsServer) -> None:
    client = await nats.connect(f"nats://{nats_server.address}")
    await client.jetstream().add_stream(name=SubjectNames("other").stream, subjects=["elsewhere.>"])
    await client.close()
    said = await refusal(nats_server.url("other"))
    assert "its subjects must be" in said
    assert "does not contain a publication" in said


async def test_publications_share_a_server_and_keep_apart(nats_server: NatsServer) -> None:
    one = await opened(nats_server.url("apart"))
    other = await open_log(
        LogUrl.parse(nats_server.url("apart-2")), Path(), create_as=lambda: uuid8("another publication")
    )
    assert await one.append([sample_write("post.a", NO_STREAM)]) == 1
    assert await other.append([sample_write("post.a", NO_STREAM, events=2)]) == 2
    assert (await one.head(), await other.head()) == (1, 2)
    assert one.publication != other.publication
    assert await one.leases.write("schedules", "node a", previous=0) is not None
    assert await other.leases.read("schedules") is None
    await one.aclose()
    await other.aclose()


async def test_a_bell_that_somebody_else_rings_is_not_believed(nats_server: NatsServer) -> None:
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


@pytest.mark.parametrize("off", [-7, 7])
async def test_a_writer_whose_clock_is_off_refuses_to_write_until_it_is_right(
    jetstream_url: str, monkeypatch: pytest.MonkeyPatch, off: int
) -> None:
    right = time.time
    monkeypatch.setattr("ledgerpress.adapters.jetstream.clock_check.time.time", lambda: right() + off)
    log = await opened(jetstream_url)
    with pytest.raises(LogUnavailable, match="ahead of" if off > 0 else "behind"):
        await log.append([sample_write("post.a", NO_STREAM)])
    assert await log.read(0, 10) == []
    with pytest.raises(LogUnavailable, match="nothing is recorded"):
        await log.withdraw(1, [sample_write("withdrawal.a", NO_STREAM)])
    monkeypatch.setattr("ledgerpress.adapters.jetstream.clock_check.time.time", lambda: right() + off / 2)
    assert await log.append([sample_write("post.a", NO_STREAM)]) == 1
    await log.aclose()


async def test_status_shows_what_a_node_has_while_a_server_cannot_be_asked(tmp_path: Path) -> None:
    with temporary_cluster() as cluster:
        log = ("--log", cluster.url("daily"))
        await done("demo", *log, "--data", tmp_path / "node")
        there = json.loads(await done("status", "--json", "--data", tmp_path / "node", *log))
        cluster.servers[1].kill()
        away = await program("status", "--json", "--data", tmp_path / "node", *log)
        assert away.code == 3
        assert "Check that all servers run" in away.err
        assert "sync_interval" not in away.err
        found = json.loads(away.out)
        assert (found["head"], found["publication"]) == (None, there["publication"])
        assert [one["checkpoint"] for one in found["projections"]] == [there["head"]] * len(
            found["projections"]
        )
