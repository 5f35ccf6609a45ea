"""Checks that every NATS server writes to disk before it acknowledges: `sync_interval: always`.

By default, NATS syncs every two minutes, and a power failure loses the messages acknowledged since then
(https://docs.nats.io/running-a-nats-service/configuration#jetstream). Servers report the setting only as `sync_always`.
"""

import asyncio
import http.client
import itertools
import logging
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple
from urllib.parse import urlsplit

import msgspec
from nats.aio.client import Client
from nats.aio.msg import Msg

from ledgerpress.adapters.jetstream.connection_and_request_reply import Connection, NotSent, Unanswered
from ledgerpress.adapters.jetstream.url import NatsUrl
from ledgerpress.eventlog.errors import EventLogError, LogUnavailable, LogUnusable
from ledgerpress.retry import retry

logger = logging.getLogger(__name__)

MIN_SERVER_VERSION: Final = (2, 12)
"""The first version of the NATS server that has atomic batches."""
MIN_MAX_PAYLOAD: Final = 1024 * 1024
"""Bytes. This is the server's default `max_payload`, and enough for the largest event."""
RETRY_TIMEOUT: Final = 5.0
"""Seconds for which the request for reports is retried while servers do not report their settings."""
_RETRY_DELAY: Final = 0.2
_COLLECT_INTERVAL: Final = 0.3
"""Seconds without a further answer after which all servers of the system account count as having answered."""
_ALLOW: Final = (
    "If losing acknowledged events does no harm, set allow_unsynced=true (--allow-unsynced) instead"
)
_HOW: Final = (
    "Put `sync_interval: always` into the jetstream { } block of each server's configuration and restart it. "
    + _ALLOW
)


class _IncompleteReports(Exception):
    """Not every server has reported. `error` is the class of the error to raise if retries do not help."""

    def __init__(self, reason: str, error: type[EventLogError] = LogUnavailable) -> None:
        super().__init__(reason)
        self.error = error


class _Config(msgspec.Struct, frozen=True):
    sync_always: bool = False


class _Store(msgspec.Struct, frozen=True):
    config: _Config | None = None


class Varz(msgspec.Struct, frozen=True):
    """A server's report about itself."""

    server_name: str = ""
    jetstream: _Store | None = None


class _Peer(msgspec.Struct, frozen=True):
    name: str = ""


class _Meta(msgspec.Struct, frozen=True):
    """A server's information about JetStream in its cluster. Only the leader knows the other servers (`replicas`)."""

    leader: str = ""
    replicas: tuple[_Peer, ...] = ()
    cluster_size: int = 1


class _Jsz(msgspec.Struct, frozen=True):
    meta_cluster: _Meta | None = None


class ServerReports(NamedTuple):
    """The reports of the servers with JetStream by server name. `size` is the number of servers in the cluster."""

    servers: Mapping[str, Varz]
    size: int
    missing: Sequence[str]
    """Known servers without a report."""

    @classmethod
    def of(cls, servers: Sequence[Varz], metas: Sequence[_Meta | None]) -> "ServerReports":
        """Combine the reports of the servers. Omit servers without JetStream, since they store nothing."""
        reports = {
            server.server_name: server for server in servers if server.jetstream and server.jetstream.config
        }
        known_names = {
            name for meta in metas if meta for name in (meta.leader, *(peer.name for peer in meta.replicas))
        }
        size = max([1, *(meta.cluster_size for meta in metas if meta)])
        return cls(reports, size, sorted(known_names - reports.keys() - {""}))


async def check_synced(url: NatsUrl) -> ServerReports:
    """Return the reports if all servers write to disk before they acknowledge.

    Raises `LogUnusable` with the reason if not, and `LogUnavailable` if a server cannot be reached now.
    """
    if not url.monitors and not url.system:
        raise LogUnusable(
            "cannot check whether the NATS servers write events to disk before they acknowledge them: add their "
            "monitoring addresses to the URL with monitor=http://one:8222,http://two:8222,…, or a user of the system "
            f"account with system_user= and system_password=, system_credentials= or system_nkey_file=. {_HOW}"
        )
    try:
        reports = await retry(
            lambda: _load_reports(url),
            on=_IncompleteReports,
            delays=itertools.repeat(_RETRY_DELAY),
            timeout=RETRY_TIMEOUT,
        )
    except _IncompleteReports as error:
        raise error.error(
            f"cannot check whether every NATS server writes events to disk before it acknowledges them: {error}. Check "
            f"that all servers run and that their addresses are correct. {_ALLOW}"
        ) from error
    for server in reports.servers.values():
        store = server.jetstream and server.jetstream.config
        if store and not store.sync_always:
            raise LogUnusable(
                f"the NATS server {server.server_name} acknowledges events before they are on disk: its sync_interval "
                f"is not `always`. {_HOW}"
            )
    return reports


