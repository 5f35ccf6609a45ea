"""The server configuration that the how-to recommends: servers run with it, and its permissions are as documented."""

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import nats
import pytest
from nats.aio.client import Client

from ledgerpress.adapters.jetstream.subject_names import SubjectNames
from ledgerpress.eventlog.clock_randomness_ids import uuid8
from ledgerpress.eventlog.errors import EventLogError, LogUnusable, WithdrawalUnfinished
from ledgerpress.eventlog.log import ANY_VERSION, NO_STREAM, OpenedLog, StreamWrite
from ledgerpress.server.log_factory import open_log
from ledgerpress.server.log_url import LogUrl
from scripts.engines.nats import NatsCluster, NatsServer, free_ports, running
from tests.contract.sample_events import everything, sample_event, sample_write

HOW_TO = Path(__file__).parent.parent.parent / "docs" / "how-to" / "jetstream.md"
STREAM = SubjectNames("daily").stream


MACHINES = {"n1": "127.0.0.2", "n2": "127.0.0.3", "n3": "127.0.0.4"}
PASSWORDS = {"system": "s1", "operator": "o1", "serving": "p1"}


def blocks(language: str) -> list[str]:
    """Return the code blocks of the how-to in a language."""
    return re.findall(rf"```{language}\n(.*?)```", HOW_TO.read_text("utf-8"), re.DOTALL)


def with_ports(text: str, ports: dict[str, int]) -> str:
    """Return the text with ports that are free on this machine, and with the same addresses."""
    for documented, port in ports.items():
        assert documented in text
        text = text.replace(documented, f"{documented.rpartition(':')[0]}:{port}")
    return text


def configured(text: str, server: NatsServer) -> str:
    """Return a configuration of the how-to with the ports, passwords and directory of the test."""
    text = text.replace("/var/lib/nats", str(server.directory / "store"))
    for user, password in PASSWORDS.items():
        text = text.replace(f"${user.upper()}_PASSWORD", password)
    monitor = int(server.monitor.rpartition(":")[2])
    return with_ports(text, {"0.0.0.0:4222": server.port, "0.0.0.0:8222": monitor})


@pytest.fixture
def server(tmp_path: Path) -> Iterator[NatsServer]:
    """A server with the first configuration of the how-to."""
    server = NatsServer(tmp_path)
    server.configuration = configured(blocks("text")[0], server)
    with running(server):
        yield server


@pytest.fixture
def three_servers(tmp_path: Path) -> Iterator[NatsCluster]:
    """The three servers of the how-to. The addresses of the machines `n1` to `n3` are 127.0.0.2 to 127.0.0.4."""
    cluster = NatsCluster(tmp_path)
    routes = dict(zip(MACHINES, free_ports(3), strict=True))
    alone, together = blocks("text")[:2]
    for server in cluster.servers:
        own_part = configured(alone, server).replace("server_name: n1", f"server_name: {server.name}")
        ports = {f"{name}:6222": port for name, port in routes.items()}
        cluster_part = with_ports(together, {**ports, "0.0.0.0:6222": routes[server.name]})
        server.configuration = own_part + at_machines(cluster_part)
    with running(cluster):
        yield cluster


def at_machines(text: str) -> str:
    """Return the text with local addresses instead of the machine names of the how-to."""
    for name, address in MACHINES.items():
        text = text.replace(f"{name}:", f"{address}:")
    return text


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have only the loopback address 127.0.0.1")
async def test_the_urls_of_the_how_to_reach_its_servers_from_another_address(
    three_servers: NatsCluster,
) -> None:
    ports: dict[str, int] = {}
    for server in three_servers.servers:
        ports[f"{server.name}:4222"] = server.port
        ports[f"{server.name}:8222"] = int(server.monitor.rpartition(":")[2])
    urls = re.findall(r"'(nats://.*?monitor=.*?)'", "".join(blocks("sh")))
    assert [url.partition(":…@")[0] for url in urls] == ["nats://operator", "nats://serving"]
    logs = []
    for url in urls:
        user = url.removeprefix("nats://").partition(":")[0]
        local_url = at_machines(with_ports(url, ports)).replace("…", PASSWORDS[user])
        logs.append(await open_log(LogUrl.parse(local_url), Path(), create_as=lambda: uuid8("publication")))
    operator, serving = logs
    assert await serving.append([sample_write("post.a", NO_STREAM)]) == 1
    assert len(await everything(operator)) == 1
    for log in logs:
        await log.aclose()


async def opened(server: NatsServer, user: str, **parameters: str) -> OpenedLog:
    url = server.url("daily", **parameters).replace("nats://", f"nats://{user}@")
    return await open_log(LogUrl.parse(url), Path(), create_as=lambda: uuid8("publication"))


