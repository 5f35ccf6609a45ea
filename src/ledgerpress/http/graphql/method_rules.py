"""What may be asked for by which method, and the statuses of requests that are not executed."""

from typing import Final

from graphql import GraphQLSyntaxError, OperationType

from ledgerpress.graphql.documents import Documents, RequestError
from ledgerpress.graphql.request_context import note_operation
from ledgerpress.http.errors import HttpError


def status_if_not_executed(
    documents: Documents, text: str, name: str | None, *, safe: bool, unprocessable: int
) -> int:
    """Return the status for a request in case that it turns out not to be executed.

    With `safe`, the method is one that changes nothing. Raises `HttpError` for an operation that is for another method
    or protocol.
    """
    try:
        operation = documents.operation(text, name)
    except RequestError as refusal:
        return 400 if isinstance(refusal.errors[0], GraphQLSyntaxError) else unprocessable
    note_operation(operation)
    kind = operation.type
    if kind is OperationType.QUERY:
        return unprocessable
    if kind is OperationType.SUBSCRIPTION:
        raise HttpError(
            unprocessable,
            "SUBSCRIPTION_OVER_HTTP",
            "Subscriptions are served over WebSocket (graphql-transport-ws), and as text/event-stream.",
        )
    if safe:
        raise HttpError(
            405, "METHOD_NOT_ALLOWED", "GET is for queries alone: send a mutation by POST.", ALLOW_POST
        )
    return unprocessable


ALLOW_POST: Final = (b"allow", b"POST")
