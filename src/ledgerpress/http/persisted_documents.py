"""The document of a request: its text, or a trusted or registered document by its identifier.

Trusted documents are those of a manifest, made when the clients were built. Three shapes are read: Apollo's (`{"format":
"apollo-persisted-query-manifest", "operations": [{"id", "body"}]}`), Relay's (`{"<hash>": "<text>"}`, with any hash), and
the same with `sha256:` before the hash, as in GraphQL over HTTP (Persisted Documents, section 1).

Clients register documents by automatic persisted queries (Apollo's protocol): a client sends the SHA-256 of a document,
and the text as well where the hash is not known. A text is registered only if it has that hash and was executed, so
that no entry can stand for another document.
"""

import hashlib
from pathlib import Path
from typing import Annotated, Any, Final, NamedTuple

import msgspec

from ledgerpress.bounded_cache import BoundedCache
from ledgerpress.http.graphql_over_http_settings import HttpSettings
from ledgerpress.http.request_rejection_error import HttpError
from ledgerpress.http.requests.graphql_request import GraphQLRequest

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


def sha256(text: str) -> str:
    """Return the SHA-256 of a document, as 64 hexadecimal digits in lower case."""
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def is_sha256(identifier: str) -> bool:
    """Whether an identifier has the form of a SHA-256: 64 hexadecimal digits in lower case."""
    return len(identifier) == 64 and not identifier.strip("0123456789abcdef")


def read_manifest(path: Path) -> dict[str, str]:
    """Return the documents of a manifest, each by its identifier and by its SHA-256. Raises `BadManifest`."""
    try:
        documents = _read(path.read_bytes())
    except OSError as error:
        raise BadManifest(
            f"the manifest of trusted documents {path} cannot be read: {error.strerror}"
        ) from error
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise BadManifest(f"{path} is no manifest of trusted documents: {error}") from error
    by_id: dict[str, str] = {}
    for identifier, text in documents.items():
        given, digest = identifier.removeprefix(_PREFIX), sha256(text)
        if (identifier != given or is_sha256(given)) and given != digest:
            raise BadManifest(f"{path}: the document {identifier} has another SHA-256 than its name says")
        by_id[given] = by_id[digest] = text
    return by_id


def _read(content: bytes) -> dict[str, str]:
    if "format" not in msgspec.json.decode(content, type=dict[str, msgspec.Raw]):
        return msgspec.json.decode(content, type=dict[str, str])
    manifest = msgspec.json.decode(content, type=_ApolloManifest)
    if manifest.format != _APOLLO or manifest.version != 1:
        raise msgspec.ValidationError(
            f"the format is {manifest.format!r}, version {manifest.version}, not {_APOLLO!r}, version 1"
        )
    return {one.id: one.body for one in manifest.operations}


_PREFIX: Final = "sha256:"
_ENTRY_BYTES: Final = 200
"""What a registered document takes in addition to its text, roughly."""


class RequestedDocument(NamedTuple):
    """A document's text, the hash to register it by once it has been executed, and whether the request has one."""

    text: str
    register_as: str | None = None
    is_named: bool = False


class PersistedDocuments:
    """The trusted documents and those that clients registered, under the rules of the settings."""

    def __init__(self, settings: HttpSettings) -> None:
        """Read the manifest. Raises `BadManifest`."""
        path = settings.trusted_documents
        if settings.only_trusted_documents and not path:
            raise BadManifest("only_trusted_documents needs trusted_documents: say where the manifest is")
        self._trusted = read_manifest(Path(path)) if path else {}
        self._trusted_texts = frozenset(self._trusted.values())
        self._only_trusted = settings.only_trusted_documents
        self._registers = settings.automatic_persisted_documents and not self._only_trusted
        self._registered = BoundedCache[str, str](
            max_bytes=settings.max_persisted_bytes,
            max_entry_bytes=min(settings.max_persisted_document_bytes, settings.max_persisted_bytes),
            size_of=lambda _, text: len(text.encode("utf-8")) + _ENTRY_BYTES,
        )
        self._ill_formed = settings.unprocessable_status

    def find(self, request: GraphQLRequest) -> RequestedDocument:
        """Return the document of a request. Raises `HttpError`."""
        text, named = request.query, request.document_id is not None or bool(request.extensions)
        digest = self._identifier(request) if named else None
        if digest is None:
            text = text or ""
            return RequestedDocument(self._allowed(text) if self._only_trusted else text)
        known = self._trusted.get(digest)
        if known is None and self._registers:
            known = self._registered.get(digest)
        if text is None:
            if known is None:
                raise self._unknown(request)
            return RequestedDocument(known, is_named=True)
        if text == known:
            return RequestedDocument(text, is_named=True)
        if sha256(text) != digest:
            raise HttpError(
                400,
                "PERSISTED_QUERY_MISMATCH",
                "The document has another SHA-256 than the request says: send the hash of the very text, in UTF-8.",
            )
        return RequestedDocument(self._allowed(text), digest if self._registers else None, is_named=True)

    def register(self, document: RequestedDocument) -> None:
        """Register a document that was executed, if its client named it by its hash."""
        if document.register_as:
            self._registered.put(document.register_as, document.text)

    def _allowed(self, text: str) -> str:
        if self._only_trusted and text not in self._trusted_texts:
            raise HttpError(
                403,
                "DOCUMENT_NOT_TRUSTED",
                "Only documents of the operator's manifest are executed here: send the documentId of one of them.",
            )
        return text

    def _identifier(self, request: GraphQLRequest) -> str | None:
        """Return the identifier that a request gives for its document, without the prefix of a SHA-256."""
        digest = self._apollo_digest((request.extensions or {}).get("persistedQuery"))
        if request.document_id is None:
            return digest
        named = request.document_id
        identifier = named.removeprefix(_PREFIX)
        if ":" in identifier or (named.startswith(_PREFIX) and not is_sha256(identifier)):
            raise HttpError(
                self._ill_formed,
                "BAD_REQUEST",
                "The documentId has to be sha256: and 64 hexadecimal digits in lower case, or a name of the manifest.",
            )
        if digest not in {None, identifier}:
            raise HttpError(
                self._ill_formed,
                "BAD_REQUEST",
                "documentId and extensions.persistedQuery name two documents.",
            )
        return identifier

    def _apollo_digest(self, extension: Any) -> str | None:
        if extension is None:
            return None
        if not isinstance(extension, dict) or type(extension.get("version")) is not int:
            raise self._bad_persisted(
                "extensions.persistedQuery has to be an object with version and sha256Hash."
            )
        if extension["version"] != 1:
            raise self._bad_persisted("Only version 1 of persisted queries is known here.")
        digest = extension.get("sha256Hash")
        if not isinstance(digest, str) or not is_sha256(digest):
            raise self._bad_persisted("sha256Hash has to be 64 hexadecimal digits in lower case.")
        return digest

    def _bad_persisted(self, message: str) -> HttpError:
        return HttpError(self._ill_formed, "BAD_REQUEST", message)

    def _unknown(self, request: GraphQLRequest) -> HttpError:
        """Return the error for an unknown document. Clients recognise Apollo's messages and codes."""
        if request.document_id is not None:
            return HttpError(
                404, "PERSISTED_DOCUMENT_NOT_FOUND", "There is no document with that documentId here."
            )
        if self._registers:
            return HttpError(404, "PERSISTED_QUERY_NOT_FOUND", "PersistedQueryNotFound")
        return HttpError(404, "PERSISTED_QUERY_NOT_SUPPORTED", "PersistedQueryNotSupported")
