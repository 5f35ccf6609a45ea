"""Read, check and write the messages of graphql-transport-ws (PROTOCOL.md of npm's graphql-ws)."""

from typing import Any, Final, NamedTuple

import msgspec

from ledgerpress.grapheme_clusters import cut_to_bytes
from ledgerpress.graphql.limits import lone_surrogates
from ledgerpress.graphql.subscriptions.result_messages import to_json
from ledgerpress.http.requests.graphql_request import GraphQLRequest
from ledgerpress.http.streaming.connection_operation_runner import MAX_ID_CHARACTERS

SUBPROTOCOL: Final = "graphql-transport-ws"
MAX_REASON_BYTES: Final = 123
"""The longest reason that a close frame can contain (RFC 6455, 5.5)."""

_OF_CONNECTIONS: Final = frozenset({"connection_init", "ping", "pong"})


class Closing(Exception):
    """Raised to close the socket, with the code and the reason for the close frame."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = cut_to_bytes(reason, MAX_REASON_BYTES)


class Message(NamedTuple):
    """A well-formed message from a client."""

    type: str
    id: str = ""
    payload: dict[str, Any] | None = None
    subscribe: GraphQLRequest | None = None


def read(text: str) -> Message:
    """Return the message in `text`. Raises `Closing` with 4400 for an invalid message."""
    try:
        message = msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        if surrogate := lone_surrogates.in_json(text):
            raise _invalid(surrogate.message) from None
        raise _invalid("The message is not JSON.") from None
    if not isinstance(message, dict):
        raise _invalid("The message must be a JSON object.")
    type_, payload = message.get("type"), message.get("payload")
    if type_ in _OF_CONNECTIONS:
        if payload is not None and not isinstance(payload, dict):
            raise _invalid(f"The payload of {type_} must be an object, null or absent.")
        return Message(type_, payload=payload)
    if type_ == "subscribe":
        id_ = _id(message)
        return Message(type_, id=id_, subscribe=_subscribe(payload))
    if type_ == "complete":
        return Message(type_, id=_id(message))
    raise _invalid("The message needs a type that clients may send.")


def pong(payload: dict[str, Any] | None) -> str:
    """Return the response to a ping, with its payload."""
    return to_json({"type": "pong", "payload": payload} if payload else {"type": "pong"})


def next_beginning(id_: str) -> str:
    """Return the part of a message with a result that depends on the id of its operation."""
    return f'{{"id":{to_json(id_)}'


def next_rest(payload: str) -> str:
    """Return the part of a message with a result that follows `next_beginning()`. `payload` is JSON."""
    return f',"type":"next","payload":{payload}}}'


def error(id_: str, errors: list[dict[str, Any]]) -> str:
    """Return the message that ends an operation with errors."""
    return to_json({"id": id_, "type": "error", "payload": errors})


def complete(id_: str) -> str:
    """Return the message that ends an operation."""
    return to_json({"id": id_, "type": "complete"})


def _id(message: dict[str, Any]) -> str:
    id_ = message.get("id")
    if not isinstance(id_, str) or not id_:
        raise _invalid("The id of an operation must be a string that is not empty.")
    if len(id_) > MAX_ID_CHARACTERS:
        raise _invalid(f"The id of an operation must have at most {MAX_ID_CHARACTERS} characters.")
    return id_


def _subscribe(payload: object) -> GraphQLRequest:
    if not isinstance(payload, dict) or not isinstance(query := payload.get("query"), str):
        raise _invalid("The payload of subscribe must be an object whose query is a string.")
    variables, extensions = payload.get("variables"), payload.get("extensions")
    name = payload.get("operationName")
    if name is not None and not isinstance(name, str):
        raise _invalid("operationName must be a string, null or absent.")
    for member, value in (("variables", variables), ("extensions", extensions)):
        if value is not None and not isinstance(value, dict):
            raise _invalid(f"{member} must be an object, null or absent.")
    return GraphQLRequest(
        query=query or None, variables=variables, operation_name=name, extensions=extensions
    )


def _invalid(reason: str) -> Closing:
    return Closing(4400, reason)
