"""The mark of a request that may be answered in the same way when the same bytes are sent again."""

from collections.abc import Hashable
from typing import Final, NamedTuple

from ledgerpress.commands.roles_and_permissions import Identity
from ledgerpress.graphql.documents import Operation
from ledgerpress.graphql.results import EncodedResult
from ledgerpress.http.requests.graphql_request import GraphQLRequest

NOTE: Final = "ledgerpress.repeatable"
"""The key of the mark in the ASGI scope."""


class RepeatableRequest(NamedTuple):
    """A request that was answered by the cached result of `key`.

    `named` is the request if it names its document by a hash, which may become unknown.
    """

    body: bytes
    key: Hashable
    result: EncodedResult
    identity: Identity
    operation: Operation
    named: GraphQLRequest | None
