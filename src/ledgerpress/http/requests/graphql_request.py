"""Parse a GraphQL request from JSON or from a query string (GraphQL over HTTP, sections 5.3 and 5.4)."""

import re
from typing import Any, Final
from urllib.parse import parse_qsl

import msgspec

from ledgerpress.graphql.limits import lone_surrogates
from ledgerpress.http.request_rejection_error import HttpError

MAX_PARAMETERS: Final = 64
"""How many parameters a query string may have. Unknown parameters are ignored."""

# Characters that an editor does not show, or that change the order in which it shows text: control characters,
# bidirectional overrides, zero-width spaces and tags. Joiners and direction marks are allowed: languages need them.
_HIDDEN: Final = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u200b\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\U000e0000-\U000e0fff]"
)
_NAME: Final = re.compile(rb'[ \t\r\n]*,?[ \t\r\n]*"[^"\\]*(?:\\.[^"\\]*)*"[ \t\r\n]*:[ \t\r\n]*')
_CONTAINERS: Final = frozenset({dict, list})


class GraphQLRequest(msgspec.Struct, rename="camel", frozen=True):
    """A GraphQL request. It names its document by text, by an identifier, or by both."""

    query: str | None = None
    document_id: str | None = None
    variables: dict[str, Any] | None = None
    operation_name: str | None = None
    extensions: dict[str, Any] | None = None


_decoder: Final = msgspec.json.Decoder(GraphQLRequest)
_map_decoder: Final = msgspec.json.Decoder(dict[str, Any] | None)
_members_decoder: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])


def from_json(body: bytes, *, max_depth: int, ill_formed: int) -> GraphQLRequest:
    """Read the body of a POST request.

    Raises `HttpError`: with the status 400 if the body is not a JSON object, and with the status `ill_formed` if the
    object is not a GraphQL request.
    """
    try:
        request = _decoder.decode(body)
        _check_depth(body, request, max_depth)
        body.decode("utf-8")
        _check_members(body)
    except msgspec.ValidationError as error:
        raise _not_a_request(error, ill_formed) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        if surrogate := lone_surrogates.in_json(body):
            raise HttpError(400, lone_surrogates.LONE_SURROGATE, surrogate.message) from None
        raise HttpError(
            400, "BAD_REQUEST", f"The body of the request is not JSON in UTF-8: {error}."
        ) from None
    except RecursionError:
        raise _too_deep(max_depth) from None
    return _checked(request, ill_formed)


def check(request: GraphQLRequest, *, max_depth: int) -> None:
    """Raise `HttpError` if the request of a message is nested too deeply or has hidden characters."""
    _check_depth_of(request, max_depth)
    _checked(request, 400)


def from_query_string(query_string: bytes, *, max_depth: int, ill_formed: int) -> GraphQLRequest:
    """Read the query string of a GET request. Empty parameters are ignored (section 5.3). Raises `HttpError`."""
    parameters: dict[str, str] = {}
    try:
        pairs = parse_qsl(
            query_string.decode("ascii"),
            keep_blank_values=True,
            errors="strict",
            max_num_fields=MAX_PARAMETERS,
        )
    except ValueError:
        if surrogate := lone_surrogates.in_query_string(query_string.decode("ascii", "replace")):
            raise HttpError(400, lone_surrogates.LONE_SURROGATE, surrogate.message) from None
        raise HttpError(
            400, "BAD_REQUEST", "The query string is invalid. Send parameters, percent-encoded in UTF-8."
        ) from None
    for name, value in pairs:
        if name in parameters:
            raise _duplicate()
        parameters[name] = value
    variables, extensions = (
        _map(parameters, name, max_depth, ill_formed) for name in ("variables", "extensions")
    )
    request = GraphQLRequest(
        query=parameters.get("query") or None,
        document_id=parameters.get("documentId") or None,
        variables=variables,
        operation_name=parameters.get("operationName") or None,
        extensions=extensions,
    )
    return _checked(request, ill_formed)


