"""Traces: from request headers into events, and as spans to the exporter in the settings."""

import asyncio
import gzip
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from ledgerpress.eventlog.clock_randomness_ids import uuid8
from ledgerpress.http.middleware.telemetry import trace_id_of
from tests.integration.log_history import recorded
from tests.integration.production_application import OPERATOR, operated
from tests.integration.server_process import Server, Servers

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = "00f067aa0ba902b7"
TRACEPARENT = {"traceparent": f"00-{TRACE}-{PARENT}-01"}
ONE = "11111111-1111-8111-8111-111111111111"
OTHER = "ABCDEF01-2222-8222-8222-222222222222"
NAME_SITE = "mutation Naming($name: String!) { siteName(input: {name: $name}) { position } }"


@pytest.mark.parametrize(
    ("headers", "trace", "correlation", "causation"),
    [
        (TRACEPARENT, TRACE, uuid8("trace", TRACE), None),
        (TRACEPARENT | {"LedgerPress-Correlation-Id": ONE}, TRACE, ONE, None),
        ({"LedgerPress-Causation-Id": OTHER}, None, "the command", OTHER.lower()),
        ({"LedgerPress-Correlation-Id": ONE, "LedgerPress-Causation-Id": OTHER}, None, ONE, OTHER.lower()),
        ({"traceparent": "nonsense"}, None, "the command", None),
        ({}, None, "the command", None),
    ],
)
async def test_events_contain_the_trace_correlation_and_causation_of_their_request(
    tmp_path: Path, headers: dict[str, str], trace: str | None, correlation: str, causation: str | None
) -> None:
    async with operated(tmp_path) as application:
        response = await application.post(NAME_SITE, OPERATOR | headers, name="The Tide")
        assert response.json()["data"]["siteName"]["position"]
        (event,) = await application.store.log.read(await application.store.log.head() - 1, 1)
    header = event.header
    assert header.correlation_id == (header.command_id if correlation == "the command" else correlation)
    assert header.causation_id == causation
    assert event.payload is not None
    assert json.loads(event.payload.plaintext).get("traceId") == trace


async def test_a_repeated_id_is_rejected_and_repeated_traceparents_are_ignored(tmp_path: Path) -> None:
    async with operated(tmp_path) as application:
        for name, status in {
            "LedgerPress-Correlation-Id": 400,
            "LedgerPress-Causation-Id": 400,
            "traceparent": 200,
        }.items():
            value = TRACEPARENT.get(name, ONE)
            head = await application.store.log.head()
            response = await application.http.post(
                "/graphql",
                json={"query": NAME_SITE, "variables": {"name": f"The {name}"}},
                headers=[*OPERATOR.items(), (name, value), (name, value)],
            )
            assert response.status_code == status, response.text
            assert await application.store.log.head() == head + (status == 200)
        (event,) = await application.store.log.read(await application.store.log.head() - 1, 1)
    assert event.header.correlation_id == event.header.command_id


@pytest.mark.parametrize("name", ["LedgerPress-Correlation-Id", "LedgerPress-Causation-Id"])
@pytest.mark.parametrize("value", ["", "x", ONE[:-1], ONE + "0", "{" + ONE + "}"])
async def test_an_invalid_id_is_rejected_and_nothing_is_recorded(
    tmp_path: Path, name: str, value: str
) -> None:
    async with operated(tmp_path) as application:
        head = await application.store.log.head()
        response = await application.post(NAME_SITE, OPERATOR | {name: value}, name="The Tide")
        assert response.status_code == 400
        assert name.lower() in response.json()["errors"][0]["message"]
        assert await application.store.log.head() == head


@pytest.mark.parametrize(
    ("value", "trace_id"),
    [
        (f"00-{TRACE}-{PARENT}-00", TRACE),
        (f" 00-{TRACE}-{PARENT}-01 ", TRACE),
        (f"cc-{TRACE}-{PARENT}-01-what-comes-later", TRACE),
        (f"00-{TRACE}-{PARENT}-01-more", None),
        (f"ff-{TRACE}-{PARENT}-01", None),
        (f"00-{'0' * 32}-{PARENT}-01", None),
        (f"00-{TRACE}-{'0' * 16}-01", None),
        (f"00-{TRACE.upper()}-{PARENT}-01", None),
        (f"00-{TRACE[:-1]}-{PARENT}-01", None),
        ("", None),
    ],
)
def test_the_traceparent_header_is_parsed_as_specified(value: str, trace_id: str | None) -> None:
    assert trace_id_of(value.encode()) == trace_id


