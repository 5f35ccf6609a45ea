"""What a URL of PostgreSQL's says: with which parameters to connect, and to which of several hosts."""

from typing import Final
from urllib.parse import parse_qsl, urlencode, urlsplit

from ledgerpress.eventlog.errors import LogUnusable

PARAMETERS: Final = frozenset(
    {
        *("host", "port", "dbname", "database", "user", "password", "passfile", "service"),
        *("sslmode", "sslcert", "sslkey", "sslrootcert", "sslcrl", "sslpassword", "sslnegotiation"),
        *("ssl_min_protocol_version", "ssl_max_protocol_version", "krbsrvname", "gsslib"),
        "target_session_attrs",
    }
)
"""Those that asyncpg takes. It takes any other for a setting of the server, on which nothing here depends."""


def check_parameters(url: str, shown: str) -> None:
    """Raise `LogUnusable` for a parameter that nobody knows."""
    for name, _ in parse_qsl(urlsplit(url).query):
        if name not in PARAMETERS:
            known = ", ".join(sorted(PARAMETERS))
            raise LogUnusable(
                f"{shown} has a parameter {name!r}, which is none of publication, {known}: correct it"
            )


def each_host(url: str) -> list[str]:
    """Return a URL for each of the hosts, in their order."""
    parts = urlsplit(url)
    user, at, places = parts.netloc.rpartition("@")
    if "," in places:
        return [parts._replace(netloc=f"{user}{at}{place}").geturl() for place in places.split(",")]
    asked = dict(parse_qsl(parts.query))
    hosts, ports = asked.get("host", "").split(","), asked.get("port", "").split(",")
    if places or len(hosts) == 1 or len(ports) not in (1, len(hosts)):
        return [url]
    ports = ports if len(ports) > 1 else ports * len(hosts)
    return [
        parts._replace(query=urlencode({**asked, "host": host, "port": port})).geturl()
        for host, port in zip(hosts, ports, strict=True)
    ]
