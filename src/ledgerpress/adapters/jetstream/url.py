"""Parses `nats:` URLs: the servers, and how to connect to them."""

import re
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
    "nkey_file",
    "replicas",
    "system_credentials",
    "system_nkey_file",
    "system_password",
    "system_user",
    "tls_ca",
)
_REPLICAS: Final = ("1", "3", "5")
_SEED: Final = rb"SU[A-Z2-7]{56}"
"""The seed of a user in base32: a prefix of 2 bytes, 32 bytes and a checksum of 2 bytes."""
_JWT_LINE: Final = re.compile(rb"BEGIN NATS USER JWT.*\n[\w-]+\.[\w-]+\.[\w-]+\n")
_SEED_LINE: Final = re.compile(rb"BEGIN USER NKEY SEED.*\n" + _SEED + rb"\n")


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """The user of a connection. The repr shows no password."""

    user: str = ""
    password: str = field(default="", repr=False)
    credentials: str = ""
    """The path of a NATS credentials file, which contains a JWT and a seed."""
    nkey_file: str = ""
    """The path of a file that contains only a seed."""

    def __bool__(self) -> bool:
        return bool(self.user or self.credentials or self.nkey_file)

    def __str__(self) -> str:
        """Return the name of the user or of its file, for messages."""
        if file := self.credentials or self.nkey_file:
            return f"of {file}"
        return self.user or "without a name"

    def check(self) -> None:
        """Raise `LogUnusable` if a file is unreadable or has another content.

        nats-py would wait without end for the JWT in a file without one.
        """
        if self.credentials and self.nkey_file:
            raise LogUnusable("a NATS user has one file: use either credentials= or nkey_file=")
        if self.credentials:
            content = _content("credentials file", self.credentials)
            if not (_JWT_LINE.search(content) and _SEED_LINE.search(content)):
                raise LogUnusable(
                    f"{self.credentials} is not a NATS credentials file, which contains the JWT and the seed of a user, "
                    "each in one line, and no CRLF: write it again, for example with `nsc generate creds`"
                )
        if self.nkey_file and not re.fullmatch(_SEED, _content("nkey file", self.nkey_file).strip()):
            raise LogUnusable(
                f"{self.nkey_file} does not contain the seed of a user, one line that begins with SU: write it again, for "
                "example with `nk -gen user`"
            )


def _content(kind: str, path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise LogUnusable(f"the {kind} {path} cannot be read: {reason_of(error)}") from error


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
                nkey_file=parameters.get("nkey_file", ""),
            ),
            system=Login(
                user=parameters.get("system_user", ""),
                password=parameters.get("system_password", ""),
                credentials=parameters.get("system_credentials", ""),
                nkey_file=parameters.get("system_nkey_file", ""),
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
            raise LogUnusable(f"tls_ca={self.tls_ca} {_problem_of_certificates(error)}") from error


def _problem_of_certificates(error: OSError) -> str:
    if isinstance(error, ssl.SSLError):
        return "contains no certificate that can be read: it must be a file with the PEM certificates of the authority"
    return f"cannot be read: {reason_of(error)}"


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
