"""Headers for browsers: security headers on all responses, CORS for the allowed sites, and host names."""

import asyncio
from pathlib import Path

import httpx2
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus
from websockets.typing import Subprotocol

from ledgerpress.http.middleware.cors import CorsSettings
from ledgerpress.http.middleware.security_headers import HeaderSettings
from tests.integration.production_application import EDITOR, operated
from tests.integration.server_process import Servers

FRIEND = "https://www.example.org"
EXPECTED = {"x-content-type-options": "nosniff", "cross-origin-resource-policy": "same-origin"}
OF_DOCUMENTS = {
    "cross-origin-opener-policy": "same-origin",
    "referrer-policy": "strict-origin-when-cross-origin",
    "x-frame-options": "DENY",
}


async def test_every_response_has_each_security_header_once(tmp_path: Path) -> None:
    async with operated(tmp_path) as application:
        responses = [
            await application.http.get("/"),
            await application.http.get("/nothing"),
            await application.http.get("/static/site.css"),
            await application.http.get("/health/live"),
            await application.http.get("/metrics"),
            await application.http.get("/graphql", headers={"Accept": "text/html"}),
            await application.post("{ site { name } }"),
            await application.post("{ site { name } }", {"LedgerPress-Correlation-Id": "x"}),
            await application.http.put("/graphql"),
        ]
        for response in responses:
            is_data = "json" in response.headers["content-type"]
            for name, value in (EXPECTED if is_data else EXPECTED | OF_DOCUMENTS).items():
                assert response.headers.get_list(name) == [value], (response.url, name)
            (policy,) = response.headers.get_list("content-security-policy")
            assert "frame-ancestors 'none'" in policy
            assert "strict-transport-security" not in response.headers
            assert "access-control-allow-origin" not in response.headers


async def test_hsts_and_resource_policy_follow_the_settings(tmp_path: Path) -> None:
    headers = HeaderSettings(
        hsts_seconds=60, hsts_subdomains=True, cross_origin_resource_policy="cross-origin"
    )
    async with operated(tmp_path, headers=headers) as application:
        response = await application.http.get("/")
        assert response.headers["strict-transport-security"] == "max-age=60; includeSubDomains"
        assert response.headers["cross-origin-resource-policy"] == "cross-origin"


async def test_no_other_site_is_allowed_by_default(tmp_path: Path) -> None:
    preflight = {"Origin": FRIEND, "Access-Control-Request-Method": "POST"}
    async with operated(tmp_path) as application:
        response = await application.http.options("/graphql", headers=preflight)
        assert "access-control-allow-origin" not in response.headers


async def test_an_allowed_site_may_send_requests_and_read_responses(tmp_path: Path) -> None:
    async with operated(tmp_path, cors=CorsSettings(origins=(FRIEND,))) as application:
        response = await application.http.options(
            "/graphql",
            headers={
                "Origin": FRIEND,
                "Access-Control-Request-Method": "POST",
                "Access-Control-Request-Headers": "authorization,content-type",
            },
        )
        assert response.status_code == 204
        assert response.headers["access-control-allow-origin"] == FRIEND
        assert "POST" in response.headers["access-control-allow-methods"]
        assert {"Authorization", "Content-Type"} <= set(
            response.headers["access-control-allow-headers"].split(", ")
        )
        assert response.headers["access-control-max-age"] == "600"

        response = await application.post("{ site { name } }", {"Origin": FRIEND, **EDITOR})
        assert response.headers["access-control-allow-origin"] == FRIEND
        assert {"LedgerPress-Position", "ETag"} <= set(
            response.headers["access-control-expose-headers"].split(", ")
        )
        assert "access-control-allow-credentials" not in response.headers
        # A page can also read errors; otherwise it could not show the reason.
        response = await application.post(
            "{ site { name } }", {"Origin": FRIEND, "LedgerPress-Causation-Id": "x"}
        )
        assert response.status_code == 400


@pytest.mark.parametrize(
    "origin",
    ["https://evil.example", "http://www.example.org", "https://www.example.org.evil.example", "null"],
)
async def test_other_sites_may_neither_send_requests_nor_read_responses(tmp_path: Path, origin: str) -> None:
    async with operated(tmp_path, cors=CorsSettings(origins=(FRIEND,))) as application:
        response = await application.http.options(
            "/graphql", headers={"Origin": origin, "Access-Control-Request-Method": "POST"}
        )
        assert response.status_code == 403
        assert "access-control-allow-origin" not in response.headers
        response = await application.post("{ site { name } }", {"Origin": origin})
        assert "access-control-allow-origin" not in response.headers


