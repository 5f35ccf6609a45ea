"""A request whose very bytes came before is answered by a short way, and as by the long one."""

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

QUERY = "{ articles(first: 3) { nodes { title } } }"
UNBOUNDED = HttpSettings(requests_per_second=0, anonymous_requests_per_second=0)
GIVES = {"graphql-require-preflight": "1"}


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return the statuses of what went the short way."""
    seen: list[int] = []
    send = FastPath._send

    async def noting(self: FastPath, found: Any, *rest: Any) -> None:
        seen.append(found.head.status)
        await send(self, found, *rest)

    monkeypatch.setattr(FastPath, "_send", noting)
    return seen


def post(query: str = QUERY, headers: str = "", **more: Any) -> bytes:
    body = json.dumps({"query": query, **more}).encode()
    head = f"POST /graphql HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n{headers}"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


def get(if_none_match: str = "", *, method: str = "GET") -> bytes:
    query = urlencode({"query": QUERY})
    condition = f"If-None-Match: {if_none_match}\r\n" if if_none_match else ""
    head = f"{method} /graphql?{query} HTTP/1.1\r\nHost: x\r\nGraphQL-Require-Preflight: 1\r\n{condition}"
    return f"{head}\r\n".encode()


class Line:
    """A connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def answer(self, *, has_body: bool = True) -> bytes:
        """Return the next answer, without its date."""
        head = await self.reader.readuntil(b"\r\n\r\n")
        lines = [line for line in head.split(b"\r\n") if not line.startswith(b"date: ")]
        assert len(lines) == len(head.split(b"\r\n")) - 1
        lengths = [int(line[16:]) for line in lines if line.startswith(b"content-length: ")]
        body = await self.reader.readexactly(sum(lengths)) if has_body else b""
        return b"\r\n".join(lines) + body

    async def ask(self, request: bytes, *, has_body: bool = True) -> bytes:
        self.writer.write(request)
        return await self.answer(has_body=has_body)


@asynccontextmanager
async def line(base: str) -> AsyncIterator[Line]:
    reader, writer = await asyncio.open_connection("127.0.0.1", urlsplit(base).port)
    try:
        yield Line(reader, writer)
    finally:
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()


class Sent(NamedTuple):
    status: int
    headers: dict[bytes, bytes]
    body: Any


async def send_to(door: Client, body: object, headers: dict[str, str] | None = None) -> Sent:
    """Send a body as servers do, in one message."""
    content = json.dumps(body).encode()
    given = {"host": "test", "content-type": "application/json"} | (headers or {})
    scope = {
        "type": "http",
        "method": "POST",
        "path": "/graphql",
        "query_string": b"",
        "headers": [(name.encode(), value.encode()) for name, value in given.items()],
        "client": ("192.0.2.1", 1),
    }
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": content, "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    await door.http._transport.app(scope, receive, send)  # type: ignore[attr-defined]
    start, end = sent
    return Sent(start["status"], dict(start["headers"]), json.loads(end["body"]))


async def test_the_answers_are_the_same_to_the_byte(tmp_path: Path, short: list[int]) -> None:
    async with serving(tmp_path / "store", UNBOUNDED) as base, line(base) as wire:
        for request in (post(), get(), post(headers="Origin: https://a.example\r\n")):
            first, *others = [await wire.ask(request) for _ in range(4)]
            assert others == [first] * 3
        tag = next(one[6:] for one in (await wire.ask(get())).split(b"\r\n") if one.startswith(b"etag: "))
        unchanged = [await wire.ask(get(tag.decode())) for _ in range(3)]
        assert unchanged[0].startswith(b"HTTP/1.1 304 ")
        assert unchanged == [unchanged[0]] * 3
        assert 304 in short
        assert short.count(200) >= 6


async def test_a_connection_is_closed_and_requests_may_follow_one_another(
    tmp_path: Path, short: list[int]
) -> None:
    async with serving(tmp_path / "store", UNBOUNDED) as base, line(base) as wire:
        first, *_ = [await wire.ask(post()) for _ in range(3)]
        del short[:]
        wire.writer.write(post() * 5)
        assert [await wire.answer() for _ in range(5)] == [first] * 5
        assert short == [200] * 5
        closing = post(headers="Connection: close\r\n")
        last = []
        for _ in range(3):
            async with line(base) as other:
                last.append(await other.ask(closing))
                assert await other.reader.read() == b""
        assert last == [last[0]] * 3
        assert b"\r\nconnection: close\r\n" in last[0]
        assert len(short) > 5


async def test_a_body_may_come_late_and_in_pieces(tmp_path: Path, short: list[int]) -> None:
    async with serving(tmp_path / "store", UNBOUNDED) as base, line(base) as wire:
        first, *_ = [await wire.ask(post()) for _ in range(3)]
        del short[:]
        for cut in (-1, -20, -len(post()) + 90):
            wire.writer.write(post()[:cut])
            await asyncio.sleep(0.05)
            assert await wire.ask(post()[cut:]) == first
        async with line(base) as gone:
            gone.writer.write(post()[:-5])
            await asyncio.sleep(0.02)
        assert await wire.ask(post()) == first
        assert await wire.ask(get(method="HEAD"), has_body=False) == await wire.ask(
            get(method="HEAD"), has_body=False
        )


