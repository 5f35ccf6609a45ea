"""The URL that says where a publication's log is: in a file, in PostgreSQL, or in NATS JetStream."""

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
"""What a URL looks like, for messages."""
LOCAL: Final = "sqlite:"
"""The log is a file in the data directory."""
PUBLICATION: Final = "publication"
"""The parameter that names the publication."""
UNSYNCED: Final = "allow_unsynced"
"""The parameter by which an operator allows NATS servers that do not sync."""
_NAME: Final = re.compile(r"[a-z][a-z0-9_-]{0,31}")
_PORT: Final = re.compile(r"(?:\[[^\]]*\]|[^:]*)(?::([0-9]{1,5})?)?")
_HARMLESS: Final = frozenset(
    {
        *(PUBLICATION, UNSYNCED, "replicas", "monitor", "host", "port", "dbname", "database", "sslmode"),
        *("target_session_attrs", "sslrootcert", "sslcrl", "sslcert", "sslkey", "tls_ca", "credentials"),
    }
)
"""The parameters whose values are shown."""
_SECRET: Final = re.compile(r"((?:pass|pwd|token|secret)[^=&]*=).*", re.IGNORECASE | re.DOTALL)
_PLAIN: Final = re.compile(r"[\w .,:/\[\]~+-]*")
"""What holds no second parameter, and no secret one with it."""
_SCHEME: Final = re.compile(rf"['\"]?(?:{'|'.join(ENGINES)}|https?):/*")
_ENCODE: Final = "in a user and a password, all but letters and digits is written as % and two hex digits"


@dataclass(frozen=True, slots=True, kw_only=True)
class LogUrl:
    """Where a log is. `publication` is the name that it has at a server, and nothing for a file."""

    engine: str
    text: str
    """The URL, with everything that is secret in it."""
    publication: str = ""

    @classmethod
    def parse(cls, text: str) -> "LogUrl":
        """Return what `text` names. Raises `LogUnusable` where it makes no sense."""
        scheme, colon, rest = text.partition(":")
        engine = ENGINES.get(scheme) if colon else None
        if engine is None:
            raise LogUnusable(
                f"{_hidden(text)!r} is no URL of a log: it begins with sqlite:, postgresql: or nats:"
            )
        if engine == "sqlite":
            if "?" in rest or rest.startswith("//"):
                raise LogUnusable(
                    f"{_hidden(text)!r} is no URL of a log: after sqlite: comes nothing, or the path of a file"
                )
            return cls(engine=engine, text=text)
        if not rest.startswith("//"):
            raise _no_url(text, f"one is {EXAMPLES[engine]}")
        if "#" in text or re.search(r"\s", text):
            raise _no_url(text, f"it has a # or a blank; {_ENCODE}")
        try:
            parts = log_address.split(text)
            pairs = parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query))
        except ValueError as error:
            # What it says may be a part of the password.
            raise _no_url(f"{scheme}://…", f"its host or a parameter makes no sense; {_ENCODE}") from error
        if "@" in parts.path + parts.query:
            raise _no_url(text, f"it has an @ after the host; there it is written as %40, and {_ENCODE}")
        if ";" in parts.query:
            raise _no_url(
                text, "it has a ; after the ?; parameters have & between them, and in a value it is %3B"
            )
        _check_places(text, parts)
        asked = dict(pairs)
        if len(asked) < len(pairs):
            raise _no_url(text, "it has a parameter twice")
        publication = asked.get(PUBLICATION, "")
        if not _NAME.fullmatch(publication):
            what = (
                f"has {_plain(publication)!r} as its publication" if publication else "names no publication"
            )
            raise LogUnusable(
                f"{_shown(text)!r} {what}: say which of those that the server may hold, as in "
                f"{_shown(text).partition('?')[0]}?{PUBLICATION}=daily (lower-case letters, digits, - and _, a letter "
                "first, at most 32)"
            )
        return cls(engine=engine, text=text, publication=publication)

    @property
    def is_local(self) -> bool:
        """Whether the log is the file in the data directory."""
        return self.text == LOCAL

    def file(self, in_directory: Path) -> Path:
        """Return the file of a log that is in one, by default `in_directory`."""
        return Path(unquote(self.text.partition(":")[2])) if not self.is_local else in_directory

    def without_publication(self) -> str:
        """Return the URL without the name of the publication."""
        url = log_address.split(self.text)
        return url._replace(
            query=urlencode([pair for pair in parse_qsl(url.query) if pair[0] != PUBLICATION])
        ).geturl()

    def allowing_unsynced(self) -> "LogUrl":
        """Return the URL of the same log, on servers that may acknowledge what is not on their disks."""
        if self.engine != "nats" or UNSYNCED in dict(parse_qsl(log_address.split(self.text).query)):
            return self
        return replace(self, text=f"{self.text}&{UNSYNCED}=true")

    def __str__(self) -> str:
        """Return the URL as it may be shown: without passwords."""
        return self.text if self.engine == "sqlite" else _shown(self.text)

    def __repr__(self) -> str:
        """Return what may stand in a traceback."""
        return f"LogUrl({str(self)!r})"