async def test_responses_vary_by_origin_and_accept(tmp_path: Path) -> None:
    async with operated(tmp_path, cors=CorsSettings(origins=(FRIEND,))) as application:
        for headers in ({}, {"Origin": FRIEND}):
            for response in (
                await application.post("{ site { name } }", headers),
                await application.http.get("/", headers=headers),
            ):
                assert "Origin" in ", ".join(response.headers.get_list("vary")).split(", ")
        response = await application.post("{ site { name } }")
        assert "Accept" in response.headers["vary"].split(", ")


async def test_a_not_modified_response_has_the_same_vary_header(tmp_path: Path) -> None:
    async with operated(tmp_path, cors=CorsSettings(origins=(FRIEND,))) as application:
        headers = {"Origin": FRIEND, "GraphQL-Require-Preflight": "1"}
        url = "/graphql?query=%7Bsite%7Bname%7D%7D"
        full = await application.http.get(url, headers=headers)
        unchanged = await application.http.get(
            url, headers={**headers, "If-None-Match": full.headers["etag"]}
        )
        assert (full.status_code, unchanged.status_code) == (200, 304)
        assert "Origin" in full.headers["vary"]
        assert unchanged.headers["vary"] == full.headers["vary"]


async def test_all_sites_may_be_allowed(tmp_path: Path) -> None:
    async with operated(tmp_path, cors=CorsSettings(origins=("*",))) as application:
        response = await application.post("{ site { name } }", {"Origin": "https://anyone.example"})
        assert response.headers["access-control-allow-origin"] == "*"


HOSTS = ("news.example.org", "*.example.net", "::1", "127.0.0.1")


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("news.example.org", 200),
        ("News.Example.ORG:8000", 200),
        ("a.b.example.net", 200),
        ("[::1]:8000", 200),
        ("[::1]", 200),
        ("127.0.0.1:1", 200),
        ("example.net", 400),
        ("evil-example.net", 400),
        ("news.example.org.evil.example", 400),
        ("evil.example", 400),
        ("[::2]", 400),
        ("", 400),
    ],
)
async def test_a_request_for_another_host_is_rejected(tmp_path: Path, host: str, status: int) -> None:
    async with operated(tmp_path, allowed_hosts=HOSTS) as application:
        for _ in range(2):  # the second request uses the cached decision
            response = await application.http.get("/", headers={"Host": host})
            assert response.status_code == status
            assert (await application.http.get("/health/live", headers={"Host": host})).status_code == 200
            if status == 200:
                continue
            assert response.json()["errors"][0]["extensions"]["code"] == "UNKNOWN_HOST"


async def test_a_server_responds_to_the_configured_host_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEDGERPRESS_ALLOWED_HOSTS", "localhost,*.example.org")
    async with Servers(tmp_path, environment={}) as servers:
        server = await servers.start(tmp_path / "store", "--profile", "production", "--host", "0.0.0.0")
        _, port = await server.address()
        async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}") as http:
            for name, status in (("news.example.org", 200), ("localhost:80", 200), ("evil.example", 400)):
                response = await http.get("/", headers={"Host": name})
                assert response.status_code == status, name
                assert response.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("allowed", ["localhost", "*"])
async def test_a_request_with_several_host_headers_is_rejected(tmp_path: Path, allowed: str) -> None:
    """The request may name one host to a proxy and another one to this server (RFC 9112, 3.2)."""
    environment = {"LEDGERPRESS_ALLOWED_HOSTS": allowed, "LEDGERPRESS_PROFILE": "production"}
    async with Servers(tmp_path, environment) as servers:
        server = await servers.start(tmp_path / "store")
        for path in (
            "/",
            "/graphql?query=%7B__typename%7D",
            "/health/live",
            "/health/ready",
            "/metrics",
            "/no",
        ):
            for second in ("evil.example", "localhost"):
                reader, writer = await asyncio.open_connection(*await server.address())
                head = (
                    f"GET {path} HTTP/1.1\r\nHost: localhost\r\nHost: {second}\r\nConnection: close\r\n\r\n"
                )
                writer.write(head.encode())
                response = await reader.read()
                writer.close()
                assert response.startswith(b"HTTP/1.1 400 "), (path, response)
                assert b"The request repeats the header host. Send it once." in response
        with pytest.raises(InvalidStatus) as rejection:
            async with connect(
                "ws://{}:{}/graphql".format(*await server.address()),
                subprotocols=[Subprotocol("graphql-transport-ws")],
                additional_headers=[("Host", "evil.example")],
            ):
                pass
        assert rejection.value.response.status_code == 403