async def test_other_bytes_mean_something_else(tmp_path: Path, short: list[int]) -> None:
    async with client(tmp_path / "store", settings=UNBOUNDED) as door:
        for _ in range(3):
            answer = await send_to(door, {"query": "{ a: __typename }"})
            other = await send_to(door, {"query": "{ b: __typename }"})
            strange = await send_to(door, {"query": "{ a: __typename }"}, {"accept": "text/plain"})
            form = await send_to(door, {"query": "{ a: __typename }"}, {"content-type": "text/plain"})
            assert (list(answer.body["data"]), list(other.body["data"])) == (["a"], ["b"])
            assert (strange.status, form.status) == (406, 415)
        assert short == [200, 200]


async def test_what_was_written_is_seen_at_once(tmp_path: Path, short: list[int]) -> None:
    async with client(tmp_path / "store", settings=UNBOUNDED) as door:
        query = {"query": "{ posts(first: 5) { nodes { title } } site { name } }"}
        for number in range(3):
            await door.write(f"Title {number}")
            for _ in range(4):
                answer = await send_to(door, query)
                assert len(answer.body["data"]["posts"]["nodes"]) == number + 1
                assert int(answer.headers[b"ledgerpress-position"]) == door.store.position
        assert len(short) >= 3


async def test_the_door_is_asked_each_time(tmp_path: Path, short: list[int]) -> None:
    async with client(tmp_path / "store", settings=UNBOUNDED) as door:
        query = {"query": "{ viewer { role } }"}
        for somebody in (LOCAL_OPERATOR, ANONYMOUS) * 3:
            with door.acting_as(somebody):
                answer = await send_to(door, query)
                assert answer.body["data"]["viewer"]["role"] == somebody.role.name
        assert not short


async def test_rates_are_kept_to(tmp_path: Path, short: list[int]) -> None:
    four = HttpSettings(anonymous_requests_per_second=0.01, burst_seconds=400.0)
    async with client(tmp_path / "store", settings=four, open_past=True) as door:
        statuses = [(await send_to(door, {"query": QUERY})).status for _ in range(6)]
        assert statuses == [200] * 4 + [429] * 2
        assert short == [200] * 2


async def test_a_document_that_is_forgotten_is_not_known(tmp_path: Path, short: list[int]) -> None:
    few = HttpSettings(
        requests_per_second=0, anonymous_requests_per_second=0, max_persisted_bytes=2 * (len(QUERY) + 200)
    )
    async with client(tmp_path / "store", settings=few) as door:

        def hashed(query: str) -> dict[str, Any]:
            digest = hashlib.sha256(query.encode()).hexdigest()
            return {"extensions": {"persistedQuery": {"version": 1, "sha256Hash": digest}}}

        await send_to(door, {"query": QUERY, **hashed(QUERY)})
        statuses = [(await send_to(door, hashed(QUERY))).status for _ in range(3)]
        for number in range(3):
            other = QUERY.replace("3", str(4 + number))
            await send_to(door, {"query": other, **hashed(other)})
        statuses.append((await send_to(door, hashed(QUERY))).status)
        assert statuses == [200, 200, 200, 404]
        assert short


async def test_what_is_remembered_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fast_path, "MAX_BYTES", 100_000)
    made: list[FastPath] = []
    learn = FastPath.learn

    def noting(self: FastPath, *given: Any) -> None:
        made.append(self)
        learn(self, *given)

    monkeypatch.setattr(FastPath, "learn", noting)
    async with client(tmp_path / "store", settings=UNBOUNDED) as door:
        for number in range(60):
            for _ in range(2):
                one = {"query": "{ __typename }", "variables": {"n": number + 100}}
                await send_to(door, one)
                await door.http.get(
                    "/graphql", params={"query": f"{{ a{number}: __typename }}"}, headers=GIVES
                )
        kept = made[0]._known.values()
        assert 1 < sum(len(one.by_body) for one in kept) < 40
        assert sum(one.size for one in kept) < 130_000


def test_uvicorn_is_of_the_version_that_is_known() -> None:
    assert uvicorn_fast_send._INTERNALS is not None, (
        "check what uvicorn_fast_send uses of uvicorn, and name the new version there"
    )


def test_a_head_with_what_must_not_be_sent_is_left_to_the_server() -> None:
    class Cycle:
        access_log = False
        response_started = False
        keep_alive = True
        default_headers: tuple[tuple[bytes, bytes], ...] = ((b"date", b"today"),)

    assert EncodedHead(200, [(b"a", b"b")]).of(Cycle()) == b"HTTP/1.1 200 OK\r\ndate: today\r\na: b\r\n\r\n"
    for bad in ((b"a", b"b\r\nc: d"), (b"a: b\r\nc", b"d"), (b"connection", b"close")):
        assert EncodedHead(200, [bad]).of(Cycle()) is None
