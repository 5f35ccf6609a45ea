"""The settings of traces."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta


class TracingSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Whether OpenTelemetry traces are recorded, and where they are sent."""

    exporter: Annotated[
        Literal["none", "console", "otlp"],
        Meta(
            description="Where traces are sent: nowhere, to standard error, or to a collector with OTLP over HTTP "
            "(needs `pip install ledgerpress[otlp]`)."
        ),
    ] = "none"
    endpoint: Annotated[
        str,
        Meta(
            pattern="^https?://[^@]*$",
            description="The URL of the collector, without a password: put credentials into `otlp_headers`.",
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
            description="The share of requests that are traced, from 0 to 1. Clients cannot increase it.",
        ),
    ] = 1.0
    service_name: Annotated[str, Meta(min_length=1, description="The name of the service in traces.")] = (
        "ledgerpress"
    )


class TracingUnavailable(Exception):
    """Traces cannot be recorded as the settings require. The message contains the remedy."""
