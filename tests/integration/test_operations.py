"""Health and metrics: what operators see, and what other clients see."""

import sqlite3
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from ledgerpress.http.health.settings import HealthSettings, MetricsSettings
from ledgerpress.views.projection.lag import Lag
from ledgerpress.views.projection.projector_interface_and_composition import ComposedProjector, ProjectorBatch
from tests.altered_projectors import AlteredWriting
from tests.integration.production_application import EDITOR, OPERATOR, Operated, operated

pytestmark = pytest.mark.usefixtures("workers")

NAME_SITE = "mutation Naming($name: String!) { siteName(input: {name: $name}) { position } }"


async def samples(server: Operated, headers: dict[str, str] | None = None) -> dict[tuple[str, ...], float]:
    """Return the values of the metrics by name and label values."""
    response = await server.http.get("/metrics", headers=headers if headers is not None else OPERATOR)
    assert response.status_code == 200, response.text
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(response.text)
        for sample in family.samples
    }


async def pause_people(server: Operated, monkeypatch: pytest.MonkeyPatch) -> None:
    original = ComposedProjector.begin

    def fail(writing: ProjectorBatch, recorded: object) -> None:
        raise ValueError("secret/path/inside")

    def begin(self: ComposedProjector, db: sqlite3.Connection) -> ProjectorBatch:
        batch = original(self, db)
        return AlteredWriting(batch, fail) if self.name == "people" else batch

    monkeypatch.setattr(ComposedProjector, "begin", begin)
    await server.post(NAME_SITE, OPERATOR, name="The Tide")


async def test_a_server_with_a_paused_projection_is_not_ready_and_only_operators_see_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with operated(tmp_path) as server:
        assert (await server.http.get("/health/ready")).status_code == 200
        await pause_people(server, monkeypatch)
        for headers in ({}, EDITOR, {"Authorization": "Bearer wrong"}):
            response = await server.http.get("/health/ready", headers=headers)
            assert response.status_code == 503
            assert response.json()["status"] == "paused"
            assert response.json()["paused"] == {"people": None}
            assert "inside" not in response.text
            assert "views" not in response.json()
        response = await server.http.get("/health/ready", headers=OPERATOR)
        assert "secret/path/inside" in response.json()["paused"]["people"]
        assert response.json()["views"]["file"].startswith("views")
        metrics = await samples(server)
        assert metrics["ledgerpress_projection_paused", "people"] == 1
        assert metrics["ledgerpress_projection_paused", "posts"] == 0
        assert metrics["ledgerpress_projection_lag_events", "people"] > 0
        assert (await server.http.get("/health/live")).status_code == 200


@pytest.mark.parametrize(
    ("lag", "is_behind"),
    [
        (Lag(0, 0.0), False),
        (Lag(10, 1.0), False),
        (Lag(11, 1.0), True),
        (Lag(1, 2.5), True),
        (Lag(0, 9.0), False),
    ],
)
def test_a_projection_is_behind_beyond_the_limits_of_events_and_seconds(lag: Lag, is_behind: bool) -> None:
    assert HealthSettings(lag_events=10, lag_seconds=2.0).is_behind(lag) is is_behind


async def test_a_stopping_server_is_live_but_not_ready(tmp_path: Path) -> None:
    async with operated(tmp_path) as server:
        server.running.stopping.set()
        response = await server.http.get("/health/ready")
        assert (response.status_code, response.json()["status"]) == (503, "stopping")
        assert (await server.http.get("/health/live")).status_code == 200


async def test_only_operators_can_read_metrics(tmp_path: Path) -> None:
    async with operated(tmp_path / "one") as server:
        for headers in ({}, EDITOR, {"Authorization": "Bearer wrong"}):
            response = await server.http.get("/metrics", headers=headers)
            assert response.status_code == 401
            assert response.headers["WWW-Authenticate"] == "Bearer"
            assert "ledgerpress_" not in response.text
        assert (await server.http.get("/metrics", headers=OPERATOR)).status_code == 200
    for exposure, status in (
        (MetricsSettings(public=True), 200),
        (MetricsSettings(enabled=False), 404),
        (MetricsSettings(port=9100), 404),
    ):
        async with operated(tmp_path / "one", exposure=exposure) as server:
            assert (await server.http.get("/metrics")).status_code == status


