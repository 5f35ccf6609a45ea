"""The messages of graphql-transport-ws (PROTOCOL.md of npm's graphql-ws): read, checked and written."""

from typing import Any, Final, NamedTuple

import msgspec

from ledgerpress.graphql.subscriptions.messages import to_json
from ledgerpress.http.graphql.request_parsing import GraphQLRequest
from ledgerpress.http.streaming.connection_operations import LONGEST_ID

SUBPROTOCOL: Final = "graphql-transport-ws"
MAX_REASON_BYTES: Final = 123
"""The longest reason that a close frame holds (RFC 6455, 5.5)."""

_OF_CONNECTIONS: Final = frozenset({"connection_init", "ping", "pong"})


class Closing(Exception):
    """The socket is to be closed, with a code of the protocol's and the reason."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason.encode()[:MAX_REASON_BYTES].decode(errors="ignore")


class Message(NamedTuple):
    """A message of a client's, found to be well-formed."""

    type: str
    id: str = ""
    payload: dict[str, Any] | None = None
    subscribe: GraphQLRequest | None = None


def read(text: str) -> Message:
    """Return the message that `text` holds. Raises `Closing` with 4400 for what the protocol does not know."""
    try:
        found = msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        raise _invalid("The message is not JSON.") from None
    if not isinstance(found, dict):
        raise _invalid("A message is a JSON object.")
    type_, payload = found.get("type"), found.get("payload")
    if type_ in _OF_CONNECTIONS:
        if payload is not None and not isinstance(payload, dict):
            raise _invalid(f"The payload of {type_} is an object, null, or absent.")
        return Message(type_, payload=payload)
    if type_ == "subscribe":
        id_ = _id(found)
        return Message(type_, id=id_, subscribe=_subscribe(payload))
    if type_ == "complete":
        return Message(type_, id=_id(found))
    raise _invalid("The message has no type that a client may send.")


def pong(payload: dict[str, Any] | None) -> str:
    """Return the answer to a ping, with what that brought."""
    return to_json({"type": "pong", "payload": payload} if payload else {"type": "pong"})


def next_message(id_: str, payload: str) -> str:
    """Return the message that brings a result, which is JSON already."""
    return f'{{"id":{to_json(id_)},"type":"next","payload":{payload}}}'


def error(id_: str, errors: list[dict[str, Any]]) -> str:
    """Return the message that ends an operation with errors."""
    return to_json({"id": id_, "type": "error", "payload": errors})


def complete(id_: str) -> str:
    """Return the message that ends an operation."""
    return to_json({"id": id_, "type": "complete"})


def _id(found: dict[str, Any]) -> str:
    id_ = found.get("id")
    if not isinstance(id_, str) or not id_:
        raise _invalid("The id of an operation is a string that is not empty.")
    if len(id_) > LONGEST_ID:
        raise _invalid(f"The id of an operation has at most {LONGEST_ID} characters.")
    return id_


def _subscribe(payload: object) -> GraphQLRequest:
    if not isinstance(payload, dict) or not isinstance(query := payload.get("query"), str):
        raise _invalid("The payload of subscribe is an object with a query, a string.")
    variables, extensions = payload.get("variables"), payload.get("extensions")
    name = payload.get("operationName")
    if name is not None and not isinstance(name, str):
        raise _invalid("The operationName is a string, null, or absent.")
    for called, value in (("variables", variables), ("extensions", extensions)):
        if value is not None and not isinstance(value, dict):
            raise _invalid(f"The {called} are an object, null, or absent.")
    return GraphQLRequest(
        query=query or None, variables=variables, operation_name=name, extensions=extensions
    )


def _invalid(reason: str) -> Closing:
    return Closing(4400, reason)
