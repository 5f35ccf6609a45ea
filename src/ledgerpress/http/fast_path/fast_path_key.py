"""What the endpoint notes of a request that may be answered in the same way when its very bytes come again."""

from collections.abc import Hashable
from typing import Final, NamedTuple

from starlette.types import Scope

from ledgerpress.commands.identity import Identity
from ledgerpress.graphql.response_cache import EncodedResponse
from ledgerpress.http.graphql.request_parsing import GraphQLRequest

NOTE: Final = "ledgerpress.repeatable"
"""Where in the scope it is noted."""


class FastPathKey(NamedTuple):
    """That a request, if it comes again, is to be answered by what is kept under `key`, as it is answered now.

    `named` is the request where it names its document by a hash, which may be forgotten.
    """

    body: bytes
    key: Hashable
    ready: EncodedResponse
    identity: Identity
    text: str
    named: GraphQLRequest | None


def note_fast_path_key(scope: Scope, repeatable: FastPathKey) -> None:
    """Note that the request is answered by what was kept, and by nothing that its bytes do not tell."""
    scope[NOTE] = repeatable
