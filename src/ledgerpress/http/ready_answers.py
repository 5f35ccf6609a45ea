"""An answer as bytes that are ready to be sent."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from ledgerpress.application.access import Identity
from ledgerpress.graphql.context import Store
from ledgerpress.graphql.engine import Engine


@dataclass(frozen=True, slots=True)
class Ready:
    """A response in JSON, read at `position`. `expires_at`, in microseconds since 1970, is when the clock changes it."""

    body: bytes
    position: int
    executed: bool
    etag: str | None = None
    expires_at: int | None = None


class Answers:
    """Has requests executed, and their answers made bytes."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def execute(
        self,
        store: Store,
        query: str,
        *,
        variables: Mapping[str, Any] | None = None,
        operation_name: str | None = None,
        identity: Identity,
        open_past: bool = False,
    ) -> Ready:
        """Execute a request."""
        answer = await self._engine.execute(
            store,
            query,
            variables=variables,
            operation_name=operation_name,
            identity=identity,
            open_past=open_past,
        )
        return Ready(_encode(answer.body), answer.position, answer.executed)


def _encode(body: dict[str, Any]) -> bytes:
    try:
        return msgspec.json.encode(body, enc_hook=str)
    except UnicodeEncodeError:  # an error message may quote what a client sent, and that need not be Unicode
        return json.dumps(body, default=str).encode("ascii")
