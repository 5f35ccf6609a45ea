"""Messages to subscribers: an event as JSON text, or the end of the subscription."""

import json
from dataclasses import dataclass
from typing import Any

import msgspec
from graphql import ExecutionResult, GraphQLError

from ledgerpress.graphql.errors import client_errors

_encoder = msgspec.json.Encoder(enc_hook=str)


@dataclass(slots=True, eq=False)
class ResultMessage:
    """An event. `payload` is the response as JSON.

    `state` is the payload without its extensions, if the event is a state: equal states have equal texts. Transports
    cache what they send for the event in `frame`, with the kind of subscriber for which it can be reused.
    """

    position: int
    payload: str
    state: str | None = None
    frame: tuple[object, Any] | None = None


class SubscriptionEnded(Exception):
    """The subscription has ended: with errors, or without errors if no further event is possible.

    `position` is the position after which to resume: everything up to it has been sent.
    """

    def __init__(self, errors: list[dict[str, Any]], position: int | None = None) -> None:
        super().__init__(errors)
        self.errors = errors
        self.position = position


def message_of(result: ExecutionResult, position: int, *, is_state: bool) -> ResultMessage:
    """Return the message of an event: a response as in section 7 of the specification."""
    parts: dict[str, Any] = {"data": result.data}
    if result.errors:
        parts = {"errors": client_errors(result.errors, suggestions=False), **parts}
    text = to_json(parts)[:-1]
    extensions = to_json({**(result.extensions or {}), "position": position})
    payload = f'{text},"extensions":{extensions}}}'
    return ResultMessage(position, payload, text if is_state else None)


def failed(result: ExecutionResult) -> SubscriptionEnded:
    """Return the end of a subscription that cannot be executed."""
    return SubscriptionEnded(client_errors(result.errors or (), suggestions=False))


def rejected(message: str, code: str) -> SubscriptionEnded:
    """Return the end of a subscription that is not allowed to begin."""
    return SubscriptionEnded([{"message": message, "extensions": {"code": code}}])


def interrupted(message: str, code: str, position: int) -> SubscriptionEnded:
    """Return the end of a subscription that can be resumed."""
    error = GraphQLError(message, extensions={"code": code, "position": position})
    return SubscriptionEnded([dict(error.formatted)], position)


def to_json(value: Any) -> str:
    """Return `value` as JSON text. A message may quote client input that is not valid Unicode."""
    try:
        return _encoder.encode(value).decode()
    except UnicodeEncodeError:
        return json.dumps(value, default=str, separators=(",", ":"))
