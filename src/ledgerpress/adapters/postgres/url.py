"""What a URL of PostgreSQL's says: with which parameters to connect, and to which of several hosts."""

import ipaddress
import os
import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import SplitResult, parse_qsl, unquote, urlencode

from ledgerpress.adapters.postgres.errors import quoted
from ledgerpress.adapters.postgres.tls_files import check_tls_files
from ledgerpress.eventlog import url as log_address
from ledgerpress.eventlog.errors import LogUnusable

PARAMETERS: Final = frozenset(
    {
        *("host", "port", "dbname", "database", "user", "password", "passfile"),
        *("sslmode", "sslcert", "sslkey", "sslrootcert", "sslcrl", "sslpassword", "sslnegotiation"),
        *("ssl_min_protocol_version", "ssl_max_protocol_version", "krbsrvname", "gsslib"),
        "target_session_attrs",
    }
)
"""Those that asyncpg takes, but a service, which it passes over where there is none of that name.

It takes any other for a setting of the server, on which nothing here depends.
"""
ATTRIBUTES: Final = ("read-write", "primary")
"""What a URL may ask of the server: what is asked of it in any case."""
_PORT: Final = re.compile(r"[0-9]{1,5}")


def check_parameters(url: str, shown: str) -> None:
    """Raise `LogUnusable` for a parameter that nobody knows, or that asyncpg would pass over."""
    parts = log_address.split(url)
    asked = dict(parse_qsl(parts.query))
    for name in asked:
        if name not in PARAMETERS:
            known = ", ".join(sorted(PARAMETERS))
            raise LogUnusable(
                f"{shown} has a parameter {quoted(name, shown)}, which is none of publication, {known}: correct it"
            )
    attribute = asked.get("target_session_attrs", ATTRIBUTES[0])
    if attribute not in ATTRIBUTES:
        raise LogUnusable(
            f"{shown} asks for a server that is {quoted(attribute, shown)} (target_session_attrs), and the log is only "
            f"used on the primary: leave it out, or write {' or '.join(ATTRIBUTES)}"
        )
    _check_said_once(parts, asked, shown)
    _check_places(parts, asked, shown)
    check_tls_files(asked, shown)


def each_host(url: str) -> list[str]:
    """Return a URL for each of the hosts, in their order."""
    parts = log_address.split(url)
    user, at, places = parts.netloc.rpartition("@")
    if places:
        return [parts._replace(netloc=f"{user}{at}{place}").geturl() for place in places.split(",")]
    asked = dict(parse_qsl(parts.query))
    if "," not in asked.get("host", ""):
        return [url]
    hosts, ports = asked["host"].split(","), asked.get("port", "").split(",")
    ports = ports if len(ports) > 1 else ports * len(hosts)
    return [
        parts._replace(query=urlencode({**asked, "host": host, "port": port})).geturl()
        for host, port in zip(hosts, ports, strict=True)
    ]


def host_name(url: str) -> str:
    """Return the name of the one host of a URL, or nothing where it has an address, a socket, or none."""
    parts = log_address.split(url)
    place = unquote(parts.netloc.rpartition("@")[2])
    place = place or dict(parse_qsl(parts.query)).get("host", "") or os.environ.get("PGHOST", "")
    name = place.partition(":")[0]
    if not name or name[0] in "/[" or "," in name:
        return ""
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return name
    return ""


def _check_said_once(parts: SplitResult, asked: Mapping[str, str], shown: str) -> None:
    """Raise `LogUnusable` for what is said in the parameters and elsewhere, where asyncpg would take either."""
    who, _, places = parts.netloc.rpartition("@")
    user, _, password = who.partition(":")
    database = parts.path.strip("/")
    for name, said, where in (
        ("user", user, "a user before the @"),
        ("password", password, "a password before the @"),
        ("host", places, "a host after //"),
        ("port", places, "a host after //, where the port belongs as well (//HOST:5432)"),
        ("dbname", database, "a database after the host"),
        ("database", database, "a database after the host"),
        ("database", asked.get("dbname"), "dbname="),
    ):
        if said and name in asked:
            raise LogUnusable(f"{shown} has {name}= and {where}: leave one of them out")


def _check_places(parts: SplitResult, asked: Mapping[str, str], shown: str) -> None:
    """Raise `LogUnusable` for a host or a port that is none."""
    hosts = (parts.netloc.rpartition("@")[2] or asked.get("host", "")).split(",")
    if len(hosts) > 1 and not all(hosts):
        raise LogUnusable(f"{shown} names no host before or after a comma: name one, or leave the comma out")
    ports = asked["port"].split(",") if "port" in asked else []
    if "host" in asked:
        if ports and len(ports) not in (1, len(hosts)):
            raise LogUnusable(
                f"{shown} has {len(ports)} ports for {len(hosts)} hosts: give one for all, or one for each"
            )
        own = [
            host.rpartition(":")[2] for host in hosts if re.fullmatch(r"\[[^\]]*\]:.*|[^/:\[]*:[^:]*", host)
        ]
        if own and ports:
            raise LogUnusable(f"{shown} has a port in host= and port=: leave one of them out")
        ports += own
    for port in ports:
        if not _PORT.fullmatch(port) or not 0 < int(port) < 65_536:
            raise LogUnusable(
                f"{shown} has a port {quoted(port, shown)}, which is no number from 1 to 65535: correct it"
            )
