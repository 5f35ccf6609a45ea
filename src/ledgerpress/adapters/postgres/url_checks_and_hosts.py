"""Checks the parameters of a PostgreSQL URL, and splits it into one URL per host."""

import ipaddress
import os
import re
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Final
from urllib.parse import SplitResult, parse_qsl, unquote, urlencode

from ledgerpress.adapters.postgres.errors import quoted
from ledgerpress.eventlog import multi_host_url as log_url
from ledgerpress.eventlog.errors import LogUnusable

PARAMETERS: Final = frozenset(
    {
        *("host", "port", "dbname", "database", "user", "password", "passfile"),
        *("sslmode", "sslcert", "sslkey", "sslrootcert", "sslcrl", "sslpassword", "sslnegotiation"),
        *("ssl_min_protocol_version", "ssl_max_protocol_version", "krbsrvname", "gsslib"),
        "target_session_attrs",
    }
)
"""The parameters that asyncpg accepts, except `service`: asyncpg ignores a service that is not defined.

asyncpg treats any other parameter as a setting of the server.
"""
ATTRIBUTES: Final = ("read-write", "primary")
"""The values of target_session_attrs that a URL may have; the log needs such a server anyway."""
VERIFYING: Final = ("require", "verify-ca", "verify-full")
"""The values of sslmode with which asyncpg always reads the files that environment variables name."""
_CONTENTS: Final = {
    "sslrootcert": "certificates of authorities",
    "sslcrl": "a list of revoked certificates",
    "sslcert": "a certificate",
}
_PORT: Final = re.compile(r"[0-9]{1,5}")


def check_parameters(url: str, shown: str) -> None:
    """Raise `LogUnusable` for a parameter that is unknown or invalid, or that asyncpg would ignore."""
    parts = log_url.split(url)
    parameters = dict(parse_qsl(parts.query))
    for name in parameters:
        if name not in PARAMETERS:
            names = ", ".join(sorted(PARAMETERS))
            raise LogUnusable(
                f"{shown} has an unknown parameter {quoted(name, shown)}: use one of publication, {names}"
            )
    attribute = parameters.get("target_session_attrs", ATTRIBUTES[0])
    if attribute not in ATTRIBUTES:
        raise LogUnusable(
            f"{shown} requests a server that is {quoted(attribute, shown)} (target_session_attrs), but the log needs "
            f"the primary: omit the parameter, or use {' or '.join(ATTRIBUTES)}"
        )
    _check_unambiguous(parts, parameters, shown)
    _check_hosts(parts, parameters, shown)
    _check_tls_files(parameters, shown)


def split_hosts(url: str) -> list[str]:
    """Return one URL for each host of `url`, in order."""
    parts = log_url.split(url)
    user, at, netloc_hosts = parts.netloc.rpartition("@")
    if netloc_hosts:
        return [parts._replace(netloc=f"{user}{at}{host}").geturl() for host in netloc_hosts.split(",")]
    parameters = dict(parse_qsl(parts.query))
    if "," not in parameters.get("host", ""):
        return [url]
    hosts, ports = parameters["host"].split(","), parameters.get("port", "").split(",")
    ports = ports if len(ports) > 1 else ports * len(hosts)
    return [
        parts._replace(query=urlencode({**parameters, "host": host, "port": port})).geturl()
        for host, port in zip(hosts, ports, strict=True)
    ]


def host_name(url: str) -> str:
    """Return the name of the single host of a URL; empty for an IP address, a socket, or no host."""
    parts = log_url.split(url)
    host = unquote(parts.netloc.rpartition("@")[2])
    host = host or dict(parse_qsl(parts.query)).get("host", "") or os.environ.get("PGHOST", "")
    name = host.partition(":")[0]
    if not name or name[0] in "/[" or "," in name:
        return ""
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return name
    return ""


