"""An append that the server explicitly rejects is not recorded, and its outcome is not reported as unknown."""

import json

import nats
import pytest

from ledgerpress.adapters.jetstream import appender
from ledgerpress.adapters.jetstream.subject_names import SubjectNames
from ledgerpress.eventlog.errors import AppendUnresolved, LogUnavailable
from ledgerpress.eventlog.log import NO_STREAM
from scripts.engines.nats import NatsServer
from tests.contract.sample_events import places, sample_write
from tests.integration.test_jetstream_withdrawal import opened


@pytest.mark.parametrize(
    ("change", "message"),
    [({"max_msgs": 1}, "maximum messages exceeded"), ({"sealed": True}, "sealed")],
    ids=["full", "sealed"],
)
@pytest.mark.parametrize("events", [1, 3], ids=["one event", "a batch"])
async def test_an_explicit_rejection_is_not_unresolved(
    nats_server: NatsServer,
    monkeypatch: pytest.MonkeyPatch,
    change: dict[str, object],
    message: str,
    events: int,
) -> None:
    monkeypatch.setattr(appender, "RETRY_TIMEOUT", 0.3)
    name = f"refusal{events}{next(iter(change))}".replace("_", "")
    log = await opened(nats_server.url(name))
    await log.append([sample_write("post.a", NO_STREAM)])
    client = await nats.connect(f"nats://{nats_server.address}")
    stream = SubjectNames(name).stream
    info = json.loads((await client.request(f"$JS.API.STREAM.INFO.{stream}", timeout=5)).data)
    config = json.dumps({**info["config"], **change}).encode()
    response = await client.request(f"$JS.API.STREAM.UPDATE.{stream}", config, timeout=5)
    assert "error" not in json.loads(response.data)
    await client.close()
    with pytest.raises(LogUnavailable, match=message) as error:
        await log.append([sample_write("post.a", 1, events=events)])
    assert not isinstance(error.value, AppendUnresolved)
    assert "nothing was recorded" in str(error.value)
    assert await places(log) == [("post.a", 1)]
    await log.aclose()
