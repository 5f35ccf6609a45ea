"""Where the servers are and how they are spoken to, as a `nats:` URL says it; and the names that a publication has there."""

import ssl
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import parse_qsl, unquote, urlsplit

from ledgerpress.eventlog import url as log_address
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
    """Who a connection is made as. The repr shows no password."""

    user: str = ""
    password: str = field(default="", repr=False)
    credentials: str = ""
    """The path of a file of credentials, as NATS writes them."""

    def __bool__(self) -> bool:
        return bool(self.user or self.credentials)

    def check(self) -> None:
        """Raise `LogUnusable` for a file of credentials that cannot be read."""
        if self.credentials:
            try:
                Path(self.credentials).read_bytes()
            except OSError as error:
                raise LogUnusable(
                    f"the file of credentials {self.credentials} cannot be read: {error.strerror}"
                ) from error


@dataclass(frozen=True, slots=True, kw_only=True)
class NatsUrl:
    """The servers of a log, and what the operator said of them."""

    servers: tuple[str, ...]
    """`nats://host:port` each, without a user."""
    publication: str
    login: Login
    system: Login
    """A user of the system account, where the servers' settings are read over NATS."""
    monitors: tuple[str, ...]
    """The addresses at which the servers are monitored, `http://host:port`."""
    replicas: int | None
    tls_ca: str
    allow_unsynced: bool

    @classmethod
    def of(cls, url: str) -> "NatsUrl":
        """Return what a URL says that names a publication. Raises `LogUnusable` where it makes no sense."""
        parts = log_address.split(url)
        parameters = dict(parse_qsl(parts.query, keep_blank_values=True))
        publication = parameters.pop("publication")
        for name in parameters:
            if name not in PARAMETERS:
                raise LogUnusable(
                    f"{name}= is no parameter of a nats: URL; there are {', '.join(PARAMETERS)}"
                )
        who, _, places = parts.netloc.rpartition("@")
        user, _, password = who.partition(":")
        if not all(places.split(",")) or parts.path.strip("/"):
            raise LogUnusable("a nats: URL names servers, as in nats://one:4222,two:4222?publication=daily")
        replicas = parameters.get("replicas", "")
        if replicas and replicas not in _REPLICAS:
            raise LogUnusable(f"replicas={replicas} makes no sense: it is one of {', '.join(_REPLICAS)}")
        return cls(
            servers=tuple(f"{parts.scheme}://{_with_port(place)}" for place in places.split(",")),
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
            monitors=tuple(_monitor(one) for one in parameters.get("monitor", "").split(",") if one),
            replicas=int(replicas) if replicas else None,
            tls_ca=parameters.get("tls_ca", ""),
            allow_unsynced=_yes("allow_unsynced", parameters.get("allow_unsynced", "false")),
        )

    def tls(self) -> ssl.SSLContext | None:
        """Return how TLS is spoken, where it was asked for. Raises `LogUnusable` for an unreadable file."""
        if not self.tls_ca and not self.servers[0].startswith("tls:"):
            return None
        try:
            return ssl.create_default_context(cafile=self.tls_ca or None)
        except OSError as error:
            raise LogUnusable(f"tls_ca={self.tls_ca} cannot be read: {error}") from error


@dataclass(frozen=True, slots=True)
class SubjectNames:
    """What a publication's things are called at the servers. `publication` is its name there."""

    publication: str

    @property
    def stream(self) -> str:
        """The stream that is the log."""
        return f"LEDGERPRESS_{self.publication}"

    @property
    def subjects(self) -> str:
        """All the subjects of the log."""
        return f"ledgerpress.log.{self.publication}.>"

    @property
    def leader_elected(self) -> str:
        """Where the servers tell that the log has a new leader."""
        return f"$JS.EVENT.ADVISORY.STREAM.LEADER_ELECTED.{self.stream}"

    @property
    def withdrawals(self) -> str:
        """The subjects of the withdrawals among them."""
        return f"ledgerpress.log.{self.publication}.*.w.*"

    @property
    def leases_stream(self) -> str:
        """The stream beside the log with the registers of the leases."""
        return f"LEDGERPRESS_{self.publication}_LEASES"

    @property
    def leases_subjects(self) -> str:
        """All the subjects of the registers."""
        return f"ledgerpress.lease.{self.publication}.*"

    @property
    def bell(self) -> str:
        """The subject on which nodes tell one another that the log has grown. Nothing of it is stored."""
        return f"ledgerpress.bell.{self.publication}"

    def subject(self, stream: str, withdrawn_from: str = "") -> str:
        """Return the subject of a stream of ours; a withdrawal's is beside that of the stream `withdrawn_from`.

        So the last sequence on all subjects of a stream only grows: a withdrawal comes later than what it withdraws,
        and is never erased.
        """
        if stream.startswith(_WITHDRAWAL):
            return f"{self._of(withdrawn_from)}.w.{_token(stream.removeprefix(_WITHDRAWAL))}"
        return f"{self._of(stream)}.e"

    def guarded(self, stream: str) -> str:
        """Return all the subjects of a stream of ours: those of its events and of the withdrawals of its events."""
        if stream.startswith(_WITHDRAWAL):
            return f"ledgerpress.log.{self.publication}.*.w.{_token(stream.removeprefix(_WITHDRAWAL))}"
        return f"{self._of(stream)}.>"

    def stream_of(self, subject: str) -> str:
        """Return the stream of ours whose events are on a subject."""
        token, kind, *event_id = subject[len("ledgerpress.log.") + len(self.publication) + 1 :].split(".")
        return (_WITHDRAWAL + event_id[0] if kind == "w" else token).replace("_", ".")

    def _of(self, stream: str) -> str:
        return f"ledgerpress.log.{self.publication}.{_token(stream) or '_'}"

    def lease(self, name: str) -> str:
        """Return the subject of a lease's register."""
        return f"ledgerpress.lease.{self.publication}.{name}"


def _token(name: str) -> str:
    # The name of a stream has no underscore. One token a stream makes the wildcards simple.
    return name.replace(".", "_")


def _with_port(place: str) -> str:
    return place if ":" in place.rpartition("]")[2] else f"{place}:{PORT}"


def _monitor(said: str) -> str:
    try:
        parts = urlsplit(said)
        makes_sense = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        makes_sense = False
    if not makes_sense:
        raise LogUnusable(
            f"monitor={said} makes no sense: a server is monitored at an address as http://one:8222"
        )
    return said.rstrip("/")


def _yes(name: str, said: str) -> bool:
    if said not in ("true", "false"):
        raise LogUnusable(f"{name}={said} makes no sense: it is true or false")
    return said == "true"