def mask(text: str) -> str:
    """Return a setting as it may be shown: without who asks and with which password, if it is a URL."""
    try:
        return str(LogUrl.parse(text))
    except LogUnusable:
        return _hidden(text)


def _check_places(text: str, parts: SplitResult) -> None:
    """Raise `LogUnusable` for a user or a port that is none: those who connect would say it less well."""
    who, _, places = parts.netloc.rpartition("@")
    if "@" in who:
        raise _no_url(text, f"it has two @; in a password it is written as %40, and {_ENCODE}")
    if ":" in unquote(who.partition(":")[0]):
        raise _no_url(text, "it has a user with a colon: is that the password?")
    for place in places.split(","):
        if not (found := _PORT.fullmatch(place)) or not 0 < int(found[1] or 1) < 65_536:
            # What is there is not shown: it may be a user and a password, with the @ forgotten.
            raise _no_url(f"{parts.scheme}://…", f"what follows // is no host with a port ({_ENCODE})")


def _no_url(text: str, why: str) -> LogUnusable:
    return LogUnusable(f"{_hidden(text)!r} is no URL of a log: {why}")


def _shown(text: str) -> str:
    """Return a URL that makes sense, of its parts: without user and password, and without what may be secret."""
    url = log_address.split(text)
    _, at, places = url.netloc.rpartition("@")
    pairs = [_shown_pair(pair) for pair in url.query.split("&")] if url.query else []
    if secret := next((pair for pair in pairs if pair.endswith("=…")), None):
        # A password with an & in it goes on after that.
        after = pairs.index(secret) + 1
        pairs[after:] = [pair if pair.startswith(f"{PUBLICATION}=") else "…" for pair in pairs[after:]]
    path = f"/{_plain(url.path[1:])}" if url.path else ""
    return f"{url.scheme}://{'…@' if at else ''}{_plain(places)}{path}{'?' if pairs else ''}{'&'.join(pairs)}"


def _shown_pair(pair: str) -> str:
    name, _, value = pair.partition("=")
    return f"{_plain(name)}={_plain(value) if name in _HARMLESS else '…'}"


def _plain(text: str) -> str:
    """Return a part of a URL, if nothing else can be written in it, such as `;password=…` or the same as %3B…."""
    return text if _PLAIN.fullmatch(unquote(text)) else "…"


def _hidden(text: str) -> str:
    """Return what may be shown of a text that is no URL: nothing up to its last @, which may be of a password."""
    before, at, after = text.rpartition("@")
    scheme = found[0] if (found := _SCHEME.match(text)) else ""
    if _SECRET.search(unquote(before)):
        return f"{scheme}…"
    shown = _SECRET.sub(r"\1…", after)
    if shown == after and _SECRET.search(unquote(after)):  # such as p%61ssword=
        return f"{scheme}…"
    return f"{scheme}…@{shown}" if at else shown
