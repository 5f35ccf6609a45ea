"""The settings of a server: where it listens, what it serves, and how it stops."""

import os
from pathlib import Path
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from ledgerpress.eventlog.clock_guard import ClockLimits
from ledgerpress.eventlog.errors import LogUnusable
from ledgerpress.http.pages.page_settings import PageSettings
from ledgerpress.network_names import HostName, ProxyAddress
from ledgerpress.server.log_url import LOCAL, LogUrl

LOOPBACK: Final = ("127.0.0.1", "::1", "localhost")
"""The addresses that only this machine can reach."""
EVERY_ADDRESS: Final = ("0.0.0.0", "::")  # noqa: S104 - compared with, not bound


BASE_URL_PATTERN: Final = r"^(https?://[^/?#@\s]+(/[^/?#\s]+)*)?$"
PREFIX_PATTERN: Final = r"^(/(?!\.{1,2}(/|$))[A-Za-z0-9._~-]+)*$"


class ServerSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Where a server listens, what it serves, and how it stops."""

    host: Annotated[
        str,
        Meta(
            min_length=1,
            description="The address to listen on. In development, only a loopback address: `127.0.0.1`, `::1` or "
            "`localhost`.",
        ),
    ] = "127.0.0.1"
    port: Annotated[
        int,
        Meta(
            ge=0,
            le=65535,
            description="The port to listen on; 0 selects a free port, which the server prints.",
        ),
    ] = 8000
    unix_socket: Annotated[
        Path | None,
        Meta(
            description="The path of a Unix socket to listen on, instead of the address and the port. Every user of the "
            "machine may connect, unless the permissions of its directory prevent it."
        ),
    ] = None
    workers: Annotated[
        Annotated[int, Meta(ge=1, le=256)] | Literal["auto"],
        Meta(
            description="The number of processes that answer requests, each on one core; `auto` starts one for each core "
            "that the server may use. With `auto`, or more than one, the program supervises them: it restarts a process "
            "that ends or hangs, and SIGHUP replaces them one by one, with the settings and the code as they are then."
        ),
    ] = 1
    worker_hang_seconds: Annotated[
        float,
        Meta(
            ge=1,
            le=300,
            description="How long a worker may do nothing before it is killed and replaced, if there are several: a "
            "process that is stopped, or waits for a disk that does not answer. Below 5, a worker that holds a lock of the "
            "log is killed before the appends of the others fail.",
        ),
    ] = 4.0
    root_path: Annotated[
        str,
        Meta(
            pattern=PREFIX_PATTERN,
            description="The prefix of all URLs, such as `/news`, if a proxy removes it from the paths of requests. If "
            "the proxy sends the prefix in `X-Forwarded-Prefix`, leave this setting empty.",
        ),
    ] = ""
    base_url: Annotated[
        str,
        Meta(
            pattern=BASE_URL_PATTERN,
            description="The address of the front page, without a slash at its end, such as `https://news.example.org`: "
            "links in feeds, sitemaps and `robots.txt` and the canonical addresses of pages begin with it. If it is empty, "
            "they begin with the address of the request.",
        ),
    ] = ""
    templates: Annotated[
        Path | None,
        Meta(
            description="A directory with Jinja templates that win over the built-in ones of the same name: see "
            "[design a site](../how-to/design-a-site.md). The server does not start with a template that has an error."
        ),
    ] = None
    stylesheet: Annotated[
        Path | None,
        Meta(description="A CSS file that every page loads after the built-in style sheets."),
    ] = None
    data: Annotated[
        Path,
        Meta(
            description="The directory that holds the store, relative to the working directory of the program."
        ),
    ] = Path("ledgerpress-data")
    log: Annotated[
        str,
        Meta(
            description="The URL of the log: `sqlite:` (a file in the data directory), "
            "`postgresql://USER:PASSWORD@HOST/DATABASE?publication=NAME` or "
            "`nats://USER:PASSWORD@HOST:4222,HOST:4222?publication=NAME`. If the log is not in the data "
            "directory, the directory holds only this node's views.",
        ),
    ] = LOCAL
    allow_unsynced: Annotated[
        bool,
        Meta(
            description="For a log in NATS: accept servers that acknowledge events before they are on disk. Use it "
            "only if losing some events does no harm. The same as `allow_unsynced=true` in the URL.",
        ),
    ] = False
    log_wait_seconds: Annotated[
        float,
        Meta(
            ge=0,
            le=3_600,
            description="How long a starting server waits for a PostgreSQL or NATS log that cannot be reached, or for "
            "an SQLite log that another process has locked; then it exits.",
        ),
    ] = 30.0
    max_clock_jump_seconds: Annotated[
        float,
        Meta(
            gt=0,
            le=31_536_000,
            description="How far the clock may jump while the server runs; it may differ by as much from the last "
            "recorded time. After a larger jump, the server records nothing until the clock is right again, or the "
            "server is restarted. Raise it in a virtual machine that is paused: its clock jumps when it continues.",
        ),
    ] = 60.0
    max_clock_ahead_days: Annotated[
        float,
        Meta(
            gt=0,
            le=36_500,
            description="How many days the clock of a starting server may be ahead of the last recorded time. Beyond "
            "that, the server records nothing until `ledgerpress clock confirm` has recorded that the clock is right.",
        ),
    ] = 400.0
    allowed_hosts: Annotated[
        tuple[HostName, ...],
        Meta(
            description="The host names that the server accepts (in the Host header), such as `news.example.org` or "
            "`*.example.org`; other requests get a 400, except for health checks. By default, the address that the "
            "server listens on, and `localhost`. `*` accepts any name.",
        ),
    ] = ()
    trusted_proxies: Annotated[
        tuple[ProxyAddress, ...],
        Meta(
            description="The addresses or networks of proxies whose `X-Forwarded-For`, `X-Forwarded-Proto` and "
            "`X-Forwarded-Prefix` are trusted. A client's address is the last one in `X-Forwarded-For` that is not in "
            "this list. `*` trusts every connection, for servers that only a proxy can reach, such as those on a Unix "
            "socket. By default, no proxy is trusted, and a client's address is that of the connection.",
        ),
    ] = ()
    max_head_bytes: Annotated[
        int,
        Meta(
            ge=4_096,
            le=1_048_576,
            description="The maximum size of a request's head (request line and headers), in bytes. A larger head gets "
            "a 431 while it arrives, and the connection is closed.",
        ),
    ] = 65_536
    head_seconds: Annotated[
        float,
        Meta(
            gt=0,
            le=300,
            description="How long a client may take to send the head of a request: measured from the start of the "
            "connection, and for later requests from the first byte. After that, the connection is closed.",
        ),
    ] = 10.0
    max_connections: Annotated[
        int,
        Meta(
            ge=1,
            description="The maximum number of open connections of each worker, including WebSockets; others get a 503. The limit on "
            "open files, minus 200, also applies; the server raises its soft limit if needed and allowed.",
        ),
    ] = 4_000
    max_unfinished_bodies: Annotated[
        int,
        Meta(
            ge=1,
            description="The maximum number of requests that wait for their bodies for more than a second; one client "
            "address may have half as many. Others get a 503. Set it lower than "
            "`http.max_concurrent_requests`, so that slow requests do not take all places.",
        ),
    ] = 100
    open_past: Annotated[
        bool,
        Meta(description="Let everyone read the past, except articles that are not public today."),
    ] = False
    public_history: Annotated[
        bool,
        Meta(
            description="Let everyone read the published revisions of articles that are public today: texts, differences, "
            "times and notes, without drafts, reasons and actors."
        ),
    ] = False
    translations: Annotated[
        Path | None,
        Meta(
            description="A folder with translations of the texts of pages and feeds, such as `pt-BR.po`. They are added to "
            "those of LedgerPress, and replace them."
        ),
    ] = None
    stop_delay_seconds: Annotated[
        float,
        Meta(
            ge=0,
            le=300,
            description="How long a stopping server continues to accept requests while `/health/ready` returns 503: as "
            "long as the load balancer needs to notice.",
        ),
    ] = 0.0
    stop_seconds: Annotated[
        int,
        Meta(
            ge=1,
            le=300,
            description="How long the server then waits for requests in progress before it aborts them. At most a second "
            "later, the process ends. Set it lower than the stop timeout of the service manager.",
        ),
    ] = 5

    def __post_init__(self) -> None:
        try:
            url = LogUrl.parse(self.log)
        except LogUnusable as error:
            raise ValueError(f"log: {error}") from error
        if self.allow_unsynced:
            if url.engine != "nats":
                raise ValueError(f"allow_unsynced applies only to a log in NATS, but the log is {url}")
            msgspec.structs.force_setattr(self, "log", url.allowing_unsynced().text)

    @property
    def worker_count(self) -> int:
        """The number of processes that answer requests."""
        if self.workers != "auto":
            return self.workers
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        return min(cores, core_quota() or cores)

    @property
    def clock_limits(self) -> ClockLimits:
        """The limits within which the clock is trusted."""
        return ClockLimits.of(self.max_clock_jump_seconds, self.max_clock_ahead_days)

    @property
    def hosts(self) -> tuple[str, ...]:
        """The allowed values of a request's Host header."""
        return self.allowed_hosts or (self.host, "localhost")

    @property
    def pages(self) -> PageSettings:
        """The settings of pages."""
        return PageSettings(base_url=self.base_url, templates=self.templates, stylesheet=self.stylesheet)


def core_quota(file: Path = Path("/sys/fs/cgroup/cpu.max")) -> int | None:
    """Return how many cores a container may use at the same time (cgroup v2); `None` if that is not limited."""
    try:
        quota, period = file.read_text("ascii").split()
        return max(1, int(quota) // int(period))
    except (OSError, ValueError):
        return None
