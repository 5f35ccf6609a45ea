"""Find the document of a request: its text, or a trusted or registered document by its identifier.

Trusted documents come from a manifest, which is created when the clients are built. Three formats are accepted:
Apollo's (`{"format": "apollo-persisted-query-manifest", "operations": [{"id", "body"}]}`), Relay's
(`{"<hash>": "<text>"}`, with any hash), and Relay's with `sha256:` before each hash, as in GraphQL over HTTP (Persisted
Documents, section 1).

Clients register documents by automatic persisted queries (Apollo's protocol): a client sends the SHA-256 of a document,
and also the text if the server does not know the hash. A text is registered only if it has that hash and was executed,
so that no client can register a text under the hash of another document. If the server has several workers, each has
the documents that clients registered with it, and asks the others for those that it does not know.
"""

import hashlib
from codecs import BOM_UTF8
from pathlib import Path
from typing import Annotated, Any, Final, NamedTuple

import msgspec

from ledgerpress.bounded_cache import BoundedCache
from ledgerpress.http.graphql_over_http_settings import HttpSettings
from ledgerpress.http.other_workers import NoResponse, OtherWorkers
from ledgerpress.http.request_rejection_error import HttpError
from ledgerpress.http.requests.graphql_request import GraphQLRequest

_APOLLO: Final = "apollo-persisted-query-manifest"


class BadManifest(Exception):
    """A manifest cannot be used. The message is for the operator."""


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
    """Return whether an identifier looks like a SHA-256: 64 hexadecimal digits in lower case."""
    return len(identifier) == 64 and not identifier.strip("0123456789abcdef")


def read_manifest(path: Path) -> dict[str, str]:
    """Return the documents of a manifest, each by its identifier and by its SHA-256. Raises `BadManifest`."""
    try:
        documents = _read(path.read_bytes().removeprefix(BOM_UTF8))
    except OSError as error:
        raise BadManifest(
            f"the manifest of trusted documents {path} cannot be read: {error.strerror}"
        ) from error
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise BadManifest(f"{path} is not a manifest of trusted documents: {error}") from error
    by_id: dict[str, str] = {}
    for identifier, text in documents.items():
        name, digest = identifier.removeprefix(_PREFIX), sha256(text)
        if (identifier != name or is_sha256(name)) and name != digest:
            raise BadManifest(f"{path}: the text of the document {identifier} does not have this SHA-256")
        by_id[name] = by_id[digest] = text
    return by_id


def _read(content: bytes) -> dict[str, str]:
    if "format" not in msgspec.json.decode(content, type=dict[str, msgspec.Raw]):
        return msgspec.json.decode(content, type=dict[str, str])
    manifest = msgspec.json.decode(content, type=_ApolloManifest)
    if manifest.format != _APOLLO or manifest.version != 1:
        raise msgspec.ValidationError(
            f"the format is {manifest.format!r}, version {manifest.version}, not {_APOLLO!r}, version 1"
        )
    return {operation.id: operation.body for operation in manifest.operations}


_PREFIX: Final = "sha256:"
_DOCUMENT: Final = "persisted document"
"""The kind of the request with which a worker asks the others for a document."""
_WORKER_TIMEOUT: Final = 1.0
"""Seconds for the responses of the other workers. After that, the client is asked for the text."""
_ENTRY_BYTES: Final = 200
"""Approximate memory of a registered document in addition to its text."""


class RequestedDocument(NamedTuple):
    """The document of a request.

    `register_as` is the hash under which to register the text after it has been executed. `is_named` is true if the
    request contains an identifier.
    """

    text: str
    register_as: str | None = None
    is_named: bool = False


