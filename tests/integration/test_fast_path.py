"""A repeated request with the same bytes takes the fast path and gets the same response as on the normal path."""

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlencode, urlsplit

import pytest

from ledgerpress.commands.client_identity import ANONYMOUS, LOCAL_OPERATOR
from ledgerpress.http.fast_path import fast_path, uvicorn_fast_send
from ledgerpress.http.fast_path.fast_path import FastPath
from ledgerpress.http.fast_path.uvicorn_fast_send import EncodedHead
from ledgerpress.http.graphql_over_http_settings import HttpSettings
from tests.conformance.serving import serving
from tests.integration.graphql_client import Client, client

pytestmark = pytest.mark.usefixtures("workers")

QUERY = "{ articles(first: 3) { nodes { title } } }"
UNBOUNDED = HttpSettings(requests_per_second=0, anonymous_requests_per_second=0)
PREFLIGHT_HEADERS = {"graphql-require-preflight": "1"}


@pytest.fixture
def fast_statuses(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The statuses of the responses that took the fast path."""
    statuses: list[int] = []
    send = FastPath._send

    async def record(self: FastPath, known: Any, *rest: Any) -> None:
        statuses.append(known.head.status)
        await send(self, known, *rest)

    monkeypatch.setattr(FastPath, "_send", record)
    return statuses


def post(query: str = QUERY, headers: str = "", **more: Any) -> bytes:
    body = json.dumps({"query": query, **more}).encode()
    head = f"POST /graphql HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n{headers}"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


def get(if_none_match: str = "", *, method: str = "GET") -> bytes:
    query = urlencode({"query": QUERY})
    condition = f"If-None-Match: {if_none_match}\r\n" if if_none_match else ""
    head = f"{method} /graphql?{query} HTTP/1.1\r\nHost: x\r\nGraphQL-Require-Preflight: 1\r\n{condition}"
    return f"{head}\r\n".encode()


class Connection:
    """A connection to the server."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def receive(self, *, has_body: bool = True) -> bytes:
        """Return the next response, without its `date` header."""
        head = await self.reader.readuntil(b"\r\n\r\n")
        lines = [line for line in head.split(b"\r\n") if not line.startswith(b"date: ")]
        assert len(lines) == len(head.split(b"\r\n")) - 1
        lengths = [int(line[16:]) for line in lines if line.startswith(b"content-length: ")]
        body = await self.reader.readexactly(sum(lengths)) if has_body else b""
        return b"\r\n".join(lines) + body

    async def ask(self, request: bytes, *, has_body: bool = True) -> bytes:
        self.writer.write(request)
        return await self.receive(has_body=has_body)


@asynccontextmanager
async def connect(base: str) -> AsyncIterator[Connection]:
    reader, writer = await asyncio.open_connection("127.0.0.1", urlsplit(base).port)
    try:
        yield Connection(reader, writer)
    finally:
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()


class Response(NamedTuple):
    status: int
    headers: dict[bytes, bytes]
    body: Any


async def send_to(api: Client, body: object, headers: dict[str, str] | None = None) -> Response:
    """Send a body in one ASGI message, as servers do."""
    content = json.dumps(body).encode()
    all_headers = {"host": "test", "content-type": "application/json"} | (headers or {})
    scope = {
        "type": "http",
        "method": "POST",
        "path": "/graphql",
        "query_string": b"",
        "headers": [(name.encode(), value.encode()) for name, value in all_headers.items()],
        "client": ("192.0.2.1", 1),
    }
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": content, "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    await api.http._transport.app(scope, receive, send)  # type: ignore[attr-defined]
    start, end = sent
    return Response(start["status"], dict(start["headers"]), json.loads(end["body"]))


@pytest.mark.one_worker
async def test_responses_are_the_same_byte_for_byte(tmp_path: Path, fast_statuses: list[int]) -> None:
    async with serving(tmp_path / "store", UNBOUNDED) as base, connect(base) as wire:
        for request in (post(), get(), post(headers="Origin: https://a.example\r\n")):
            first, *others = [await wire.ask(request) for _ in range(4)]
            assert others == [first] * 3
        tag = next(line[6:] for line in (await wire.ask(get())).split(b"\r\n") if line.startswith(b"etag: "))
        unchanged = [await wire.ask(get(tag.decode())) for _ in range(3)]
        assert unchanged[0].startswith(b"HTTP/1.1 304 ")
        assert unchanged == [unchanged[0]] * 3
        assert 304 in fast_statuses
        assert fast_statuses.count(200) >= 6


@pytest.mark.one_worker
async def test_connections_can_be_closed_and_requests_can_be_pipelined(
    tmp_path: Path, fast_statuses: list[int]
) -> None:
    async with serving(tmp_path / "store", UNBOUNDED) as base, connect(base) as wire:
        first, *_ = [await wire.ask(post()) for _ in range(3)]
        del fast_statuses[:]
        wire.writer.write(post() * 5)
        assert [await wire.receive() for _ in range(5)] == [first] * 5
        assert fast_statuses == [200] * 5
        closing = post(headers="Connection: close\r\n")
        last = []
        for _ in range(3):
            async with connect(base) as other:
                last.append(await other.ask(closing))
                assert await other.reader.read() == b""
        assert last == [last[0]] * 3
        assert b"\r\nconnection: close\r\n" in last[0]
        assert len(fast_statuses) > 5


async def test_a_body_may_arrive_late_and_in_pieces(tmp_path: Path, fast_statuses: list[int]) -> None:
    async with serving(tmp_path / "store", UNBOUNDED) as base, connect(base) as wire:
        first, *_ = [await wire.ask(post()) for _ in range(3)]
        del fast_statuses[:]
        for cut in (-1, -20, -len(post()) + 90):
            wire.writer.write(post()[:cut])
            await asyncio.sleep(0.05)
            assert await wire.ask(post()[cut:]) == first
        async with connect(base) as aborted:
            aborted.writer.write(post()[:-5])
            await asyncio.sleep(0.02)
        assert await wire.ask(post()) == first
        assert await wire.ask(get(method="HEAD"), has_body=False) == await wire.ask(
            get(method="HEAD"), has_body=False
        )


async def test_requests_with_other_bytes_get_their_own_responses(
    tmp_path: Path, fast_statuses: list[int]
) -> None:
    async with client(tmp_path / "store", settings=UNBOUNDED) as api:
        for _ in range(3):
            response = await send_to(api, {"query": "{ a: __typename }"})
            other = await send_to(api, {"query": "{ b: __typename }"})
            not_acceptable = await send_to(api, {"query": "{ a: __typename }"}, {"accept": "text/plain"})
            unsupported = await send_to(api, {"query": "{ a: __typename }"}, {"content-type": "text/plain"})
            assert (list(response.body["data"]), list(other.body["data"])) == (["a"], ["b"])
            assert (not_acceptable.status, unsupported.status) == (406, 415)
        assert fast_statuses == [200, 200]


@pytest.mark.one_worker
async def test_writes_are_visible_immediately(tmp_path: Path, fast_statuses: list[int]) -> None:
    async with client(tmp_path / "store", settings=UNBOUNDED) as api:
        query = {"query": "{ posts(first: 5) { nodes { title } } site { name } }"}
        for number in range(3):
            await api.write(f"Title {number}")
            for _ in range(4):
                response = await send_to(api, query)
                assert len(response.body["data"]["posts"]["nodes"]) == number + 1
                assert int(response.headers[b"ledgerpress-position"]) == api.store.position
        assert len(fast_statuses) >= 3


async def test_every_request_is_authenticated(tmp_path: Path, fast_statuses: list[int]) -> None:
    async with client(tmp_path / "store", settings=UNBOUNDED) as api:
        query = {"query": "{ viewer { role } }"}
        for identity in (LOCAL_OPERATOR, ANONYMOUS) * 3:
            with api.acting_as(identity):
                response = await send_to(api, query)
                assert response.body["data"]["viewer"]["role"] == identity.role.name
        assert not fast_statuses


@pytest.mark.one_worker
async def test_rate_limits_apply(tmp_path: Path, fast_statuses: list[int]) -> None:
    settings = HttpSettings(anonymous_requests_per_second=0.01, burst_seconds=400.0)
    async with client(tmp_path / "store", settings=settings, open_past=True) as api:
        statuses = [(await send_to(api, {"query": QUERY})).status for _ in range(6)]
        assert statuses == [200] * 4 + [429] * 2
        assert fast_statuses == [200] * 2


@pytest.mark.one_worker
async def test_a_forgotten_document_is_unknown(tmp_path: Path, fast_statuses: list[int]) -> None:
    settings = HttpSettings(
        requests_per_second=0, anonymous_requests_per_second=0, max_persisted_bytes=2 * (len(QUERY) + 200)
    )
    async with client(tmp_path / "store", settings=settings) as api:

        def hashed(query: str) -> dict[str, Any]:
            digest = hashlib.sha256(query.encode()).hexdigest()
            return {"extensions": {"persistedQuery": {"version": 1, "sha256Hash": digest}}}

        await send_to(api, {"query": QUERY, **hashed(QUERY)})
        statuses = [(await send_to(api, hashed(QUERY))).status for _ in range(3)]
        for number in range(3):
            other = QUERY.replace("3", str(4 + number))
            await send_to(api, {"query": other, **hashed(other)})
        statuses.append((await send_to(api, hashed(QUERY))).status)
        assert statuses == [200, 200, 200, 404]
        assert fast_statuses


@pytest.mark.one_worker
async def test_the_memory_for_known_requests_is_bounded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fast_path, "MAX_BYTES", 100_000)
    fast_paths: list[FastPath] = []
    learn = FastPath.learn

    def record(self: FastPath, *arguments: Any) -> None:
        fast_paths.append(self)
        learn(self, *arguments)

    monkeypatch.setattr(FastPath, "learn", record)
    async with client(tmp_path / "store", settings=UNBOUNDED) as api:
        for number in range(60):
            for _ in range(2):
                request = {"query": "{ __typename }", "variables": {"n": number + 100}}
                await send_to(api, request)
                await api.http.get(
                    "/graphql", params={"query": f"{{ a{number}: __typename }}"}, headers=PREFLIGHT_HEADERS
                )
        known = fast_paths[0]._known.values()
        assert 1 < sum(len(bodies.by_body) for bodies in known) < 40
        assert sum(bodies.size for bodies in known) < 130_000


def test_the_version_of_uvicorn_is_supported() -> None:
    assert uvicorn_fast_send._INTERNALS is not None, (
        "check which internals of uvicorn uvicorn_fast_send uses, and add the new version there"
    )


def test_a_head_that_is_unsafe_to_encode_is_left_to_uvicorn() -> None:
    class Cycle:
        access_log = False
        response_started = False
        keep_alive = True
        default_headers: tuple[tuple[bytes, bytes], ...] = ((b"date", b"today"),)

    assert EncodedHead(200, [(b"a", b"b")]).of(Cycle()) == b"HTTP/1.1 200 OK\r\ndate: today\r\na: b\r\n\r\n"
    for bad in ((b"a", b"b\r\nc: d"), (b"a: b\r\nc", b"d"), (b"connection", b"close")):
        assert EncodedHead(200, [bad]).of(Cycle()) is None
