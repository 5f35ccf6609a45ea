"""Whether every server writes through to the disk before it acknowledges: `sync_interval: always`.

By default NATS flushes every two minutes, and a power cut takes what was acknowledged in between
(https://docs.nats.io/running-a-nats-service/configuration#jetstream). Only `sync_always` says how it is.
"""

import asyncio
import http.client
import logging
from collections.abc import Mapping, Sequence
from time import monotonic
from typing import Final, NamedTuple
from urllib.parse import urlsplit

import msgspec
from nats.aio.client import Client
from nats.aio.msg import Msg

from ledgerpress.adapters.jetstream.connection import Connection
from ledgerpress.adapters.jetstream.url import NatsUrl
from ledgerpress.eventlog.errors import EventLogError, LogUnavailable, LogUnusable

logger = logging.getLogger(__name__)

OLDEST: Final = (2, 12)
"""The first version of the server with atomic batches."""
SMALLEST_MESSAGE: Final = 1024 * 1024
"""Bytes: the server's `max_payload` by default, and enough for the largest event."""
PATIENCE: Final = 5.0
"""Seconds for which a server that does not say is asked again."""
_PAUSE: Final = 0.2
_ALLOW: Final = "Or say allow_unsynced=true (--allow-unsynced) to run without, where losing what was acknowledged does no harm"
_HOW: Final = (
    "Put `sync_interval: always` into the jetstream { } block of each server's configuration and restart it. "
    + _ALLOW
)


class NobodyAnswers(EventLogError):
    """The system user may not ask the servers of themselves."""


class _Config(msgspec.Struct, frozen=True):
    sync_always: bool = False


class _Store(msgspec.Struct, frozen=True):
    config: _Config | None = None


class Varz(msgspec.Struct, frozen=True):
    """What a server says of itself."""

    server_name: str = ""
    version: str = ""
    jetstream: _Store | None = None


class _Peer(msgspec.Struct, frozen=True):
    name: str = ""


class _Meta(msgspec.Struct, frozen=True):
    """What a server knows of those with JetStream in its cluster; `replicas`, the others, only their leader."""

    leader: str = ""
    replicas: tuple[_Peer, ...] = ()
    cluster_size: int = 1


class _Jsz(msgspec.Struct, frozen=True):
    meta_cluster: _Meta | None = None


class Said(NamedTuple):
    """What the servers with JetStream say: of each itself by its name, and how many there are."""

    servers: Mapping[str, Varz]
    size: int
    missing: Sequence[str]
    """Those that are known and did not say anything."""

    @classmethod
    def of(cls, servers: Sequence[Varz], metas: Sequence[_Meta | None]) -> "Said":
        """Leave out servers without JetStream, which store nothing."""
        said = {one.server_name: one for one in servers if one.jetstream and one.jetstream.config}
        known = {
            name for meta in metas if meta for name in (meta.leader, *(one.name for one in meta.replicas))
        }
        size = max([1, *(meta.cluster_size for meta in metas if meta)])
        return cls(said, size, sorted(known - said.keys() - {""}))


async def check_synced(address: NatsUrl) -> Said:
    """Return what the servers say where all write through.

    Raises `LogUnusable` with what is wrong, and `LogUnavailable` where one of them cannot be asked now.
    """
    if not address.monitors and not address.system:
        raise LogUnusable(
            "whether the NATS servers write through to the disk cannot be read: name their monitoring addresses with "
            "monitor=http://one:8222,http://two:8222,…, or a user of the system account with system_user= and "
            f"system_password= or system_credentials=. {_HOW}"
        )
    said = await _patiently(address)
    for server in said.servers.values():
        store = server.jetstream and server.jetstream.config
        if store and not store.sync_always:
            raise LogUnusable(
                f"the NATS server {server.server_name} acknowledges what is not on its disk yet: its sync_interval is "
                f"not `always`. {_HOW}"
            )
    return said


