"""The settings of traces, and which standard environment variables of OpenTelemetry apply where they are not set."""

from collections.abc import Mapping
from typing import Annotated, Final, Literal, TypeAlias

import msgspec
from msgspec import Meta

Exporter: TypeAlias = Literal["none", "console", "otlp"]

DISABLED: Final = "OTEL_SDK_DISABLED"
EXPORTER: Final = "OTEL_TRACES_EXPORTER"
SAMPLER: Final = "OTEL_TRACES_SAMPLER"
ENDPOINTS: Final = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
PROTOCOLS: Final = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
_EXPORTERS: Final[dict[str, Exporter]] = {"none": "none", "console": "console", "otlp": "otlp"}


class TracingSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Whether OpenTelemetry traces are recorded, and where they are sent.

    A value that is set here takes precedence over the environment variable of OpenTelemetry for it.
    """

    exporter: Annotated[
        Exporter | None,
        Meta(
            description="Where traces are sent: nowhere, to standard error, or to a collector with OTLP over HTTP "
            "(needs `pip install ledgerpress[otel]`). If it is not set: `OTEL_TRACES_EXPORTER`, or `otlp` if "
            "`OTEL_EXPORTER_OTLP_ENDPOINT` is set, otherwise `none`. `OTEL_SDK_DISABLED=true` records no traces."
        ),
    ] = None
    endpoint: Annotated[
        Annotated[str, Meta(pattern="^https?://[^@]*$")] | None,
        Meta(
            description="The URL of the collector, without a password: put credentials into `otlp_headers`. If it is "
            "not set: `OTEL_EXPORTER_OTLP_TRACES_ENDPOINT`, `OTEL_EXPORTER_OTLP_ENDPOINT` with `/v1/traces`, or "
            "`http://localhost:4318/v1/traces`."
        ),
    ] = None
    otlp_headers: Annotated[
        str,
        Meta(
            description="Headers for the collector, as `name=value,name=value`. Never printed. If there are none: "
            "`OTEL_EXPORTER_OTLP_HEADERS`.",
            extra={"secret": True},
        ),
    ] = ""
    sample_ratio: Annotated[
        Annotated[float, Meta(ge=0, le=1)] | None,
        Meta(
            description="The share of requests that are traced, from 0 to 1. Clients cannot increase it. If it is not "
            "set: `OTEL_TRACES_SAMPLER`, otherwise 1."
        ),
    ] = None
    service_name: Annotated[
        Annotated[str, Meta(min_length=1)] | None,
        Meta(
            description="The name of the service in traces. If it is not set: `OTEL_SERVICE_NAME`, `service.name` in "
            "`OTEL_RESOURCE_ATTRIBUTES`, or `ledgerpress`."
        ),
    ] = None

    def exporter_in(self, environment: Mapping[str, str]) -> Exporter:
        """Return where traces are sent. Raises `TracingUnavailable` for variables with values that are not supported.

        OpenTelemetry specification, "SDK environment variables".
        """
        if environment.get(DISABLED, "").strip().lower() == "true":
            return "none"
        exporter = self.exporter or _exporter_of(environment)
        if exporter == "otlp":
            _check_protocol(environment)
        return exporter


def _exporter_of(environment: Mapping[str, str]) -> Exporter:
    if name := environment.get(EXPORTER, "").strip():
        if name not in _EXPORTERS:
            raise TracingUnavailable(f"{EXPORTER} is {name}; use one of {', '.join(_EXPORTERS)}")
        return _EXPORTERS[name]
    return "otlp" if any(environment.get(variable) for variable in ENDPOINTS) else "none"


def _check_protocol(environment: Mapping[str, str]) -> None:
    for variable in PROTOCOLS:
        if protocol := environment.get(variable, "").strip():
            if protocol != "http/protobuf":
                raise TracingUnavailable(
                    f"{variable} is {protocol}, which is not supported: use http/protobuf, with the port of the "
                    "collector for HTTP (4318)"
                )
            return


class TracingUnavailable(Exception):
    """Traces cannot be recorded as the settings require. The message contains the remedy."""