async def _load_reports(url: NatsUrl) -> ServerReports:
    try:
        reports = await (_reports_of_monitors(url) if url.monitors else _reports_of_system_account(url))
    except (
        OSError, http.client.HTTPException, msgspec.MsgspecError, LogUnavailable, NotSent, Unanswered,
    ) as error:  # fmt: skip
        raise _IncompleteReports(str(error) or type(error).__name__) from error
    if len(reports.servers) >= reports.size and not reports.missing:
        return reports
    reason = f"{len(reports.servers)} of {reports.size} servers with JetStream have reported"
    if reports.missing:
        reason += f", but not {', '.join(reports.missing)}"
    # All monitors in the URL have answered, so a retry does not help: addresses are missing in the URL.
    raise _IncompleteReports(reason, LogUnusable if url.monitors else LogUnavailable)


async def _reports_of_monitors(url: NatsUrl) -> ServerReports:
    servers = []
    metas = []
    for monitor in url.monitors:
        varz = msgspec.json.decode(await asyncio.to_thread(_get, monitor, "/varz"), type=Varz)
        jsz = msgspec.json.decode(await asyncio.to_thread(_get, monitor, "/jsz"), type=_Jsz)
        servers.append(varz)
        metas.append(jsz.meta_cluster)
    return ServerReports.of(servers, metas)


def _get(monitor: str, path: str) -> bytes:
    url = urlsplit(monitor)
    connection_class = http.client.HTTPSConnection if url.scheme == "https" else http.client.HTTPConnection
    connection = connection_class(url.hostname or "", url.port, timeout=2)
    try:
        connection.request("GET", url.path.rstrip("/") + path)
        response = connection.getresponse()
        if response.status != 200:
            raise http.client.HTTPException(f"{monitor}{path} returned status {response.status}")
        return response.read()
    finally:
        connection.close()


class _SystemAnswer(msgspec.Struct, frozen=True):
    data: msgspec.Raw


async def _reports_of_system_account(url: NatsUrl) -> ServerReports:
    connection = await Connection.open(url, url.system, "ledgerpress (settings)")
    try:
        answers: list[Msg] = []
        inbox = connection.client.new_inbox()

        async def collect(message: Msg) -> None:
            answers.append(message)

        await connection.subscribe(inbox, collect)
        jsz = await _system_answers(connection, "JSZ", inbox, answers)
        metas = [msgspec.json.decode(data, type=_Jsz).meta_cluster for data in jsz]
        varz = await _system_answers(connection, "VARZ", inbox, answers)
        return ServerReports.of([msgspec.json.decode(data, type=Varz) for data in varz], metas)
    finally:
        await connection.close()


async def _system_answers(
    connection: Connection, kind: str, inbox: str, answers: list[Msg]
) -> list[msgspec.Raw]:
    answers.clear()
    await connection.send(f"$SYS.REQ.SERVER.PING.{kind}", b"", None, inbox)
    received = -1
    while len(answers) > received:
        received = len(answers)
        await asyncio.sleep(_COLLECT_INTERVAL)
    if not answers or not answers[0].data:
        # An answer without data means that there is no receiver.
        raise _IncompleteReports(
            "no server answers the system user; check that the user belongs to the system account",
            LogUnusable,
        )
    return [msgspec.json.decode(answer.data, type=_SystemAnswer).data for answer in answers]


async def check_servers(url: NatsUrl, connection: Connection) -> tuple[int, bool]:
    """Return the number of replicas for a new log, and whether events may be acknowledged before they are on disk.

    Raises `LogUnusable` if events may be lost in this way and `allow_unsynced` is not set, or if the connected server
    is too old.
    """
    check_server(connection.client)
    unsynced = False
    try:
        size = (await check_synced(url)).size
    except (LogUnusable, LogUnavailable) as error:
        if not url.allow_unsynced:
            raise
        logger.warning("The NATS servers may lose events that they acknowledged: %s", error)
        # nats-py gives no public access to the name of the cluster. A server without one counts as a single server.
        size = 3 if getattr(connection.client, "_server_info", {}).get("cluster") else 1
        unsynced = True
    return url.replicas or (3 if size >= 3 else 1), unsynced


def check_server(client: Client) -> None:
    """Raise `LogUnusable` if the server is too old or accepts only small messages."""
    version = client.connected_server_version
    if (version.major, version.minor) < MIN_SERVER_VERSION:
        raise LogUnusable(
            f"the NATS server has version {version}; LedgerPress needs "
            f"{'.'.join(map(str, MIN_SERVER_VERSION))} or newer"
        )
    if client.max_payload < MIN_MAX_PAYLOAD:
        raise LogUnusable(
            f"the NATS server accepts messages of at most {client.max_payload:,} bytes; set max_payload to 1MB or more"
        )
