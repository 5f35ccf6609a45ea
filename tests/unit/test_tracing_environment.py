"""The standard environment variables of OpenTelemetry, and the settings that take precedence over them."""

import pytest
from graphql import parse

from ledgerpress import __version__
from ledgerpress.server.tracing.provider import tracer_provider
from ledgerpress.server.tracing.request_attributes import document_without_values, request_attributes
from ledgerpress.server.tracing.settings import Exporter, TracingSettings, TracingUnavailable

Variables = dict[str, str]


@pytest.mark.parametrize(
    ("exporter", "variables", "expected"),
    [
        (None, {}, "none"),
        (None, {"OTEL_TRACES_EXPORTER": "console"}, "console"),
        (None, {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318"}, "otlp"),
        (None, {"OTEL_EXPORTER_OTLP_ENDPOINT": ""}, "none"),
        (None, {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://collector:4318/v1/traces"}, "otlp"),
        (None, {"OTEL_TRACES_EXPORTER": "none", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318"}, "none"),
        ("none", {"OTEL_TRACES_EXPORTER": "console"}, "none"),
        ("console", {"OTEL_TRACES_EXPORTER": "otlp"}, "console"),
        ("console", {"OTEL_SDK_DISABLED": "true"}, "none"),
        ("console", {"OTEL_SDK_DISABLED": "TRUE"}, "none"),
        ("console", {"OTEL_SDK_DISABLED": "1"}, "console"),
        ("otlp", {"OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"}, "otlp"),
    ],
)
def test_the_exporter(exporter: Exporter | None, variables: Variables, expected: str) -> None:
    assert TracingSettings(exporter=exporter).exporter_in(variables) == expected


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        (
            {"OTEL_TRACES_EXPORTER": "zipkin"},
            "OTEL_TRACES_EXPORTER is zipkin; use one of none, console, otlp",
        ),
        (
            {"OTEL_TRACES_EXPORTER": "otlp", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"},
            "OTEL_EXPORTER_OTLP_PROTOCOL is grpc, which is not supported: use http/protobuf",
        ),
        (
            {
                "OTEL_TRACES_EXPORTER": "otlp",
                "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
                "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "http/json",
            },
            "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL is http/json",
        ),
    ],
)
def test_a_value_that_is_not_supported_is_rejected(variables: Variables, message: str) -> None:
    with pytest.raises(TracingUnavailable, match=message):
        TracingSettings().exporter_in(variables)


@pytest.mark.parametrize(
    ("ratio", "variables", "sampler"),
    [
        (None, {}, "root:TraceIdRatioBased{1.0},remoteParentSampled:TraceIdRatioBased{1.0}"),
        (0.25, {}, "root:TraceIdRatioBased{0.25},remoteParentSampled:TraceIdRatioBased{0.25}"),
        (None, {"OTEL_TRACES_SAMPLER": "always_off"}, "AlwaysOffSampler"),
        (
            None,
            {"OTEL_TRACES_SAMPLER": "traceidratio", "OTEL_TRACES_SAMPLER_ARG": "0.5"},
            "TraceIdRatioBased{0.5}",
        ),
        (0.25, {"OTEL_TRACES_SAMPLER": "always_off"}, "root:TraceIdRatioBased{0.25}"),
    ],
)
def test_the_sampler(
    monkeypatch: pytest.MonkeyPatch, ratio: float | None, variables: Variables, sampler: str
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    provider = tracer_provider(TracingSettings(sample_ratio=ratio), "console")
    provider.shutdown()
    assert sampler in provider.sampler.get_description()


@pytest.mark.parametrize(
    ("name", "variables", "service", "version"),
    [
        (None, {}, "ledgerpress", __version__),
        (None, {"OTEL_SERVICE_NAME": "tide"}, "tide", __version__),
        (None, {"OTEL_RESOURCE_ATTRIBUTES": "service.name=tide,service.version=9"}, "tide", "9"),
        ("press", {"OTEL_SERVICE_NAME": "tide"}, "press", __version__),
    ],
)
def test_the_resource(
    monkeypatch: pytest.MonkeyPatch, name: str | None, variables: Variables, service: str, version: str
) -> None:
    for variable, value in variables.items():
        monkeypatch.setenv(variable, value)
    provider = tracer_provider(TracingSettings(service_name=name), "console")
    provider.shutdown()
    attributes = provider.resource.attributes
    assert (attributes["service.name"], attributes["service.version"]) == (service, version)


def test_a_document_in_a_span_contains_no_values() -> None:
    document = parse("""
        # a secret comment
        mutation Write($n: Int = 7) {
          a: post(input: {title: "secret", body: \"\"\"secret\"\"\", sizes: [1, 2.5], kind: LONG, draft: true}) { id }
        }
    """)
    assert document_without_values(document) == (
        "mutation Write($n: Int = ?) { "
        "a: post(input: { title: ?, body: ?, sizes: [?, ?], kind: LONG, draft: true }) { id } }"
    )


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        (b"news.example.org", {"server.address": "news.example.org"}),
        (b"news.example.org:8000", {"server.address": "news.example.org", "server.port": 8000}),
        (b"[::1]:8000", {"server.address": "::1", "server.port": 8000}),
        (b"[::1]", {"server.address": "::1"}),
        (b"news.example.org:x", {"server.address": "news.example.org"}),
        (b"", {}),
    ],
)
def test_the_address_of_the_server_is_that_of_the_host_header(
    host: bytes, expected: dict[str, object]
) -> None:
    attributes = request_attributes(
        {"type": "websocket", "path": "/ü", "scheme": "wss", "headers": [(b"host", host)]}
    )
    assert attributes == {
        "http.request.method": "GET",
        "url.path": "/%C3%BC",
        "url.scheme": "https",
        "network.protocol.version": "1.1",
        **expected,
    }
