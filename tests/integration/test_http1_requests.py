"""Requests of HTTP/1.1 in rare forms: absolute targets, transfer codings and Host headers (RFC 9112 and 9110)."""

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.integration.server_process import EVERYONE_IS_ADMIN, Server, Servers
from tests.integration.test_upgrade_requests import DATA, QUERY, connected, response


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Server]:
    async with Servers(tmp_path, EVERYONE_IS_ADMIN) as servers:
        yield await servers.start(tmp_path / "data")


async def answered(server: Server, line: str, *headers: str, body: bytes = b"") -> tuple[int, bytes]:
    """Send a request, and return the status and the body of the response."""
    head = "\r\n".join([f"{line} HTTP/1.1", *headers, "", ""]).encode("latin-1")
    async with connected(server) as (reader, writer):
        writer.write(head + body)
        return await response(reader)


async def test_a_target_in_absolute_form_leads_to_the_same_page(server: Server) -> None:
    for target, status in {
        "http://localhost/health/live": 200,
        "HTTP://LOCALHOST:80/health/live": 200,
        "https://localhost/health/live": 200,
        "http://127.0.0.1:8000/": 200,
        "http://localhost": 200,
        "http://localhost?utm_source=news": 200,
        "http://localhost/articles/none": 404,
    }.items():
        answer = await answered(server, f"GET {target}", "Host: localhost")
        assert (target, answer[0]) == (target, status)


async def test_the_host_of_a_target_in_absolute_form_counts(server: Server) -> None:
    for target, host, status in (
        ("http://localhost/", "evil.example", 200),
        ("http://evil.example/", "localhost", 400),
        ("http://evil.example:80", "localhost", 400),
        ("http://localhost:abc/", "localhost", 400),
        ("http://user@localhost/", "localhost", 400),
        ("ftp://localhost/", "localhost", 400),
        ("http:///", "localhost", 400),
    ):
        answer = await answered(server, f"GET {target}", f"Host: {host}")
        assert (target, answer[0]) == (target, status)


async def test_a_target_in_absolute_form_still_needs_one_host_header(server: Server) -> None:
    assert (await answered(server, "GET http://localhost/"))[0] == 400
    assert (await answered(server, "GET http://localhost/", "Host: localhost", "Host: localhost"))[0] == 400


async def test_an_operation_is_executed_at_a_target_in_absolute_form(server: Server) -> None:
    headers = ("Host: localhost", "Content-Type: application/json", f"Content-Length: {len(QUERY)}")
    for upgrade in ((), ("Connection: Upgrade", "Upgrade: h2c")):
        answer = await answered(server, "POST http://localhost/graphql", *headers, *upgrade, body=QUERY)
        assert (answer[0], answer[1].startswith(DATA)) == (200, True)


async def test_a_transfer_coding_that_is_not_supported_is_not_implemented(server: Server) -> None:
    chunks = b"%x\r\n%b\r\n0\r\n\r\n" % (len(QUERY), QUERY)
    for codings, status in (
        (["chunked"], 200),
        (["Chunked"], 200),
        (["gzip, chunked"], 501),
        (["x-own,chunked"], 501),
        (["deflate", "chunked"], 501),
        (["gzip"], 400),  # the length of the body cannot be known
        (["chunked, gzip"], 400),
        (["chunked, chunked"], 400),
        (["identity"], 400),
    ):
        headers = ["Host: localhost", "Content-Type: application/json"]
        headers += [f"Transfer-Encoding: {coding}" for coding in codings]
        answer = await answered(server, "POST /graphql", *headers, body=chunks)
        assert (codings, answer[0]) == (codings, status)


async def test_a_request_after_others_on_a_connection_can_be_rejected(server: Server) -> None:
    async with connected(server) as (reader, writer):
        for line in ("GET /health/live", "GET http://localhost/health/live"):
            writer.write(f"{line} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
            assert (await response(reader))[0] == 200
        head = "POST /graphql HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: gzip, chunked\r\n\r\n"
        writer.write(f"{head}0\r\n\r\n".encode())
        assert (await response(reader))[0] == 501
        assert await reader.read() == b""


async def test_a_host_header_that_is_not_a_host_is_rejected_on_every_path(server: Server) -> None:
    for host in (
        *("127.0.0.1:abc", "127.0.0.1:-1", "127.0.0.1:80:1", "user@localhost", "localhost/x", "[::1", "a, b"),
        *("localhost:8\xb9", "%zz", "http://localhost"),
    ):
        for path in ("/", "/graphql", "/health/live", "/health/ready", "/metrics"):
            status, body = await answered(server, f"GET {path}", f"Host: {host}")
            code = json.loads(body)["errors"][0]["extensions"]["code"]
            assert (host, status, code) == (host, 400, "BAD_REQUEST")


async def test_hosts_with_and_without_a_port_are_accepted(server: Server) -> None:
    for host in ("localhost", "LOCALHOST:", "127.0.0.1:80", " localhost "):
        assert (host, (await answered(server, "GET /", f"Host: {host}"))[0]) == (host, 200)


async def test_health_checks_accept_every_host(server: Server) -> None:
    for host in ("", "10.1.2.3:8000", "[2001:db8::1]", "[fe80::1%25eth0]:80", "pod_1.cluster"):
        statuses = [
            (await answered(server, f"GET {path}", f"Host: {host}"))[0] for path in ("/health/live", "/")
        ]
        assert (host, statuses) == (host, [200, 400])
