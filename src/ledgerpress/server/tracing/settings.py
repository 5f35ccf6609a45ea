"""The settings of traces."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta


class TracingSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Whether traces are taken (OpenTelemetry), and where they go."""

    exporter: Annotated[
        Literal["none", "console", "otlp"],
        Meta(
            description="Where traces go: nowhere, to standard error, or to a collector by OTLP over HTTP (which needs "
            "`pip install ledgerpress[otlp]`)."
        ),
    ] = "none"
    endpoint: Annotated[
        str,
        Meta(
            pattern="^https?://[^@]*$",
            description="Where the collector takes traces. It holds no password: for one there is `otlp_headers`.",
        ),
    ] = "http://127.0.0.1:4318/v1/traces"
    otlp_headers: Annotated[
        str,
        Meta(
            description="Headers for the collector, as `name=value,name=value`. Never printed.",
            extra={"secret": True},
        ),
    ] = ""
    sample_ratio: Annotated[
        float,
        Meta(
            ge=0,
            le=1,
            description="The share of requests that are traced. A caller that takes a trace of its own does not raise it.",
        ),
    ] = 1.0
    service_name: Annotated[str, Meta(min_length=1, description="What the service is called in traces.")] = (
        "ledgerpress"
    )


class TracingUnavailable(Exception):
    """Traces cannot be recorded as the settings require. The message says what to do."""
