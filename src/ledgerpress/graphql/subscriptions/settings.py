"""The settings of subscriptions. The defaults are for production."""

from typing import Annotated, Self

from msgspec import Meta, Struct

from ledgerpress.network_names import LOCALHOST, Origin

Count = Annotated[int, Meta(ge=1)]
Seconds = Annotated[float, Meta(gt=0)]


class SubscriptionSettings(Struct, frozen=True, kw_only=True):
    """The limits of subscriptions and of their connections."""

    max_subscriptions: Annotated[
        Count, Meta(description="Maximum number of subscriptions in each worker, over all connections.")
    ] = 10_000
    max_operations: Annotated[
        Count,
        Meta(description="Maximum number of concurrent operations on one WebSocket or event stream."),
    ] = 100
    max_message_bytes: Annotated[
        Count, Meta(description="Maximum size of a message that a client sends over a WebSocket, in bytes.")
    ] = 1_000_000
    init_seconds: Annotated[
        Seconds,
        Meta(description="Timeout for the connection_init of a WebSocket, in seconds."),
    ] = 3.0
    keep_alive_seconds: Annotated[
        Seconds,
        Meta(description="Interval of keep-alive messages on an idle connection, in seconds."),
    ] = 12.0
    send_seconds: Annotated[
        Seconds,
        Meta(description="How long a client may stop reading before it counts as too slow, in seconds."),
    ] = 10.0
    max_lag: Annotated[
        Count,
        Meta(
            description="How many positions a subscriber that had caught up may fall behind; then it is too slow."
        ),
    ] = 1_000
    kept_bytes: Annotated[
        Count,
        Meta(description="Memory for cached events, for subscribers that are behind others, in bytes."),
    ] = 32_000_000
    recheck_seconds: Annotated[
        Seconds,
        Meta(description="Interval at which the token of a connection is checked again, in seconds."),
    ] = 30.0
    clock_seconds: Annotated[
        Seconds,
        Meta(description="Maximum time between two executions of a live query without an event, in seconds."),
    ] = 60.0
    reservation_seconds: Annotated[
        Seconds,
        Meta(description="How long a reserved event stream waits to be opened, in seconds."),
    ] = 30.0
    max_reservations: Annotated[
        Count,
        Meta(
            description="Maximum number of event streams in the single-connection mode, reserved or open, in each worker."
        ),
    ] = 1_000
    allowed_origins: Annotated[
        tuple[Origin, ...],
        Meta(
            description="Origins whose pages may open a WebSocket, in addition to the server's own, such as "
            "`https://www.example.org`."
        ),
    ] = ()

    @classmethod
    def development(cls) -> Self:
        """Return the settings for development: pages of other servers on this machine may open a WebSocket."""
        return cls(allowed_origins=(LOCALHOST,))