class PersistedDocuments:
    """The trusted documents and the documents that clients registered."""

    def __init__(self, settings: HttpSettings, workers: OtherWorkers | None = None) -> None:
        """Read the manifest. Raises `BadManifest`."""
        path = settings.trusted_documents
        if settings.only_trusted_documents and not path:
            raise BadManifest(
                "only_trusted_documents needs trusted_documents: set it to the path of the manifest"
            )
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
        self._workers = workers if self._registers else None
        if self._workers is not None:
            self._workers.serve({_DOCUMENT: self._respond})

    async def find_in_all_workers(self, request: GraphQLRequest) -> RequestedDocument:
        """Do the same as `find`, with the documents that are registered in any worker. Raises `HttpError`."""
        if self._workers is not None and request.query is None:
            digest = self._identifier(request)
            if digest is not None and not (digest in self._trusted or digest in self._registered):
                await self._ask_workers(self._workers, digest)
        return self.find(request)

    async def _ask_workers(self, workers: OtherWorkers, digest: str) -> None:
        """Register a document that is registered in another worker."""
        if not is_sha256(digest):
            return
        responses = await workers.ask_all(_DOCUMENT, digest.encode(), timeout=_WORKER_TIMEOUT)
        for response in responses.values():
            if not isinstance(response, NoResponse) and response:
                self._registered.put(digest, response.decode())
                return

    async def _respond(self, _sender: int, digest: bytes) -> bytes:
        """Return a document that is registered in this worker, or nothing."""
        return (self._registered.get(digest.decode()) or "").encode()

    def find(self, request: GraphQLRequest) -> RequestedDocument:
        """Return the document of a request. Raises `HttpError`."""
        text, has_identifier = request.query, request.document_id is not None or bool(request.extensions)
        digest = self._identifier(request) if has_identifier else None
        if digest is None:
            text = text or ""
            return RequestedDocument(self._allowed(text) if self._only_trusted else text)
        known_text = self._trusted.get(digest)
        if known_text is None and self._registers:
            known_text = self._registered.get(digest)
        if text is None:
            if known_text is None:
                raise self._unknown(request)
            return RequestedDocument(known_text, is_named=True)
        if text == known_text:
            return RequestedDocument(text, is_named=True)
        if sha256(text) != digest:
            raise HttpError(
                400,
                "PERSISTED_QUERY_MISMATCH",
                "The hash in the request is not the SHA-256 of the document. Send the hash of its exact text.",
            )
        return RequestedDocument(self._allowed(text), digest if self._registers else None, is_named=True)

    def registered_as(self, request: GraphQLRequest) -> str | None:
        """Return the hash under which the document of a request is registered, until `is_registered` is false.

        `find` MUST have accepted the request. Return `None` if it will always do so.
        """
        digest = self._identifier(request)
        return None if digest in self._trusted or not self._registers else digest

    def is_registered(self, digest: str, text: str) -> bool:
        """Return whether a document is registered under its hash. Registrations that are used end last."""
        return self._registered.get(digest) == text

    def register(self, document: RequestedDocument) -> None:
        """Register an executed document under its hash, if `find` returned it with one."""
        if document.register_as:
            self._registered.put(document.register_as, document.text)

    def _allowed(self, text: str) -> str:
        if self._only_trusted and text not in self._trusted_texts:
            raise HttpError(
                403,
                "DOCUMENT_NOT_TRUSTED",
                "This server executes only documents of its manifest. Send the documentId of one of them.",
            )
        return text

    def _identifier(self, request: GraphQLRequest) -> str | None:
        """Return the identifier of the document in a request, without the prefix `sha256:`."""
        digest = self._apollo_digest((request.extensions or {}).get("persistedQuery"))
        if request.document_id is None:
            return digest
        identifier = request.document_id.removeprefix(_PREFIX)
        if ":" in identifier or (request.document_id.startswith(_PREFIX) and not is_sha256(identifier)):
            raise HttpError(
                self._ill_formed,
                "BAD_REQUEST",
                "The documentId must be sha256: and 64 hexadecimal digits in lower case, or a name in the manifest.",
            )
        if digest not in {None, identifier}:
            raise HttpError(
                self._ill_formed,
                "BAD_REQUEST",
                "documentId and extensions.persistedQuery name different documents. Send only one of them.",
            )
        return identifier

    def _apollo_digest(self, extension: Any) -> str | None:
        if extension is None:
            return None
        if not isinstance(extension, dict) or type(extension.get("version")) is not int:
            raise self._bad_persisted(
                "extensions.persistedQuery must be an object with version and sha256Hash."
            )
        if extension["version"] != 1:
            raise self._bad_persisted("Only version 1 of persisted queries is supported.")
        digest = extension.get("sha256Hash")
        if not isinstance(digest, str) or not is_sha256(digest):
            raise self._bad_persisted("sha256Hash must be 64 hexadecimal digits in lower case.")
        return digest

    def _bad_persisted(self, message: str) -> HttpError:
        return HttpError(self._ill_formed, "BAD_REQUEST", message)

    def _unknown(self, request: GraphQLRequest) -> HttpError:
        """Return the error for an unknown document. Apollo clients rely on these messages and codes."""
        if request.document_id is not None:
            return HttpError(404, "PERSISTED_DOCUMENT_NOT_FOUND", "No document has this documentId.")
        if self._registers:
            return HttpError(404, "PERSISTED_QUERY_NOT_FOUND", "PersistedQueryNotFound")
        return HttpError(404, "PERSISTED_QUERY_NOT_SUPPORTED", "PersistedQueryNotSupported")