async def _patiently(address: NatsUrl) -> Said:
    give_up = monotonic() + PATIENCE
    while True:
        refusal: type[EventLogError] = LogUnavailable
        try:
            said = await (_monitored(address) if address.monitors else _asked(address))
            if len(said.servers) >= said.size and not said.missing:
                return said
            why = f"{len(said.servers)} of {said.size} servers with JetStream say"
            if said.missing:
                why += f", and not {', '.join(said.missing)}"
            if address.monitors:
                # All that are named have answered.
                refusal = LogUnusable
        except NobodyAnswers as error:
            refusal, why = LogUnusable, str(error)
        except (OSError, http.client.HTTPException, msgspec.MsgspecError, LogUnavailable) as error:
            why = str(error) or type(error).__name__
        if monotonic() > give_up:
            raise refusal(
                f"whether every NATS server writes through to the disk cannot be read: {why}. See that all of them run, "
                f"and that their addresses are right. {_ALLOW}"
            )
        await asyncio.sleep(_PAUSE)


async def _monitored(address: NatsUrl) -> Said:
    servers = []
    metas = []
    for monitor in address.monitors:
        varz = msgspec.json.decode(await asyncio.to_thread(_get, monitor, "/varz"), type=Varz)
        jsz = msgspec.json.decode(await asyncio.to_thread(_get, monitor, "/jsz"), type=_Jsz)
        servers.append(varz)
        metas.append(jsz.meta_cluster)
    return Said.of(servers, metas)


def _get(monitor: str, path: str) -> bytes:
    url = urlsplit(monitor)
    kind = http.client.HTTPSConnection if url.scheme == "https" else http.client.HTTPConnection
    connection = kind(url.hostname or "", url.port, timeout=2)
    try:
        connection.request("GET", url.path.rstrip("/") + path)
        answer = connection.getresponse()
        if answer.status != 200:
            raise http.client.HTTPException(f"{monitor}{path} answers {answer.status}")
        return answer.read()
    finally:
        connection.close()


class _SystemAnswer(msgspec.Struct, frozen=True):
    data: msgspec.Raw


async def _asked(address: NatsUrl) -> Said:
    connection = await Connection.open(address, address.system, "ledgerpress (settings)")
    try:
        answers: list[Msg] = []
        inbox = connection.client.new_inbox()

        async def heard(message: Msg) -> None:
            answers.append(message)

        await connection.subscribe(inbox, heard)
        sizes = await _all_of(connection, "JSZ", inbox, answers)
        metas = [msgspec.json.decode(one, type=_Jsz).meta_cluster for one in sizes]
        servers = await _all_of(connection, "VARZ", inbox, answers)
        said = [msgspec.json.decode(one, type=Varz) for one in servers]
        return Said.of(said, metas)
    finally:
        await connection.close()


async def _all_of(connection: Connection, kind: str, inbox: str, answers: list[Msg]) -> list[msgspec.Raw]:
    answers.clear()
    await connection.send(f"$SYS.REQ.SERVER.PING.{kind}", b"", None, inbox)
    seen = -1
    while len(answers) > seen:
        seen = len(answers)
        await asyncio.sleep(0.3)
    if not answers or not answers[0].data:
        # Without any data, the server says that nobody listens there.
        raise NobodyAnswers("no server answers the system user: is it a user of the system account?")
    return [msgspec.json.decode(one.data, type=_SystemAnswer).data for one in answers]


async def look_at_servers(address: NatsUrl, connection: Connection) -> tuple[int, bool]:
    """Return how many replicas a new log gets, and whether the servers may acknowledge what is not on their disks.

    Raises `LogUnusable` where they may and the operator did not allow it, and for servers that are too old.
    """
    check_server(connection.client)
    size = 3 if connection.client._server_info.get("cluster") else 1
    unsynced = False
    try:
        said = await check_synced(address)
        size = said.size
    except (LogUnusable, LogUnavailable) as why:
        if not address.allow_unsynced:
            raise
        logger.warning("Running on NATS servers that may lose what they acknowledged: %s", why)
        unsynced = True
    return address.replicas or (3 if size >= 3 else 1), unsynced


def check_server(client: Client) -> None:
    """Raise `LogUnusable` where the server is too old or takes messages that are too small."""
    version = client.connected_server_version
    if (version.major, version.minor) < OLDEST:
        raise LogUnusable(
            f"the NATS server is {version}; LedgerPress needs {'.'.join(map(str, OLDEST))} or newer"
        )
    if client.max_payload < SMALLEST_MESSAGE:
        raise LogUnusable(
            f"the NATS server takes messages of {client.max_payload:,} bytes; set max_payload to 1MB or more"
        )