async def test_metrics_count_requests_events_and_positions(tmp_path: Path, workers: int) -> None:
    async with operated(tmp_path) as server:
        before = await server.store.log.head()
        assert (await server.post(NAME_SITE, OPERATOR, name="The Tide")).json()["data"]["siteName"][
            "position"
        ]
        for _ in range(workers + 1):
            await server.post("{ site { name } }")
        await server.post("{ nothing }")
        await server.http.get("/")
        await server.http.get("/articles/none")
        metrics = await samples(server)
        assert metrics["ledgerpress_requests_total", "mutation", "200"] == 1
        assert metrics["ledgerpress_requests_total", "query", "200"] == workers + 1
        assert metrics["ledgerpress_answers_total", "hits"] == 1
        assert metrics["ledgerpress_subscriptions", "sockets"] == 0
        assert (
            sum(
                value
                for key, value in metrics.items()
                if key[:2] == ("ledgerpress_requests_total", "graphql")
            )
            == 1
        )
        assert metrics["ledgerpress_requests_total", "page", "200"] == 1
        assert metrics["ledgerpress_requests_total", "page", "404"] == 1
        assert metrics["ledgerpress_events_appended_total",] == 1
        assert metrics["ledgerpress_log_head",] == before + 1
        assert metrics["ledgerpress_projection_checkpoint", "posts"] == before + 1
        assert metrics["ledgerpress_request_duration_seconds_count", "mutation"] == 1
        assert metrics["ledgerpress_request_duration_seconds_bucket", "mutation", "+Inf"] == 1
        assert 0 < metrics["ledgerpress_request_duration_seconds_sum", "mutation"] < 60
        memory = [value for key, value in metrics.items() if key[0] == "process_resident_memory_bytes"]
        assert len(memory) == workers
        assert min(memory) > 0


async def test_no_text_of_a_client_becomes_a_label(tmp_path: Path) -> None:
    async with operated(tmp_path) as server:
        await server.post(NAME_SITE, OPERATOR, name="HOSTILE")
        await server.post("query HOSTILE { site { name } }")
        await server.http.get("/HOSTILE")
        await server.http.get("/graphql/HOSTILE")
        await server.http.request("HOSTILE", "/graphql")
        await server.http.get(
            "/health/HOSTILE", headers={"Authorization": "Bearer HOSTILE", "Accept": "HOSTILE"}
        )
        before = len(await samples(server))
        for number in range(20):
            await server.http.get(f"/HOSTILE/{number}")
            await server.post(f"query HOSTILE{number} {{ site {{ name }} }}")
        response = await server.http.get("/metrics", headers=OPERATOR)
        assert "HOSTILE" not in response.text
        assert len(await samples(server)) <= before + 2  # the requests for metrics are a new kind


async def test_metrics_have_the_requested_format(tmp_path: Path) -> None:
    async with operated(tmp_path) as server:
        for accept, media_type in (
            ("application/openmetrics-text; version=1.0.0", "application/openmetrics-text"),
            ("text/plain", "text/plain"),
            ("application/openmetrics-text; version=nonsense", "text/plain"),
        ):
            response = await server.http.get("/metrics", headers={**OPERATOR, "Accept": accept})
            assert response.status_code == 200
            assert response.headers["content-type"].startswith(media_type)


async def test_other_components_can_add_metrics(tmp_path: Path) -> None:
    async with operated(tmp_path) as server:
        server.running.metrics.watch("subscribers", "Those who listen.", lambda: 3)
        server.running.metrics.watch(
            "cache",
            "Looks into the cache.",
            lambda: {"hit": 5.0, "miss": 2.0},
            kind="counter",
            label="result",
        )
        metrics = await samples(server)
        assert metrics["ledgerpress_subscribers",] == 3
        assert metrics["ledgerpress_cache_total", "hit"] == 5
        assert metrics["ledgerpress_cache_total", "miss"] == 2
