"""A GraphQL client on one keep-alive connection that records exactly what it receives."""

import asyncio
import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final, Self

ANSWER_SECONDS: Final = 60.0

SELECTIONS: Final = {
    "post": "post { id version slug title status categories { id } }",
    "category": "category { id slug name parent { id } }",
    "author": "author { id name }",
}


class ConnectionLost(Exception):
    """The server closed the connection before it had sent a complete response."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of a mutation. `seen_at` is the position of the views from which the response was read."""

    position: int | None
    replayed: bool
    views_behind: bool
    errors: tuple[dict[str, Any], ...]
    object: dict[str, Any] | None
    seen_at: int

    @property
    def code(self) -> str | None:
        """The code of the first error, or `None` if the mutation succeeded."""
        return self.errors[0]["code"] if self.errors else None

    @property
    def done(self) -> dict[str, Any]:
        """The object after the mutation. Fails unless the mutation succeeded and its effect is visible."""
        assert not self.errors, self.errors
        assert not self.views_behind
        assert self.object is not None
        return self.object


class Client:
    """One connection, with one request at a time. Raises `ConnectionLost` if the server closes the connection."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, authorization: str | None = None
    ) -> None:
        self._reader = reader
        self._writer = writer
        self.authorization = authorization
        self.is_ended = False
        """Whether the last response has announced that the server closes the connection."""

    @classmethod
    async def connect(cls, host: str, port: int, authorization: str | None = None) -> "Client":
        """Open a connection; its requests have `authorization` in the Authorization header."""
        try:
            return cls(*await asyncio.open_connection(host, port), authorization)
        except OSError as error:
            raise ConnectionLost from error

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connection."""
        self._writer.close()
        with suppress(OSError):
            await self._writer.wait_closed()

    @property
    def address(self) -> tuple[str, int]:
        """The address of this end of the connection."""
        host, port = self._writer.get_extra_info("sockname")[:2]
        return host, port

    async def mutate(self, name: str, /, **input: Any) -> Outcome:
        """Run a mutation by its name, such as `postEdit`, with the fields of its input."""
        kind = next(kind for kind in SELECTIONS if name.startswith(kind))
        query = (
            f"mutation ($input: {name[0].upper()}{name[1:]}Input!) {{ outcome: {name}(input: $input) {{"
            f" position replayed viewsBehind userErrors {{ code field message currentVersion }} {SELECTIONS[kind]}"
            " } }"
        )
        data, seen_at = await self.execute(query, input=input)
        payload = data["outcome"]
        return Outcome(
            position=payload["position"],
            replayed=payload["replayed"],
            views_behind=payload["viewsBehind"],
            errors=tuple(payload["userErrors"]),
            object=payload[kind],
            seen_at=seen_at,
        )

    async def execute(
        self, query: str, *, min_position: int | None = None, **variables: Any
    ) -> tuple[dict[str, Any], int]:
        """Return the data of the response, which must have no errors, and the position of the views it was read from."""
        extensions = None if min_position is None else {"minPosition": min_position}
        status, headers, body = await self._post(query, variables, extensions)
        assert status == 200, body
        assert "errors" not in body, body["errors"]
        data: dict[str, Any] = body["data"]
        return data, int(headers["ledgerpress-position"])

    async def answer(self, query: str, **variables: Any) -> tuple[int, dict[str, Any]]:
        """Return the status and the complete body of the response."""
        status, _, body = await self._post(query, variables)
        return status, body

    async def _post(
        self, query: str, variables: dict[str, Any], extensions: dict[str, Any] | None = None
    ) -> tuple[int, dict[str, str], dict[str, Any]]:
        body = json.dumps({"query": query, "variables": variables, "extensions": extensions}).encode()
        status, headers, response = await self._ask("POST", "/graphql", body)
        return status, headers, json.loads(response)

    async def get(self, path: str) -> int:
        """Return the status of the response to a GET request."""
        status, _, _ = await self._ask("GET", path, b"")
        return status

    async def fetch(self, path: str) -> bytes:
        """Return the body of the response to a GET request, whatever its status."""
        _, _, body = await self._ask("GET", path, b"")
        return body

    async def send_part_of_a_request(self) -> None:
        """Send the head of a request but not its body."""
        self._writer.write(_head("POST", "/graphql", 1_000))
        await self._writer.drain()

    async def _ask(self, method: str, path: str, body: bytes) -> tuple[int, dict[str, str], bytes]:
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                self._writer.write(_head(method, path, len(body), self.authorization) + body)
                await self._writer.drain()
                start, *lines = (await self._reader.readuntil(b"\r\n\r\n")).decode("ascii").splitlines()
                headers = dict(_header(line) for line in lines if line)
                self.is_ended = headers.get("connection") == "close"
                return int(start.split()[1]), headers, await self._body(int(headers["content-length"]))
        except (OSError, asyncio.IncompleteReadError) as error:
            if isinstance(error, TimeoutError):
                raise
            raise ConnectionLost from error

    async def _body(self, length: int) -> bytes:
        return await self._reader.readexactly(length)


async def close_all(clients: Sequence[Client]) -> None:
    """Close many connections."""
    await asyncio.gather(*(client.aclose() for client in clients))


def _head(method: str, path: str, length: int, authorization: str | None = None) -> bytes:
    lines = (
        f"{method} {path} HTTP/1.1",
        "Host: localhost",
        "Content-Type: application/json",
        f"Content-Length: {length}",
        *(() if authorization is None else (f"Authorization: {authorization}",)),
    )
    return "\r\n".join((*lines, "", "")).encode("ascii")


def _header(line: str) -> tuple[str, str]:
    name, _, value = line.partition(":")
    return name.lower(), value.strip()
