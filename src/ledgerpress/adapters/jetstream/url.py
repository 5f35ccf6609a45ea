"""A `nats:` URL: the servers and how to connect; and the names of a publication's streams and subjects there."""

import ssl
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import parse_qsl, unquote, urlsplit

from ledgerpress.eventlog import multi_host_url as log_url
from ledgerpress.eventlog.errors import LogUnusable

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
_WITHDRAWAL: Final = "withdrawal."


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
                    f"the file of credentials {self.credentials} cannot be read: {error.strerror}"
                ) from error


@dataclass(frozen=True, slots=True, kw_only=True)
class NatsUrl:
    """The servers of a log, and the operator's settings."""

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
                    f"{name}= is no parameter of a nats: URL; there are {', '.join(PARAMETERS)}"
                )
        userinfo, _, hosts = parts.netloc.rpartition("@")
        user, _, password = userinfo.partition(":")
        if not all(hosts.split(",")) or parts.path.strip("/"):
            raise LogUnusable("a nats: URL names servers, as in nats://one:4222,two:4222?publication=daily")
        replicas = parameters.get("replicas", "")
        if replicas and replicas not in _REPLICAS:
            raise LogUnusable(f"replicas={replicas} makes no sense: it is one of {', '.join(_REPLICAS)}")
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


@dataclass(frozen=True, slots=True)
class SubjectNames:
    """The names of streams and subjects at the servers. `publication` is the publication's name there."""

    publication: str

    @property
    def stream(self) -> str:
        """The stream that is the log."""
        return f"LEDGERPRESS_{self.publication}"

    @property
    def subjects(self) -> str:
        """All subjects of the log."""
        return f"ledgerpress.log.{self.publication}.>"

    @property
    def leader_elected(self) -> str:
        """The subject on which the servers announce a new leader of the log."""
        return f"$JS.EVENT.ADVISORY.STREAM.LEADER_ELECTED.{self.stream}"

    @property
    def withdrawals(self) -> str:
        """The subjects of withdrawals among them."""
        return f"ledgerpress.log.{self.publication}.*.w.*"

    @property
    def leases_stream(self) -> str:
        """The stream with the registers of the leases."""
        return f"LEDGERPRESS_{self.publication}_LEASES"

    @property
    def leases_subjects(self) -> str:
        """All subjects of the registers."""
        return f"ledgerpress.lease.{self.publication}.*"

    @property
    def head_broadcast(self) -> str:
        """The subject on which nodes announce that the log has grown. Its messages are not stored."""
        return f"ledgerpress.bell.{self.publication}"

    def subject(self, stream: str, withdrawn_from: str = "") -> str:
        """Return the subject of a stream of events; a withdrawal's is next to that of the stream `withdrawn_from`.

        So the last sequence on all subjects of a stream only grows: a withdrawal is later than the event that it withdraws,
        and is never erased.
        """
        if stream.startswith(_WITHDRAWAL):
            return f"{self._of(withdrawn_from)}.w.{_token(stream.removeprefix(_WITHDRAWAL))}"
        return f"{self._of(stream)}.e"

    def guarded(self, stream: str) -> str:
        """Return the subjects of a stream: those of its events and of the withdrawals of its events."""
        if stream.startswith(_WITHDRAWAL):
            return f"ledgerpress.log.{self.publication}.*.w.{_token(stream.removeprefix(_WITHDRAWAL))}"
        return f"{self._of(stream)}.>"

    def stream_of(self, subject: str) -> str:
        """Return the stream whose events are on a subject."""
        token, kind, *event_id = subject[len("ledgerpress.log.") + len(self.publication) + 1 :].split(".")
        return (_WITHDRAWAL + event_id[0] if kind == "w" else token).replace("_", ".")

    def _of(self, stream: str) -> str:
        return f"ledgerpress.log.{self.publication}.{_token(stream) or '_'}"

    def lease(self, name: str) -> str:
        """Return the subject of a lease's register."""
        return f"ledgerpress.lease.{self.publication}.{name}"


def _token(name: str) -> str:
    # The name of a stream has no underscore. One token per stream makes the wildcards simple.
    return name.replace(".", "_")


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
            f"monitor={address} makes no sense: a server is monitored at an address as http://one:8222"
        )
    return address.rstrip("/")


def _boolean(name: str, value: str) -> bool:
    if value not in ("true", "false"):
        raise LogUnusable(f"{name}={value} makes no sense: it is true or false")
    return value == "true"
