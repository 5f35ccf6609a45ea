"""Logging of a server in production: each line is JSON, and no line contains a secret."""

import json
import sys
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.integration.server_process import Server, Servers

ROOT = Path(__file__).parents[2]
SECRETS = ("opensesame", "a-text-not-yet-published", "typed-into-a-variable", "asked-in-the-query")
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
JWT = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJvcGVuc2VzYW1lIn0.opensesame"


def lines(server: Server) -> list[dict[str, Any]]:
    """Return the log lines of the server, each of which must be JSON."""
    return [json.loads(line) for line in server.output.read_text("utf-8").splitlines()]


def accesses(server: Server) -> list[dict[str, Any]]:
    """Return the access lines of the server, without health checks."""
    access_lines = [line for line in lines(server) if line["logger"] == "ledgerpress.access"]
    return [line for line in access_lines if not line["path"].startswith("/health/")]


async def base(server: Server) -> str:
    host, port = await server.address()
    return f"http://{host}:{port}"


async def test_each_request_has_a_line_and_no_line_contains_a_secret(tmp_path: Path) -> None:
    async with Servers(tmp_path) as servers:
        server = await servers.start(tmp_path / "data", "--profile", "production")
        headers = {
            "Authorization": "Bearer opensesame",
            "Cookie": "opensesame",
            "traceparent": f"00-{TRACE}-00f067aa0ba902b7-01",
        }
        async with httpx2.AsyncClient(base_url=await base(server), headers=headers) as http:
            query = (
                "mutation Writing($reason: String) { postCreate(input: {title: "
                '"a-text-not-yet-published", reason: $reason}) { position } }'
            )
            await http.post(
                "/graphql", json={"query": query, "variables": {"reason": "typed-into-a-variable"}}
            )
            await http.get("/graphql", params={"query": "{ site { name } } # asked-in-the-query"})
            await http.get("/?after=opensesame")
            await http.get(f"/articles/{JWT}")
            await http.get("/articles/lp_opensesameopensesame")
            await http.post("/graphql", content=b'{"query": "{ opensesame"')
            await http.get("/articles/%1b%5b2J%0a%7b%22level%22%3a%22forged%22%7d%c2%9b" + "x" * 5_000)
        assert await server.stop() == 0
        access_lines = accesses(server)
        output = server.output.read_text("utf-8")
    assert [line["status"] for line in access_lines][3] == 404
    assert len(access_lines) == 7
    writing = access_lines[0]
    assert (writing["method"], writing["path"], writing["trace_id"]) == ("POST", "/graphql", TRACE)
    assert len({line["request_id"] for line in access_lines}) == 7
    assert writing["ms"] > 0
    assert access_lines[2]["path"] == "/"
    assert len(access_lines[6]["path"]) <= 200
    for secret in SECRETS:
        assert secret not in output
    assert all(character.isprintable() or character == "\n" for character in output)
    assert "forged" in output  # only within the line of its request
    assert not any(line["level"] == "forged" for line in lines(server))


async def test_operations_are_logged_with_shortened_names(tmp_path: Path) -> None:
    async with Servers(tmp_path) as servers:
        server = await servers.start(tmp_path / "data", "--profile", "production")
        async with httpx2.AsyncClient(base_url=await base(server)) as http:
            await http.post("/graphql", json={"query": "query FrontPage { site { name } }"})
            await http.post("/graphql", json={"query": f"query Long{'g' * 1_000} {{ site {{ name }} }}"})
        assert await server.stop() == 0
        short, long = accesses(server)
    assert (short["operation"], short["operation_name"]) == ("query", "FrontPage")
    assert len(long["operation_name"]) <= 200
    assert short["cost"] > 0


async def test_the_response_to_an_internal_error_has_the_id_that_is_logged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    program = (sys.executable, "-m", "tests.integration.broken_page_program")
    async with Servers(tmp_path) as servers:
        server = await servers.start(tmp_path / "data", "--profile", "production", program=program)
        async with httpx2.AsyncClient(base_url=await base(server)) as http:
            response = await http.get("/", headers={"Authorization": "Bearer opensesame"})
        assert await server.stop() == 0
        (error_line,) = (line for line in lines(server) if "exception" in line)
        (access,) = (line for line in accesses(server) if line["path"] == "/")
        output = server.output.read_text("utf-8")
    assert response.status_code == 500
    assert response.headers["x-content-type-options"] == "nosniff"
    assert (
        response.json()["errors"][0]["extensions"]["errorId"] == error_line["error_id"] == access["error_id"]
    )
    assert "ValueError" not in response.text
    assert error_line["exception"]["type"] == "ValueError"
    assert "broken_page_program" in error_line["exception"]["traceback"]
    assert error_line["level"] == "error"
    assert "opensesame" not in output
    assert "\x1b" not in output


async def test_the_first_token_is_printed_but_not_logged(tmp_path: Path) -> None:
    async with Servers(tmp_path, environment={}) as servers:
        server = await servers.start(tmp_path / "data", "--profile", "production")
        token = server.admin_token()
        assert token is not None
        async with httpx2.AsyncClient(base_url=await base(server)) as http:
            headers = {"Authorization": f"Bearer {token}"}
            assert (await http.get("/metrics", headers=headers)).status_code == 200
            assert (
                await http.get("/metrics", headers={"Authorization": f"Bearer {token}x"})
            ).status_code == 401
            assert "views" in (await http.get("/health/ready", headers=headers)).json()
        assert await server.stop() == 0
        token_lines = [line for line in server.output.read_text("utf-8").splitlines() if "lp_" in line]
    assert token_lines == [f"  admin token {token}  (save it now: it is not shown again)"]


async def test_nothing_is_logged_in_development_without_errors(tmp_path: Path) -> None:
    async with Servers(tmp_path) as servers:
        server = await servers.start(tmp_path / "data")
        async with httpx2.AsyncClient(base_url=await base(server)) as http:
            await http.get("/")
            await http.post("/graphql", json={"query": "{ site { name } }"})
        assert await server.stop() == 0
        assert server.words() == ""
