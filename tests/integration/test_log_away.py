"""Reads continue and writes fail clearly while the log is unreachable; operators are notified; later all works."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx2
import pytest
from prometheus_client.parser import text_string_to_metric_families

from ledgerpress.commands.roles_and_permissions import Role
from ledgerpress.eventlog.errors import LogUnavailable
from ledgerpress.http.graphql_over_http_settings import HttpSettings
from ledgerpress.http.health.settings import HealthSettings
from tests.integration.authenticated_client import visitors
from tests.integration.graphql_client import Client, client
from tests.integration.production_application import OPERATOR, operated
from tests.integration.severable_log import Severed, severable
from tests.integration.websocket_client import served, websocket

GRAPHQL = {"Accept": "application/graphql-response+json"}
CREATE = """mutation ($title: String!, $key: String) {
  postCreate(input: {title: $title, idempotencyKey: $key}) { position replayed post { title } userErrors { code } }
}"""
TITLES = "{ posts(first: 10) { nodes { title } } }"
REASONS = '{ changes(first: 1, filter: {types: ["post.created"]}) { nodes { type reason } } }'


@pytest.fixture
def severed(monkeypatch: pytest.MonkeyPatch) -> Iterator[Severed]:
    with severable(monkeypatch) as log:
        yield log


@pytest.fixture
async def api(tmp_path: Path, severed: Severed) -> AsyncIterator[Client]:
    async with client(tmp_path / "store", settings=HttpSettings(min_position_seconds=0.2)) as api:
        yield api


async def create(api: Client, title: str, key: str | None = None) -> httpx2.Response:
    body = {"query": CREATE, "variables": {"title": title, "key": key}}
    return await api.http.post("/graphql", json=body, headers=GRAPHQL)


async def wait_until_reachable(api: Client) -> None:
    """Wait until the store has noticed that the log is reachable again."""
    async with asyncio.timeout(20):
        while api.store.log_health.is_lost:  # noqa: ASYNC110 - it sends no notification
            await asyncio.sleep(0.01)


def code(response: httpx2.Response) -> tuple[int, str]:
    (error,) = response.json()["errors"]
    return response.status_code, error["extensions"]["code"]


async def test_reads_continue_and_writes_fail_until_the_log_is_reachable(
    api: Client, severed: Severed
) -> None:
    await api.write("Before")
    head = await api.store.log.head()
    severed.away = True
    for _ in range(3):
        response = await create(api, "Meanwhile")
        assert code(response) == (503, "LOG_UNAVAILABLE")
        assert response.headers["retry-after"] == "1"
        assert "data" not in response.json()
        assert "errorId" not in response.text
        assert "cable" not in response.text
        assert await api.ask(TITLES) == {"posts": {"nodes": [{"title": "Before"}]}}
    severed.away = False
    await wait_until_reachable(api)
    assert await api.store.log.head() == head, "nothing was recorded"
    assert (await create(api, "After")).json()["data"]["postCreate"]["post"] == {"title": "After"}


async def test_a_node_recovers_from_an_error_that_no_log_should_raise(
    api: Client, severed: Severed, caplog: pytest.LogCaptureFixture
) -> None:
    severed.error, severed.away = RuntimeError, True
    async with asyncio.timeout(20):
        while not api.store.log_health.is_lost:  # noqa: ASYNC110 - it sends no notification
            await asyncio.sleep(0.01)
        while "the views cannot follow the log" not in caplog.text:  # noqa: ASYNC110 - as above
            await asyncio.sleep(0.01)
    severed.away = False
    await wait_until_reachable(api)
    async with asyncio.timeout(20):
        await api.write("After")
        while await api.ask(TITLES) != {"posts": {"nodes": [{"title": "After"}]}}:  # noqa: ASYNC110 - it is polled
            await asyncio.sleep(0.01)


async def test_requests_do_not_wait_for_a_log_known_to_be_unreachable(api: Client, severed: Severed) -> None:
    severed.away = True
    await create(api, "One")
    call_count = severed.calls
    for number in range(20):
        assert code(await create(api, str(number))) == (503, "LOG_UNAVAILABLE")
        with pytest.raises(LogUnavailable):
            await api.store.log.read(0, 1)
    assert severed.calls <= call_count + 2, "only the health check calls it, once a second"


async def test_an_unresolved_append_is_recorded_once_under_its_key(api: Client, severed: Severed) -> None:
    severed.mute = True
    unclear = await create(api, "Perhaps", "key-1")
    assert unclear.status_code == 294
    assert code(unclear) == (294, "APPEND_UNRESOLVED")
    assert "idempotencyKey" in unclear.json()["errors"][0]["message"]
    severed.mute = severed.away = False
    await wait_until_reachable(api)
    again = (await create(api, "Perhaps", "key-1")).json()["data"]["postCreate"]
    assert again["replayed"]
    assert again["post"] == {"title": "Perhaps"}
    assert len((await api.ask(TITLES))["posts"]["nodes"]) == 1


async def test_the_first_of_several_mutations_may_have_been_executed(api: Client, severed: Severed) -> None:
    severed.mute = True
    query = """mutation { one: siteName(input: {name: "A"}) { position } two: siteName(input: {name: "B"}) { position } }"""
    response = await api.http.post("/graphql", json={"query": query}, headers=GRAPHQL)
    assert response.status_code == 294
    assert response.json()["data"] == {"one": None, "two": None}
    codes = [error["extensions"]["code"] for error in response.json()["errors"]]
    assert codes == ["APPEND_UNRESOLVED", "LOG_UNAVAILABLE"], (
        "the response does not claim that nothing was executed"
    )


async def test_only_fields_that_are_read_from_the_log_fail(api: Client, severed: Severed) -> None:
    await api.write("One", reason="It was time.")
    severed.away = True
    response = await api.post(REASONS)
    body = response.json()
    assert body["data"] == {"changes": {"nodes": [{"type": "post.created", "reason": None}]}}
    assert body["errors"][0]["extensions"] == {"code": "LOG_UNAVAILABLE"}
    assert body["errors"][0]["path"] == ["changes", "nodes", 0, "reason"]
    severed.away = False
    await wait_until_reachable(api)
    assert (await api.ask(REASONS))["changes"]["nodes"][0]["reason"] == "It was time."


async def test_a_read_at_a_position_that_the_views_lack_fails_after_a_timeout(
    api: Client, severed: Severed
) -> None:
    position = (await api.do("postCreate", title="One"))["position"]
    severed.away = True
    headers = GRAPHQL | {"LedgerPress-Min-Position": str(position)}
    later_headers = GRAPHQL | {"LedgerPress-Min-Position": str(position + 1)}
    assert (await api.http.post("/graphql", json={"query": TITLES}, headers=headers)).status_code == 200
    response = await api.http.post("/graphql", json={"query": TITLES}, headers=later_headers)
    assert code(response) == (503, "VIEWS_BEHIND")


async def test_tokens_that_the_views_know_can_still_read(tmp_path: Path, severed: Severed) -> None:
    async with visitors(tmp_path / "store") as api:
        headers = GRAPHQL | {"Authorization": f"Bearer {await api.new_token(Role.AUDITOR)}"}
        severed.away = True
        response = await api.http.post("/graphql", json={"query": "{ viewer { role } }"}, headers=headers)
        assert response.json()["data"] == {"viewer": {"role": "AUDITOR"}}


async def test_readiness_reports_when_the_log_was_lost_and_fails_after_the_limit(
    tmp_path: Path, severed: Severed
) -> None:
    settings = HealthSettings(lag_seconds=0.5)
    async with operated(tmp_path / "store", health=settings) as api:
        ready = await api.http.get("/health/ready")
        assert ready.status_code == 200
        assert ready.json()["log"] == "reachable"
        severed.away = True
        async with asyncio.timeout(20):
            while (ready := await api.http.get("/health/ready")).status_code == 200:  # noqa: ASYNC110 - only polling
                await asyncio.sleep(0.01)
        assert (ready.status_code, ready.json()["status"]) == (503, "failing"), (
            "the log fails before the limit"
        )
        assert ready.json()["failing"] == ["read", "write"]
        async with asyncio.timeout(20):
            while ready.json()["status"] != "behind":
                ready = await api.http.get("/health/ready")
        assert ready.status_code == 503
        readiness = ready.json()
        assert (readiness["status"], readiness["log"]) == ("behind", "unreachable")
        assert readiness["lag"]["events"] is None, "the number is unknown"
        assert set(readiness["behind"].values()) == {None}
        assert readiness["lag"]["seconds"] >= 0.5
        assert readiness["head"] == api.store.position
        assert "unreachableSince" not in readiness
        operator_readiness = (await api.http.get("/health/ready", headers=OPERATOR)).json()
        assert operator_readiness["unreachableSince"].endswith("Z")
        assert operator_readiness["notices"] == [
            "unsynced: a test says so",
            "reads fail: the cable is cut",
            "writes fail: the cable is cut",
        ]
        metrics = await samples(api.http)
        assert metrics["ledgerpress_log_reachable"] == 0
        assert metrics["ledgerpress_log_head"] == api.store.position
        assert metrics["ledgerpress_lag_seconds"] > 0.5
        assert "ledgerpress_lag_events" not in metrics
        severed.away = False
        async with asyncio.timeout(20):
            while (await api.http.get("/health/ready")).status_code != 200:  # noqa: ASYNC110 - only polling
                await asyncio.sleep(0.01)
        metrics = await samples(api.http)
        assert metrics["ledgerpress_log_reachable"] == 1
        assert metrics["ledgerpress_lag_events"] == 0
        assert metrics["ledgerpress_log_regained_total"] == 1
        assert metrics["ledgerpress_log_reconnects_total"] == 3
        assert metrics["ledgerpress_log_appends_resolved_total"] == 2
        assert metrics["ledgerpress_log_appends_unresolved_total"] == 0


async def samples(http: httpx2.AsyncClient) -> dict[str, float]:
    text = (await http.get("/metrics", headers=OPERATOR)).text
    families = text_string_to_metric_families(text)
    return {
        sample.name: sample.value for family in families for sample in family.samples if not sample.labels
    }


async def test_subscribers_stay_and_receive_events_when_the_log_is_back(
    tmp_path: Path, severed: Severed
) -> None:
    document = (
        'subscription { changes(fromPosition: %d, filter: {types: ["post.created"]}) { position reason } }'
    )
    async with client(tmp_path / "store") as api, served(api.store) as server:
        start = await api.store.log.head()
        await api.write("One", reason="First.")
        severed.away = True
        assert code(await create(api, "Not yet")) == (503, "LOG_UNAVAILABLE")
        async with websocket(server.host, server.port) as socket:
            await socket.init()
            await socket.subscribe(document % start)
            severed.away = False
            first = await socket.next()
            assert first["data"]["changes"]["reason"] == "First."
            assert "errors" not in first
            await wait_until_reachable(api)
            await api.write("Two", reason="Second.")
            assert (await socket.next())["data"]["changes"]["reason"] == "Second."