def _check_unambiguous(parts: SplitResult, parameters: Mapping[str, str], shown: str) -> None:
    """Raise `LogUnusable` if a value is both in the parameters and elsewhere: asyncpg would use either."""
    userinfo, _, hosts = parts.netloc.rpartition("@")
    user, _, password = userinfo.partition(":")
    database = parts.path.strip("/")
    for name, value, place in (
        ("user", user, "a user before the @"),
        ("password", password, "a password before the @"),
        ("host", hosts, "a host after //"),
        ("port", hosts, "a host after //, which must include the port (//HOST:5432)"),
        ("dbname", database, "a database after the host"),
        ("database", database, "a database after the host"),
        ("database", parameters.get("dbname"), "dbname="),
    ):
        if value and name in parameters:
            raise LogUnusable(f"{shown} has {name}= and {place}: remove one of them")


def _check_hosts(parts: SplitResult, parameters: Mapping[str, str], shown: str) -> None:
    """Raise `LogUnusable` for an invalid host or port."""
    hosts = (parts.netloc.rpartition("@")[2] or parameters.get("host", "")).split(",")
    if len(hosts) > 1 and not all(hosts):
        raise LogUnusable(f"{shown} has no host before or after a comma: add a host, or remove the comma")
    ports = parameters["port"].split(",") if "port" in parameters else []
    if "host" in parameters:
        if ports and len(ports) not in (1, len(hosts)):
            raise LogUnusable(
                f"{shown} has {len(ports)} ports for {len(hosts)} hosts: use one port for all hosts, or one for each"
            )
        own_ports = [
            host.rpartition(":")[2] for host in hosts if re.fullmatch(r"\[[^\]]*\]:.*|[^/:\[]*:[^:]*", host)
        ]
        if own_ports and ports:
            raise LogUnusable(f"{shown} has a port in host= and in port=: remove one of them")
        ports += own_ports
    for port in ports:
        if not _PORT.fullmatch(port) or not 0 < int(port) < 65_536:
            raise LogUnusable(
                f"{shown} has an invalid port {quoted(port, shown)}: use a number from 1 to 65535"
            )


def _check_tls_files(parameters: Mapping[str, str], shown: str) -> None:
    """Raise `LogUnusable` for a file that cannot be used as its parameter: errors of asyncpg do not name the file."""
    if parameters.get("sslmode") == "disable":
        return
    is_verified = parameters.get("sslmode", os.environ.get("PGSSLMODE")) in VERIFYING
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    for name, content in _CONTENTS.items():
        variable = f"PG{name.upper()}"
        path = parameters.get(name) or (os.environ.get(variable, "") if is_verified else "")
        if not path:
            continue
        try:
            if name == "sslcert":
                context.load_cert_chain(path, _key(parameters), lambda: parameters.get("sslpassword", ""))
            else:
                context.load_verify_locations(path)
        except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
            source = f"{name}={quoted(path, shown)}" if name in parameters else f"{variable}={path}"
            raise LogUnusable(
                f"{shown} cannot be used: {source} is not a file with {content} in PEM format"
                f"{' and its key (sslkey)' if name == 'sslcert' else ''}: {getattr(error, 'strerror', None) or error}; "
                f"correct it{_system() if name == 'sslrootcert' else ''}"
            ) from error


def _key(parameters: Mapping[str, str]) -> str | None:
    """Return the key file that asyncpg uses, or `None` if the key is in the file of the certificate."""
    if key := parameters.get("sslkey") or os.environ.get("PGSSLKEY"):
        return key
    try:
        default = Path("~/.postgresql/postgresql.key").expanduser()
    except RuntimeError:  # there is no home directory
        return None
    return str(default) if default.exists() else None


def _system() -> str:
    """Return a hint to the file of the system's authorities: libpq, but not asyncpg, accepts `sslrootcert=system`."""
    paths = ssl.get_default_verify_paths()
    return f" (the system's authorities are in {paths.cafile})" if paths.cafile else ""