async def test_the_serving_user_serves_and_the_operator_withdraws(server: NatsServer) -> None:
    with pytest.raises(EventLogError, match="is not permitted to publish"):
        await opened(server, "serving:p1")
    operator = await opened(server, "operator:o1")
    serving = await opened(server, "serving:p1", monitor="", system_user="system", system_password="s1")
    assert serving.publication == operator.publication
    assert await serving.append([sample_write("post.a", NO_STREAM)]) == 1
    assert await serving.append([sample_write("post.a", 1, events=2), sample_write("log", ANY_VERSION)]) == 4
    assert await serving.append([sample_write("post.a", 3), StreamWrite("post.b", NO_STREAM, ())]) == 5
    assert len(await serving.read_stream("post.a")) == 4
    assert await serving.wait_beyond(4, 1)
    held = await serving.leases.write("schedules", "node a", previous=0)
    assert held == await serving.leases.read("schedules")

    (event,) = await serving.read(1, 1)
    record = sample_event(event_type="payload.withdrawn")
    write = StreamWrite(f"withdrawal.{event.header.event_id}", NO_STREAM, (record,))
    with pytest.raises(EventLogError, match="operator's user"):
        await serving.withdraw(2, [write])
    assert await serving.head() == 5
    assert await operator.withdraw(2, [write]) == 6
    assert (await serving.read(1, 1))[0].payload is None
    assert len(await everything(serving)) == 6
    await serving.aclose()
    await operator.aclose()


async def assert_denied(client: Client, subject: str, request: object) -> None:
    with pytest.raises(nats.errors.TimeoutError):
        await client.request(subject, json.dumps(request).encode(), timeout=0.3)


async def test_the_serving_user_cannot_destroy_anything(server: NatsServer) -> None:
    operator = await opened(server, "operator:o1")
    await operator.append([sample_write("post.keep", NO_STREAM, events=3)])
    before = await everything(operator)
    errors: list[str] = []

    async def record_error(error: Exception) -> None:
        errors.append(str(error))

    client = await nats.connect(
        f"nats://{server.address}", user="serving", password="p1", error_cb=record_error
    )
    info = await client.request(f"$JS.API.STREAM.INFO.{STREAM}", b"", timeout=2)
    config = json.loads(info.data)["config"]
    attempts: list[tuple[str, object]] = [
        (f"$JS.API.STREAM.PURGE.{STREAM}", {}),
        (f"$JS.API.STREAM.MSG.DELETE.{STREAM}", {"seq": 1}),
        (f"$JS.API.STREAM.UPDATE.{STREAM}", {**config, "max_msgs": 1}),
        (f"$JS.API.STREAM.DELETE.{STREAM}", {}),
        ("$JS.API.STREAM.DELETE.LEDGERPRESS_daily_LEASES", {}),
        (f"$JS.API.STREAM.RESTORE.{STREAM}", {"config": config, "state": {}}),
        ("$JS.API.STREAM.CREATE.OTHER", {"name": "OTHER", "subjects": ["other"]}),
    ]
    for subject, request in attempts:
        await assert_denied(client, subject, request)
    assert len([error for error in errors if "permissions violation" in error]) == len(attempts)
    await client.close()
    assert await everything(operator) == before
    await operator.aclose()


async def test_no_user_can_purge_the_log(server: NatsServer) -> None:
    operator = await opened(server, "operator:o1")
    await operator.append([sample_write("post.purge", NO_STREAM)])
    client = await nats.connect(f"nats://{server.address}", user="operator", password="o1")
    response = await client.request(f"$JS.API.STREAM.PURGE.{STREAM}", b"", timeout=2)
    assert "not permitted" in json.loads(response.data)["error"]["description"]
    response = await client.request(
        SubjectNames("daily").subject("post.purge"), b"", headers={"Nats-Rollup": "all"}, timeout=2
    )
    assert "not permitted" in json.loads(response.data)["error"]["description"]
    await client.close()
    await operator.aclose()


async def test_a_withdrawal_without_an_erasure_is_unfinished(server: NatsServer) -> None:
    """The state is the same as after the operator's process is killed between the record and the erasure."""
    operator = await opened(server, "operator:o1")
    serving = await opened(server, "serving:p1")
    position = await operator.append([sample_write("post.late", NO_STREAM, events=2)]) - 1
    (event,) = await operator.read(position - 1, 1)
    record = sample_event(event_type="payload.withdrawn")
    write = StreamWrite(f"withdrawal.{event.header.event_id}", NO_STREAM, (record,))
    recorded = await serving._appender.append([write], event.header)  # type: ignore[attr-defined]
    assert (await operator.read(position - 1, 1))[0].payload == event.payload
    with pytest.raises(WithdrawalUnfinished):
        await serving.withdraw(position, [])
    assert await operator.withdraw(position, []) == recorded
    assert (await operator.read(position - 1, 1))[0].payload is None
    await serving.aclose()
    await operator.aclose()


async def test_a_wrong_password_of_the_system_user_is_reported(server: NatsServer) -> None:
    with pytest.raises(LogUnusable, match="reject the user system"):
        await opened(server, "operator:o1", monitor="", system_user="system", system_password="no")
