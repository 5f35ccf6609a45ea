"""GraphQL over HTTP, by the GraphQL-over-HTTP draft specification: POST of JSON, answers as JSON."""

import json
from typing import Any, Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from ledgerpress.application.access import Door, Unauthenticated
from ledgerpress.graphql.answers import Answers
from ledgerpress.graphql.kept_answers import KeptStore

POSITION_HEADER: Final = "LedgerPress-Position"
MAX_BODY_BYTES: Final = 1_000_000
_GRAPHQL_RESPONSE: Final = "application/graphql-response+json"


class GraphQLRequest(msgspec.Struct, rename="camel"):
    """The JSON of a request (section 5.1 of the draft)."""

    query: str
    variables: dict[str, Any] | None = None
    operation_name: str | None = None
    extensions: dict[str, Any] | None = None


_decoder = msgspec.json.Decoder(GraphQLRequest)


class GraphQLEndpoint:
    """Answers POST requests on one store."""

    def __init__(self, answers: Answers, store: KeptStore, door: Door, *, open_past: bool = False) -> None:
        self._answers = answers
        self._store = store
        self._door = door
        self._open_past = open_past

    async def __call__(self, request: Request) -> Response:
        """Return the response to a request."""
        media_type, _, _ = request.headers.get("content-type", "").partition(";")
        if media_type.strip().lower() != "application/json":
            return _refusal(415, "Send the request as application/json.")
        body = await _read(request)
        if body is None:
            return _refusal(413, f"The request is larger than {MAX_BODY_BYTES:,} bytes.")
        try:
            asked = _decoder.decode(body)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            return _refusal(400, f"The request is not a GraphQL request in JSON: {error}.")
        try:
            identity = await self._door.identify(request.headers.get("authorization"))
        except Unauthenticated as error:
            return _refusal(401, str(error))
        answer = await self._answers.answer(
            self._store,
            asked.query,
            variables=asked.variables,
            operation_name=asked.operation_name,
            identity=identity,
            open_past=self._open_past,
        )
        accepts = request.headers.get("accept", "")
        media_type = _GRAPHQL_RESPONSE if _GRAPHQL_RESPONSE in accepts else "application/json"
        return Response(
            answer.body,
            status_code=200 if answer.executed or media_type == "application/json" else 400,
            media_type=f"{media_type}; charset=utf-8",
            headers={POSITION_HEADER: str(answer.position), "Vary": "Accept"},
        )


def _refusal(status: int, message: str) -> Response:
    body = json.dumps({"errors": [{"message": message}]})
    return Response(body, status_code=status, media_type="application/json; charset=utf-8")


async def _read(request: Request) -> bytes | None:
    """Return the body of a request, or `None` where it is too large."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            return None
    return bytes(body)
