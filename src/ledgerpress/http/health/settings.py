"""The settings of health checks and of metrics, apart from what is slow to import."""

from typing import Annotated

import msgspec
from msgspec import Meta

from ledgerpress.views.projection.lag import Lag


class HealthSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Settings of the health routes: when a server is ready, and who may see the details."""

    lag_events: Annotated[
        int,
        Meta(
            ge=0,
            description="The server is not ready if a projection has more than this many events still to apply.",
        ),
    ] = 1_000
    lag_seconds: Annotated[
        float,
        Meta(
            ge=0,
            description="The server is not ready if the next event of a projection is older than this many seconds, or "
            "if the log has been unreachable for longer.",
        ),
    ] = 10.0
    details: Annotated[
        bool,
        Meta(
            description="Show every client why a projection is paused and which views file is in use. Otherwise this "
            "requires a token with the permission `operations:read`."
        ),
    ] = False

    @classmethod
    def development(cls) -> "HealthSettings":
        """Return the settings for development: the server is ready if all events are applied."""
        return cls(lag_events=0, lag_seconds=0.0, details=True)

    def is_behind(self, lag: Lag) -> bool:
        """Return whether a projection is, or may be, too far behind."""
        may_be = lag.events > 0 or not lag.is_known
        return lag.events > self.lag_events or (may_be and lag.seconds > self.lag_seconds)


class MetricsSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Settings of the metrics: whether and where they are served, and which clients may read them."""

    enabled: Annotated[bool, Meta(description="Serve metrics for Prometheus at `/metrics`.")] = True
    public: Annotated[
        bool,
        Meta(
            description="Every client may read `/metrics`. Otherwise this requires a token with the permission "
            "`operations:read`."
        ),
    ] = False
    port: Annotated[
        int | None,
        Meta(
            description="A separate port for `/metrics` and `/health` only, without authentication; the server's own "
            "port then has no `/metrics`. Empty: no separate port. 0: a free port."
        ),
    ] = None
    host: Annotated[str, Meta(description="The address on which the separate port listens.")] = "127.0.0.1"

    @classmethod
    def development(cls) -> "MetricsSettings":
        return cls(public=True)

    def __post_init__(self) -> None:
        if self.port is not None and not 0 <= self.port <= 65535:
            raise ValueError(f"port is {self.port}; it must be from 0 to 65535, or empty")