def spans(server: Server) -> list[dict[str, Any]]:
    """Return the spans that the server has written to its output, one on each line."""
    lines = server.output.read_text("utf-8").splitlines()
    return [json.loads(line) for line in lines if line.startswith('{"name"')]


async def name_site(server: Server, headers: dict[str, str], name: str = "opensesame") -> None:
    host, port = await server.address()
    async with httpx2.AsyncClient(base_url=f"http://{host}:{port}", headers=headers) as http:
        response = await http.post("/graphql", json={"query": NAME_SITE, "variables": {"name": name}})
        assert response.json()["data"]["siteName"]["position"]


async def test_a_request_and_its_command_have_spans(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEDGERPRESS_TRACING_EXPORTER", "console")
    async with Servers(tmp_path) as servers:
        server = await servers.start(tmp_path / "data")
        await name_site(server, TRACEPARENT)
        await name_site(server, {}, "opensesame again")
        assert await server.stop() == 0
        all_spans = spans(server)
        assert "opensesame" not in server.output.read_text("utf-8")
    trace_spans = [span for span in all_spans if span["context"]["trace_id"] == f"0x{TRACE}"]
    by_name = {span["name"]: span for span in trace_spans}
    assert sorted(by_name) == sorted(
        ["POST /graphql", "mutation", "command NameSite", "decide", "append", "wait for views"]
    )
    assert by_name["POST /graphql"]["parent_id"] == f"0x{PARENT}"
    assert by_name["mutation"]["parent_id"] == by_name["POST /graphql"]["context"]["span_id"]
    assert by_name["command NameSite"]["parent_id"] == by_name["mutation"]["context"]["span_id"]
    for name in ("decide", "append", "wait for views"):
        assert by_name[name]["parent_id"] == by_name["command NameSite"]["context"]["span_id"]
    # A request without a trace begins a new trace, and its events contain the trace ID.
    (begun,) = (span for span in all_spans if span["name"] == "POST /graphql" and span["parent_id"] is None)
    last = (await recorded(tmp_path / "data"))[-1]
    assert last.trace_id is not None
    assert begun["context"]["trace_id"] == f"0x{last.trace_id}"
    assert last.header.correlation_id == uuid8("trace", last.trace_id)


@asynccontextmanager
async def collector() -> AsyncIterator[tuple[str, list[tuple[str, bytes]]]]:
    """Run a collector for OTLP over HTTP; yield its address, and the heads and bodies of requests that it receives."""
    received: list[tuple[str, bytes]] = []

    async def respond(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        (length,) = (
            line.split(":")[1] for line in head.lower().splitlines() if line.startswith("content-length")
        )
        body = await reader.readexactly(int(length))
        received.append((head, gzip.decompress(body) if "content-encoding: gzip" in head.lower() else body))
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(respond, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1/traces", received


async def test_spans_go_to_a_collector(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with collector() as (endpoint, received), Servers(tmp_path) as servers:
        monkeypatch.setenv("LEDGERPRESS_TRACING_EXPORTER", "otlp")
        monkeypatch.setenv("LEDGERPRESS_TRACING_ENDPOINT", endpoint)
        monkeypatch.setenv("LEDGERPRESS_TRACING_OTLP_HEADERS", "api-key=abc")
        monkeypatch.setenv("LEDGERPRESS_TRACING_SERVICE_NAME", "the-tide")
        server = await servers.start(tmp_path / "data")
        await name_site(server, TRACEPARENT)
        assert await server.stop() == 0
        assert server.words() == ""
    names = set()
    for head, body in received:
        assert "api-key: abc" in head.lower()
        sent = ExportTraceServiceRequest.FromString(body)
        for resource in sent.resource_spans:
            attributes = {
                attribute.key: attribute.value.string_value for attribute in resource.resource.attributes
            }
            assert attributes["service.name"] == "the-tide"
            for scope in resource.scope_spans:
                names |= {span.name for span in scope.spans if span.trace_id.hex() == TRACE}
    assert {"mutation", "append"} <= names


async def test_the_sample_ratio_applies_even_if_the_client_requests_a_trace(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEDGERPRESS_TRACING_EXPORTER", "console")
    monkeypatch.setenv("LEDGERPRESS_TRACING_SAMPLE_RATIO", "0")
    async with Servers(tmp_path) as servers:
        server = await servers.start(tmp_path / "data")
        await name_site(server, TRACEPARENT)
        assert await server.stop() == 0
        assert spans(server) == []
    last = (await recorded(tmp_path / "data"))[-1]
    assert last.trace_id == TRACE


async def test_an_unreachable_collector_delays_neither_requests_nor_the_stop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with collector() as (endpoint, _):
        pass
    monkeypatch.setenv("LEDGERPRESS_TRACING_EXPORTER", "otlp")
    monkeypatch.setenv("LEDGERPRESS_TRACING_ENDPOINT", endpoint)
    async with Servers(tmp_path) as servers:
        server = await servers.start(tmp_path / "data")
        await name_site(server, TRACEPARENT)
        assert await server.stop() == 0
    assert (await recorded(tmp_path / "data"))[-1].trace_id == TRACE


async def test_spans_have_the_attributes_of_the_semantic_conventions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEDGERPRESS_TRACING_EXPORTER", "console")
    async with Servers(tmp_path) as servers:
        server = await servers.start(tmp_path / "data")
        host, port = await server.address()
        address = f"http://{host}:{port}"
        async with httpx2.AsyncClient(base_url=address, headers={"User-Agent": "reader/1"}) as http:
            query = 'query Front($n: Int) { recentPosts(first: $n) { totalCount } article(slug: "secret") { title } }'
            await http.get("/graphql", params={"query": query, "variables": '{"n": 5}'})
            await http.get("/articles/no-such-article?token=secret")
            await http.get("/no/such/page")
            await http.request("PROPFIND", "/")
            await http.post("/graphql", json={"query": "{ nothing }"})
        assert await server.stop() == 0
        assert "secret" not in server.output.read_text("utf-8")
    requests = [
        span
        for span in spans(server)
        if span["kind"] == "SpanKind.SERVER" and span["name"] != "GET /health/ready"  # from `start`
    ]
    names = [span["name"] for span in requests]
    assert sorted(names) == sorted(
        ["query", "GET /graphql", "GET /articles/{slug}", "GET /{path:path}", "HTTP /", "POST /graphql"]
    )
    by_name = {span["name"]: span["attributes"] for span in requests}
    assert by_name["query"] == {
        "graphql.operation.type": "query",
        "graphql.operation.name": "Front",
        "graphql.document": "query Front($n: Int) { recentPosts(first: $n) { totalCount } article(slug: ?) { title } }",
    }
    read = by_name["GET /graphql"]
    assert read.pop("ledgerpress.request.id")
    assert read == {
        "http.request.method": "GET",
        "http.route": "/graphql",
        "http.response.status_code": 200,
        "url.path": "/graphql",
        "url.scheme": "http",
        "url.query": "query=REDACTED&variables=REDACTED",
        "network.protocol.version": "1.1",
        "server.address": host,
        "server.port": port,
        "client.address": "127.0.0.1",
        "user_agent.original": "reader/1",
        "ledgerpress.request.kind": "query",
    }
    article = by_name["GET /articles/{slug}"]
    assert (article["url.query"], article["http.response.status_code"]) == ("token=REDACTED", 404)
    assert by_name["GET /{path:path}"]["http.response.status_code"] == 404
    assert by_name["HTTP /"]["http.request.method"] == "_OTHER"
    assert by_name["HTTP /"]["http.request.method_original"] == "PROPFIND"


async def test_the_environment_variables_of_opentelemetry_apply(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with collector() as (endpoint, received), Servers(tmp_path) as servers:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint.removesuffix("/v1/traces"))
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "api-key=abc")
        monkeypatch.setenv("OTEL_SERVICE_NAME", "the-tide")
        monkeypatch.setenv(
            "OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=staging,service.version=v9"
        )
        server = await servers.start(tmp_path / "data")
        await name_site(server, TRACEPARENT)
        assert await server.stop() == 0
        assert server.words() == ""
    (head, body), *_ = received
    assert head.startswith("POST /v1/traces ")
    assert "api-key: abc" in head.lower()
    resource = ExportTraceServiceRequest.FromString(body).resource_spans[0].resource
    attributes = {attribute.key: attribute.value.string_value for attribute in resource.attributes}
    assert attributes["service.name"] == "the-tide"
    assert attributes["service.version"] == "v9"
    assert attributes["deployment.environment.name"] == "staging"


def test_an_unknown_propagator_stops_the_start(tmp_path: Path) -> None:
    result = subprocess.run(
        [sys.executable, "-m", "ledgerpress", "serve", "--port", "0", "--data", str(tmp_path / "data")],
        env={**os.environ, "OTEL_TRACES_EXPORTER": "console", "OTEL_PROPAGATORS": "b4"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert result.returncode == 1
    assert "OTEL_PROPAGATORS is invalid: Propagator b4 not found" in " ".join(result.stderr.split())


def test_opentelemetry_is_not_loaded_if_tracing_is_off() -> None:
    program = "import sys, ledgerpress.cli.serve; print([name for name in sys.modules if name.startswith('opentelemetry')])"
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert result.stdout == "[]\n"
