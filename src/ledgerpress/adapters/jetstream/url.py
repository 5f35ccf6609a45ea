"""Parses `nats:` URLs: the servers, and how to connect to them."""

import ssl
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import parse_qsl, unquote, urlsplit

from ledgerpress.eventlog import multi_host_url as log_url
from ledgerpress.eventlog.errors import LogUnusable
from ledgerpress.system_errors import reason_of

PORT: Final = 4222
PARAMETERS: Final = (
    "allow_unsynced",
    "credentials",
    "monitor",
    "replicas",
    "system_credentials",
    "system_password",
    "system_user",
    "tls_ca",
)
_REPLICAS: Final = ("1", "3", "5")


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """The user of a connection. The repr shows no password."""

    user: str = ""
    password: str = field(default="", repr=False)
    credentials: str = ""
    """The path of a NATS credentials file."""

    def __bool__(self) -> bool:
        return bool(self.user or self.credentials)

    def check(self) -> None:
        """Raise `LogUnusable` for an unreadable credentials file."""
        if self.credentials:
            try:
                Path(self.credentials).read_bytes()
            except OSError as error:
                raise LogUnusable(
                    f"the credentials file {self.credentials} cannot be read: {reason_of(error)}"
                ) from error


@dataclass(frozen=True, slots=True, kw_only=True)
class NatsUrl:
    """A parsed `nats:` URL: the servers of a log, and the operator's settings."""

    servers: tuple[str, ...]
    """Each as `nats://host:port`, without a user."""
    publication: str
    login: Login
    system: Login
    """A user of the system account, to read the servers' settings over NATS."""
    monitors: tuple[str, ...]
    """The monitoring addresses of the servers, `http://host:port`."""
    replicas: int | None
    tls_ca: str
    allow_unsynced: bool

    @classmethod
    def of(cls, url: str) -> "NatsUrl":
        """Parse a URL that names a publication. Raises `LogUnusable` for invalid values."""
        parts = log_url.split(url)
        parameters = dict(parse_qsl(parts.query, keep_blank_values=True))
        publication = parameters.pop("publication")
        for name in parameters:
            if name not in PARAMETERS:
                raise LogUnusable(
                    f"{name}= is not a parameter of a nats: URL; the parameters are {', '.join(PARAMETERS)}"
                )
        userinfo, _, hosts = parts.netloc.rpartition("@")
        user, _, password = userinfo.partition(":")
        if not all(hosts.split(",")) or parts.path.strip("/"):
            raise LogUnusable(
                "a nats: URL contains servers and no path, as in nats://one:4222,two:4222?publication=daily"
            )
        replicas = parameters.get("replicas", "")
        if replicas and replicas not in _REPLICAS:
            raise LogUnusable(f"replicas={replicas} is invalid; use one of {', '.join(_REPLICAS)}")
        return cls(
            servers=tuple(f"{parts.scheme}://{_with_port(host)}" for host in hosts.split(",")),
            publication=publication,
            login=Login(
                user=unquote(user),
                password=unquote(password),
                credentials=parameters.get("credentials", ""),
            ),
            system=Login(
                user=parameters.get("system_user", ""),
                password=parameters.get("system_password", ""),
                credentials=parameters.get("system_credentials", ""),
            ),
            monitors=tuple(
                _monitor(address) for address in parameters.get("monitor", "").split(",") if address
            ),
            replicas=int(replicas) if replicas else None,
            tls_ca=parameters.get("tls_ca", ""),
            allow_unsynced=_boolean("allow_unsynced", parameters.get("allow_unsynced", "false")),
        )

    def tls(self) -> ssl.SSLContext | None:
        """Return the TLS context, if the URL requires TLS. Raises `LogUnusable` for an unreadable file."""
        if not self.tls_ca and not self.servers[0].startswith("tls:"):
            return None
        try:
            return ssl.create_default_context(cafile=self.tls_ca or None)
        except OSError as error:
            raise LogUnusable(f"tls_ca={self.tls_ca} cannot be read: {error}") from error


def _with_port(host: str) -> str:
    return host if ":" in host.rpartition("]")[2] else f"{host}:{PORT}"


def _monitor(address: str) -> str:
    try:
        parts = urlsplit(address)
        is_valid = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        is_valid = False
    if not is_valid:
        raise LogUnusable(
            f"monitor={address} is invalid; use the monitoring address of a server, such as http://one:8222"
        )
    return address.rstrip("/")


def _boolean(name: str, value: str) -> bool:
    if value not in ("true", "false"):
        raise LogUnusable(f"{name}={value} is invalid; use true or false")
    return value == "true"
