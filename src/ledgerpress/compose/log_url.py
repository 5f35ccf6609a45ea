"""The URL that says where a publication's log is: in a file, in PostgreSQL, or in NATS JetStream."""

import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit

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
_PASSWORD: Final = re.compile(r"(?<=//)\S*@")
_SECRET: Final = re.compile(r"((?:password|passwd|token)=)[^&\s]*", re.IGNORECASE)


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
                f"{mask(text)!r} is no URL of a log: it begins with sqlite:, postgresql: or nats:"
            )
        if engine == "sqlite":
            if "?" in rest or rest.startswith("//"):
                raise LogUnusable(
                    f"{text!r} is no URL of a log: after sqlite: comes nothing, or the path of a file"
                )
            return cls(engine=engine, text=text)
        try:
            asked = dict(parse_qsl(urlsplit(text).query))
        except ValueError as error:
            raise LogUnusable(f"{mask(text)!r} is no URL of a log: {error}") from error
        if not rest.startswith("//"):
            raise LogUnusable(f"{mask(text)!r} is no URL of a log: one is {EXAMPLES[engine]}")
        publication = asked.get(PUBLICATION, "")
        if not _NAME.fullmatch(publication):
            what = f"has {publication!r} as its publication" if publication else "names no publication"
            raise LogUnusable(
                f"{mask(text)!r} {what}: say which of those that the server may hold, as in "
                f"{mask(text).partition('?')[0]}?{PUBLICATION}=daily (lower-case letters, digits, - and _, a letter "
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

    def parameters(self) -> dict[str, str]:
        """Return the parameters of the URL but the publication."""
        return {name: value for name, value in parse_qsl(urlsplit(self.text).query) if name != PUBLICATION}

    def without(self, *parameters: str) -> str:
        """Return the URL without the publication and without these parameters."""
        url = urlsplit(self.text)
        kept = [pair for pair in parse_qsl(url.query) if pair[0] not in (PUBLICATION, *parameters)]
        return url._replace(query=urlencode(kept)).geturl()

    def allowing_unsynced(self) -> "LogUrl":
        """Return the URL of the same log, on servers that may acknowledge what is not on their disks."""
        if self.engine != "nats" or UNSYNCED in self.parameters():
            return self
        return replace(self, text=f"{self.text}&{UNSYNCED}=true")

    def __str__(self) -> str:
        """Return the URL as it may be shown: without passwords."""
        return mask(self.text)

    def __repr__(self) -> str:
        """Return what may stand in a traceback."""
        return f"LogUrl({mask(self.text)!r})"


def mask(url: str) -> str:
    """Return a URL without who asks and with which password."""
    return _SECRET.sub(r"\1…", _PASSWORD.sub("…@", url))
