"""The settings of a server: where it listens, what it serves, and how it stops."""

from pathlib import Path
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from ledgerpress.eventlog.errors import LogUnusable
from ledgerpress.server.log_url import LOCAL, LogUrl

LOOPBACK: Final = ("127.0.0.1", "::1", "localhost")
"""The addresses that only this machine can reach."""
EVERY_ADDRESS: Final = ("0.0.0.0", "::")  # noqa: S104 - compared with, not bound


class ServerSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Where a server listens, what it serves, and how it stops."""

    host: Annotated[
        str,
        Meta(
            min_length=1,
            description="The address to listen on. In development only this machine's own: `127.0.0.1`, `::1` or `localhost`.",
        ),
    ] = "127.0.0.1"
    port: Annotated[
        int, Meta(ge=0, le=65535, description="The port to listen on; 0 takes a free one, and says which.")
    ] = 8000
    data: Annotated[
        Path,
        Meta(description="The directory that holds the store; relative to where the program is started."),
    ] = Path("ledgerpress-data")
    log: Annotated[
        str,
        Meta(
            description="Where the log is: `sqlite:` (a file in the data directory), "
            "`postgresql://USER:PASSWORD@HOST/DATABASE?publication=NAME` or "
            "`nats://USER:PASSWORD@HOST:4222,HOST:4222?publication=NAME`. With a log elsewhere, the data directory "
            "holds this node's views and nothing else.",
        ),
    ] = LOCAL
    allow_unsynced: Annotated[
        bool,
        Meta(
            description="For a log in NATS: go by servers that acknowledge events before they are on their disks, where "
            "losing some does no harm. The same as `allow_unsynced=true` in the URL.",
        ),
    ] = False
    log_wait_seconds: Annotated[
        float,
        Meta(
            ge=0,
            le=3_600,
            description="How long a server that is started waits for a log elsewhere that cannot be reached, before it "
            "gives up.",
        ),
    ] = 30.0
    allowed_hosts: Annotated[
        tuple[str, ...],
        Meta(
            description="The names under which the server may be asked for (the Host header), such as "
            "`news.example.org` or `*.example.org`; others get a 400. Nothing: the address that it listens on, and "
            "`localhost`. `*`: any name.",
        ),
    ] = ()
    trusted_proxies: Annotated[
        tuple[str, ...],
        Meta(
            description="The addresses or networks of proxies whose `X-Forwarded-For`, `X-Forwarded-Proto` and "
            "`X-Forwarded-Prefix` are believed. Nothing: none is, and a client's address is that of whoever connects.",
        ),
    ] = ()
    max_head_bytes: Annotated[
        int,
        Meta(
            ge=4_096,
            le=1_048_576,
            description="The largest head of a request (its line and headers), in bytes. A larger one gets a 431 while it "
            "arrives, and the connection is closed.",
        ),
    ] = 65_536
    head_seconds: Annotated[
        float,
        Meta(
            gt=0,
            le=300,
            description="How long a client may take for the head of a request, from when it connects, and later from the "
            "first byte on. Then the connection is closed.",
        ),
    ] = 10.0
    max_connections: Annotated[
        int,
        Meta(
            ge=1,
            description="How many connections there may be at a time, WebSockets included; others get a 503. Never more "
            "than the limit on open files, less 200: the server raises its soft limit as far as it needs and may.",
        ),
    ] = 4_000
    max_unfinished_bodies: Annotated[
        int,
        Meta(
            ge=1,
            description="How many requests may wait for their own bodies for more than a second at a time, one client "
            "address half as many; others get a 503. To be less than `http.max_concurrent_requests`, so that "
            "they do not take all places.",
        ),
    ] = 100
    open_past: Annotated[
        bool,
        Meta(description="Everyone may see the past, but for articles that are not public today."),
    ] = False
    stop_delay_seconds: Annotated[
        float,
        Meta(
            ge=0,
            le=300,
            description="How long a server that is to stop goes on taking requests, while `/health/ready` says 503: as "
            "long as whatever is in front of it needs to notice.",
        ),
    ] = 0.0
    stop_seconds: Annotated[
        int,
        Meta(
            ge=1,
            le=300,
            description="How long it then waits for requests under way, before it cuts them off. Less than whoever "
            "supervises it waits for it.",
        ),
    ] = 5

    def __post_init__(self) -> None:
        try:
            url = LogUrl.parse(self.log)
        except LogUnusable as error:
            raise ValueError(f"log: {error}") from error
        if self.allow_unsynced:
            if url.engine != "nats":
                raise ValueError(f"allow_unsynced is for a log in NATS, and the log is {url}")
            msgspec.structs.force_setattr(self, "log", url.allowing_unsynced().text)
        if any(
            "*" in host[1:] or (host.startswith("*") and host[:2] not in {"*", "*."})
            for host in self.allowed_hosts
        ):
            raise ValueError("allowed_hosts takes `*`, names, and names that begin with `*.`")

    @property
    def hosts(self) -> tuple[str, ...]:
        """The allowed values of a request's Host header."""
        return self.allowed_hosts or (self.host, "localhost")
