"""The settings of subscriptions. The defaults are for production."""

from typing import Annotated

from msgspec import Meta, Struct

Count = Annotated[int, Meta(ge=1)]
Seconds = Annotated[float, Meta(gt=0)]


class SubscriptionSettings(Struct, frozen=True, kw_only=True):
    """The bounds of subscriptions, and of the connections that carry them."""

    max_subscriptions: Annotated[
        Count, Meta(description="How many subscriptions the process carries at a time, over all connections.")
    ] = 10_000
    max_operations: Annotated[
        Count,
        Meta(description="How many operations one WebSocket or one event stream carries at a time."),
    ] = 100
    max_message_bytes: Annotated[
        Count, Meta(description="The largest message that a client may send over a WebSocket, in bytes.")
    ] = 1_000_000
    init_seconds: Annotated[
        Seconds,
        Meta(description="How long a WebSocket may take until its connection_init, in seconds."),
    ] = 3.0
    keep_alive_seconds: Annotated[
        Seconds,
        Meta(description="How often a connection on which nothing happens is kept alive, in seconds."),
    ] = 12.0
    send_seconds: Annotated[
        Seconds,
        Meta(
            description="How long a client may take none of what is sent to it until it is too slow, in seconds."
        ),
    ] = 10.0
    max_lag: Annotated[
        Count,
        Meta(
            description="How many positions a subscriber that had caught up may fall behind until it is too slow."
        ),
    ] = 1_000
    kept_bytes: Annotated[
        Count,
        Meta(
            description="How much memory the events take that are kept ready for subscribers who are not as far as others, in bytes."
        ),
    ] = 32_000_000
    recheck_seconds: Annotated[
        Seconds,
        Meta(
            description="How often it is asked again whether a connection's token is still good, in seconds."
        ),
    ] = 30.0
    clock_seconds: Annotated[
        Seconds,
        Meta(
            description="How often a live query is asked again where nothing but time has gone by, in seconds."
        ),
    ] = 60.0
    reservation_seconds: Annotated[
        Seconds,
        Meta(description="How long a reserved event stream waits for being opened, in seconds."),
    ] = 30.0
    max_reservations: Annotated[
        Count, Meta(description="How many event streams may be reserved or open by reservation at a time.")
    ] = 1_000
    allowed_origins: Annotated[
        tuple[str, ...],
        Meta(
            description="Origins, such as https://example.org, whose pages may open a WebSocket, beside the server's own."
        ),
    ] = ()