def _map(parameters: dict[str, str], name: str, max_depth: int, ill_formed: int) -> dict[str, Any] | None:
    text = parameters.get(name)
    if not text:
        return None
    encoded = text.encode("utf-8")
    try:
        value: dict[str, Any] | None = _map_decoder.decode(encoded)
    except msgspec.ValidationError as error:
        raise HttpError(
            ill_formed, "BAD_REQUEST", f"The parameter {name} must be a JSON object: {error}."
        ) from None
    except msgspec.DecodeError as error:
        if surrogate := lone_surrogates.in_json(encoded, name):
            raise HttpError(400, lone_surrogates.LONE_SURROGATE, surrogate.message) from None
        raise HttpError(400, "BAD_REQUEST", f"The parameter {name} is not JSON: {error}.") from None
    except RecursionError:
        raise _too_deep(max_depth) from None
    _check_depth(encoded, GraphQLRequest(variables=value), max_depth)
    return value


def _checked(request: GraphQLRequest, ill_formed: int) -> GraphQLRequest:
    """Return the request. Raises `HttpError` if it has no document or contains hidden characters."""
    if request.query is None and request.document_id is None and not _names_persisted(request.extensions):
        raise HttpError(
            ill_formed, "BAD_REQUEST", "The request has no query. Send the text of a document as query."
        )
    for text in (request.query, request.document_id, request.operation_name):
        if text and (hidden := _HIDDEN.search(text)):
            raise HttpError(
                400,
                "HIDDEN_CHARACTER",
                f"The request has the hidden character U+{ord(hidden.group()):04X} in line "
                f"{text.count(chr(10), 0, hidden.start()) + 1} of a document or name. Write it as an escape "
                "in a string, or send it in a variable.",
            )
    return request


def _names_persisted(extensions: dict[str, Any] | None) -> bool:
    return extensions is not None and extensions.get("persistedQuery") is not None


def _check_depth(encoded: bytes, request: GraphQLRequest, max_depth: int) -> None:
    if encoded.count(b"{") + encoded.count(b"[") <= max_depth:
        return
    _check_depth_of(request, max_depth)


def _check_depth_of(request: GraphQLRequest, max_depth: int) -> None:
    level: list[Any] = [request.variables, request.extensions]
    for _ in range(max_depth + 1):
        level = [value for value in level if type(value) in _CONTAINERS and value]
        if not level:
            return
        inner: list[Any] = []
        for value in level:
            inner.extend(value.values() if type(value) is dict else value)
        level = inner
    raise _too_deep(max_depth)


def _check_members(body: bytes) -> None:
    """Reject an object with a duplicate member, since a proxy could read the other value. `body` is a JSON object.

    For a duplicate member, the decoder returns the position of the first and the value of the last. So the decoded
    members do not match `body`.
    """
    at = body.index(b"{") + 1
    for value in _members_decoder.decode(body).values():
        name = _NAME.match(body, at)
        if name is None or not body.startswith(value, name.end()):
            raise _duplicate()
        at = name.end() + memoryview(value).nbytes
    if body[at:].strip() != b"}":
        raise _duplicate()


def _not_a_request(error: msgspec.ValidationError, ill_formed: int) -> HttpError:
    message = str(error)
    if " - at `$" not in message:
        return HttpError(
            400,
            "BAD_REQUEST",
            "The body of the request must be one JSON object"
            + (
                "; batches are not supported. Send each request on its own."
                if "`array`" in message
                else f": {message}."
            ),
        )
    return HttpError(ill_formed, "BAD_REQUEST", f"The body is not a GraphQL request: {message}.")


def _too_deep(max_depth: int) -> HttpError:
    return HttpError(
        400,
        "BAD_REQUEST",
        f"Objects and arrays in the request are nested deeper than {max_depth} levels.",
    )


def _duplicate() -> HttpError:
    return HttpError(400, "BAD_REQUEST", "The request repeats a parameter. Send it once.")
