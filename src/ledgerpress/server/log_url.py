"""The URL of a publication's log: a file, or a log in PostgreSQL or NATS JetStream."""

import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final
from urllib.parse import SplitResult, parse_qsl, unquote, urlencode

from ledgerpress.eventlog import multi_host_url as log_address
from ledgerpress.eventlog.errors import LogUnusable

ENGINES: Final = {
    "sqlite": "sqlite",
    "postgresql": "postgresql",
    "postgres": "postgresql",
    "nats": "nats",
    "tls": "nats",
}
"""The engine for each scheme of a URL."""
EXAMPLES: Final = {
    "postgresql": "postgresql://news:PASSWORD@db.example.org/news?publication=daily",
    "nats": "nats://news:PASSWORD@n1.example.org:4222,n2.example.org:4222?publication=daily",
}
"""Example URLs for messages."""
LOCAL: Final = "sqlite:"
"""The URL of a log that is a file in the data directory."""
PUBLICATION: Final = "publication"
"""The parameter that names the publication."""
UNSYNCED: Final = "allow_unsynced"
"""The parameter that allows NATS servers to acknowledge events before they are on disk."""
_NAME: Final = re.compile(r"[a-z][a-z0-9_-]{0,31}")
_PORT: Final = re.compile(r"(?:\[[^\]]*\]|[^:]*)(?::([0-9]{1,5})?)?")
_HARMLESS: Final = frozenset(
    {
        *(PUBLICATION, UNSYNCED, "replicas", "monitor", "host", "port", "dbname", "database", "sslmode"),
        *(
            "target_session_attrs",
            "sslrootcert",
            "sslcrl",
            "sslcert",
            "sslkey",
            "tls_ca",
            "credentials",
            "nkey_file",
        ),
    }
)
"""The parameters whose values are shown."""
_SECRET: Final = re.compile(r"((?:pass|pwd|token|secret)[^=&]*=).*", re.IGNORECASE | re.DOTALL)
_PLAIN: Final = re.compile(r"[\w .,:/\[\]~+-]*")
"""Text that cannot hide another parameter, which could be secret."""
_SCHEME: Final = re.compile(rf"['\"]?(?:{'|'.join(ENGINES)}|https?):/*")
_ENCODE: Final = "in a user name and a password, percent-encode everything except letters and digits"


@dataclass(frozen=True, slots=True, kw_only=True)
class LogUrl:
    """The URL of a log. `publication` is the name of the log on a server, and empty for a file."""

    engine: str
    text: str
    """The complete URL, including its secrets."""
    publication: str = ""

    @classmethod
    def parse(cls, text: str) -> "LogUrl":
        """Return the log URL in `text`. Raises `LogUnusable` if it is invalid."""
        scheme, colon, rest = text.partition(":")
        engine = ENGINES.get(scheme) if colon else None
        if engine is None:
            raise LogUnusable(
                f"{_hidden(text)!r} is not a log URL: it must begin with sqlite:, postgresql: or nats:"
            )
        if engine == "sqlite":
            if "?" in rest or rest.startswith("//"):
                raise LogUnusable(
                    f"{_hidden(text)!r} is not a log URL: write sqlite: alone, or with the path of a file after it"
                )
            return cls(engine=engine, text=text)
        if not rest.startswith("//"):
            raise _no_url(text, f"an example is {EXAMPLES[engine]}")
        if "#" in text or re.search(r"\s", text):
            raise _no_url(text, f"it contains a # or a blank; {_ENCODE}")
        try:
            parts = log_address.split(text)
            pairs = parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query))
        except ValueError as error:
            # The error is not shown: it may quote a part of the password.
            raise _no_url(f"{scheme}://…", f"its host or a parameter is invalid; {_ENCODE}") from error
        if "@" in parts.path + parts.query:
            raise _no_url(text, f"it has an @ after the host: write it as %40 there; {_ENCODE}")
        if ";" in parts.query:
            raise _no_url(
                text, "it has a ; after the ?: separate parameters with &, and write a ; in a value as %3B"
            )
        _check_places(text, parts)
        parameters = dict(pairs)
        if len(parameters) < len(pairs):
            raise _no_url(text, "it repeats a parameter; remove the duplicate")
        publication = parameters.get(PUBLICATION, "")
        if not _NAME.fullmatch(publication):
            problem = (
                f"has the invalid publication {_plain(publication)!r}"
                if publication
                else "names no publication"
            )
            raise LogUnusable(
                f"{_shown(text)!r} {problem}: a server may hold several, so specify one, as in "
                f"{_shown(text).partition('?')[0]}?{PUBLICATION}=daily (lower-case letters, digits, - and _, a letter "
                "first, at most 32 characters)"
            )
        return cls(engine=engine, text=text, publication=publication)

    @property
    def is_local(self) -> bool:
        """Whether the log is the file in the data directory."""
        return self.text == LOCAL

    def file(self, in_directory: Path) -> Path:
        """Return the file of a SQLite log: the path in the URL, or else `in_directory`."""
        return Path(unquote(self.text.partition(":")[2])) if not self.is_local else in_directory

    def without_publication(self) -> str:
        """Return the URL without the name of the publication."""
        url = log_address.split(self.text)
        return url._replace(
            query=urlencode([pair for pair in parse_qsl(url.query) if pair[0] != PUBLICATION])
        ).geturl()

    def allowing_unsynced(self) -> "LogUrl":
        """Return this URL with `allow_unsynced=true`, if it is a NATS URL without this parameter; else this URL."""
        if self.engine != "nats" or UNSYNCED in dict(parse_qsl(log_address.split(self.text).query)):
            return self
        return replace(self, text=f"{self.text}&{UNSYNCED}=true")

    def __str__(self) -> str:
        """Return the URL for display: without user, password and other secrets."""
        return self.text if self.engine == "sqlite" else _shown(self.text)

    def __repr__(self) -> str:
        """Return a representation without secrets, because tracebacks show it."""
        return f"LogUrl({str(self)!r})"


