"""Trusted documents: those of a manifest, made when the clients were built, and named by their hash.

Three shapes of manifest are read: Apollo's (`{"format": "apollo-persisted-query-manifest", "operations": [{"id",
"body"}]}`), Relay's (`{"<hash>": "<text>"}`, by whatever hash Relay was told to take), and the same with `sha256:`
before the hash, as the identifiers of GraphQL over HTTP have it (Persisted Documents, section 1).
"""

import hashlib
from pathlib import Path
from typing import Annotated, Final

import msgspec

_APOLLO: Final = "apollo-persisted-query-manifest"


class BadManifest(Exception):
    """A manifest that cannot be used. The message is for the operator."""


class _Operation(msgspec.Struct):
    id: Annotated[str, msgspec.Meta(min_length=1)]
    body: str


class _ApolloManifest(msgspec.Struct):
    format: str
    version: int
    operations: list[_Operation]


class TrustedDocuments:
    """Documents by identifier; each is also found by its SHA-256, whatever the manifest calls it."""

    def __init__(self, documents: dict[str, str] | None = None) -> None:
        self._by_id: dict[str, str] = {}
        for identifier, text in (documents or {}).items():
            self._by_id[identifier.removeprefix("sha256:")] = text
            self._by_id[sha256(text)] = text
        self._texts = frozenset(self._by_id.values())

    @classmethod
    def load(cls, path: Path) -> "TrustedDocuments":
        """Read a manifest. Raises `BadManifest`."""
        try:
            documents = _read(path.read_bytes())
        except OSError as error:
            raise BadManifest(
                f"the manifest of trusted documents {path} cannot be read: {error.strerror}"
            ) from error
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise BadManifest(f"{path} is no manifest of trusted documents: {error}") from error
        for identifier, text in documents.items():
            given = identifier.removeprefix("sha256:")
            if (identifier != given or is_sha256(given)) and given != sha256(text):
                raise BadManifest(f"{path}: the document {identifier} has another SHA-256 than its name says")
        return cls(documents)

    def get(self, identifier: str) -> str | None:
        """Return the text of a document by its identifier, which for a SHA-256 is 64 hexadecimal digits."""
        return self._by_id.get(identifier)

    def __contains__(self, text: object) -> bool:
        """Whether that very text is trusted."""
        return text in self._texts

    def __len__(self) -> int:
        """Return how many documents there are."""
        return len(self._texts)


def sha256(text: str) -> str:
    """Return the SHA-256 of a document, as 64 hexadecimal digits in lower case."""
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def is_sha256(identifier: str) -> bool:
    """Whether an identifier has the form of a SHA-256: 64 hexadecimal digits in lower case."""
    return len(identifier) == 64 and not identifier.strip("0123456789abcdef")


def _read(content: bytes) -> dict[str, str]:
    if "format" not in msgspec.json.decode(content, type=dict[str, msgspec.Raw]):
        return msgspec.json.decode(content, type=dict[str, str])
    manifest = msgspec.json.decode(content, type=_ApolloManifest)
    if manifest.format != _APOLLO or manifest.version != 1:
        raise msgspec.ValidationError(
            f"the format is {manifest.format!r}, version {manifest.version}, not {_APOLLO!r}, version 1"
        )
    return {one.id: one.body for one in manifest.operations}