def mask(text: str) -> str:
    """Return the value of a setting for display: without user and password, if it is a URL."""
    try:
        return str(LogUrl.parse(text))
    except LogUnusable:
        return _hidden(text)


def _check_places(text: str, parts: SplitResult) -> None:
    """Raise `LogUnusable` for an invalid user or port. Database clients would report it less clearly."""
    credentials, _, places = parts.netloc.rpartition("@")
    if "@" in credentials:
        raise _no_url(text, f"it has two @: write an @ in a password as %40; {_ENCODE}")
    if ":" in unquote(credentials.partition(":")[0]):
        raise _no_url(
            text, "its user name contains an encoded colon: separate the password with a plain colon"
        )
    for place in places.split(","):
        if not (match := _PORT.fullmatch(place)) or not 0 < int(match[1] or 1) < 65_536:
            # The text is not shown: if the @ is missing, it may be a user and a password.
            raise _no_url(f"{parts.scheme}://…", f"after // there is no valid host and port; {_ENCODE}")


def _no_url(text: str, reason: str) -> LogUnusable:
    return LogUnusable(f"{_hidden(text)!r} is not a log URL: {reason}")


def _shown(text: str) -> str:
    """Return a valid URL for display: without user, password and values that may be secret."""
    url = log_address.split(text)
    _, at, places = url.netloc.rpartition("@")
    pairs = [_shown_pair(pair) for pair in url.query.split("&")] if url.query else []
    if secret := next((pair for pair in pairs if pair.endswith("=…")), None):
        # A password that contains an & continues in the next pairs.
        after = pairs.index(secret) + 1
        pairs[after:] = [pair if pair.startswith(f"{PUBLICATION}=") else "…" for pair in pairs[after:]]
    path = f"/{_plain(url.path[1:])}" if url.path else ""
    return f"{url.scheme}://{'…@' if at else ''}{_plain(places)}{path}{'?' if pairs else ''}{'&'.join(pairs)}"


def _shown_pair(pair: str) -> str:
    name, _, value = pair.partition("=")
    return f"{_plain(name)}={_plain(value) if name in _HARMLESS else '…'}"


def _plain(text: str) -> str:
    """Return a part of a URL, or … if it could hide a secret, such as `;password=…`, even if it is percent-encoded."""
    return text if _PLAIN.fullmatch(unquote(text)) else "…"


def _hidden(text: str) -> str:
    """Return an invalid URL for display: without the text before its last @, which may be in a password."""
    before, at, after = text.rpartition("@")
    scheme = match[0] if (match := _SCHEME.match(text)) else ""
    if _SECRET.search(unquote(before)):
        return f"{scheme}…"
    shown = _SECRET.sub(r"\1…", after)
    if shown == after and _SECRET.search(unquote(after)):  # such as p%61ssword=
        return f"{scheme}…"
    return f"{scheme}…@{shown}" if at else shown
