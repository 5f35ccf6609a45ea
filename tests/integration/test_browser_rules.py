"""What answers tell browsers: security headers on all of them, and CORS for the sites that are allowed."""

from pathlib import Path

import httpx2
import pytest

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


async def test_every_answer_carries_each_security_header_once(tmp_path: Path) -> None:
    async with operated(tmp_path) as one:
        answers = [
            await one.http.get("/"),
            await one.http.get("/nothing"),
            await one.http.get("/static/site.css"),
            await one.http.get("/health/live"),
            await one.http.get("/metrics"),
            await one.http.get("/graphql", headers={"Accept": "text/html"}),
            await one.post("{ site { name } }"),
            await one.post("{ site { name } }", {"LedgerPress-Correlation-Id": "x"}),
            await one.http.put("/graphql"),
        ]
        for answer in answers:
            is_data = "json" in answer.headers["content-type"]
            for name, value in (EXPECTED if is_data else EXPECTED | OF_DOCUMENTS).items():
                assert answer.headers.get_list(name) == [value], (answer.url, name)
            (policy,) = answer.headers.get_list("content-security-policy")
            assert "frame-ancestors 'none'" in policy
            assert "strict-transport-security" not in answer.headers
            assert "access-control-allow-origin" not in answer.headers


async def test_https_alone_is_asked_for_where_the_settings_say_so(tmp_path: Path) -> None:
    headers = HeaderSettings(
        hsts_seconds=60, hsts_subdomains=True, cross_origin_resource_policy="cross-origin"
    )
    async with operated(tmp_path, headers=headers) as one:
        answer = await one.http.get("/")
        assert answer.headers["strict-transport-security"] == "max-age=60; includeSubDomains"
        assert answer.headers["cross-origin-resource-policy"] == "cross-origin"


async def test_no_other_site_is_allowed_unless_it_is_named(tmp_path: Path) -> None:
    preflight = {"Origin": FRIEND, "Access-Control-Request-Method": "POST"}
    async with operated(tmp_path) as one:
        answer = await one.http.options("/graphql", headers=preflight)
        assert "access-control-allow-origin" not in answer.headers


async def test_a_site_that_is_named_may_ask_and_read(tmp_path: Path) -> None:
    async with operated(tmp_path, cors=CorsSettings(origins=(FRIEND,))) as one:
        answer = await one.http.options(
            "/graphql",
            headers={
                "Origin": FRIEND,
                "Access-Control-Request-Method": "POST",
                "Access-Control-Request-Headers": "authorization,content-type",
            },
        )
        assert answer.status_code == 204
        assert answer.headers["access-control-allow-origin"] == FRIEND
        assert "POST" in answer.headers["access-control-allow-methods"]
        assert {"Authorization", "Content-Type"} <= set(
            answer.headers["access-control-allow-headers"].split(", ")
        )
        assert answer.headers["access-control-max-age"] == "600"

        answer = await one.post("{ site { name } }", {"Origin": FRIEND, **EDITOR})
        assert answer.headers["access-control-allow-origin"] == FRIEND
        assert {"LedgerPress-Position", "ETag"} <= set(
            answer.headers["access-control-expose-headers"].split(", ")
        )
        assert "access-control-allow-credentials" not in answer.headers
        # A refusal can be read as well: else a page could not tell why.
        answer = await one.post("{ site { name } }", {"Origin": FRIEND, "LedgerPress-Causation-Id": "x"})
        assert answer.status_code == 400


@pytest.mark.parametrize(
    "origin",
    ["https://evil.example", "http://www.example.org", "https://www.example.org.evil.example", "null"],
)
async def test_a_site_that_is_not_named_may_neither_ask_nor_read(tmp_path: Path, origin: str) -> None:
    async with operated(tmp_path, cors=CorsSettings(origins=(FRIEND,))) as one:
        answer = await one.http.options(
            "/graphql", headers={"Origin": origin, "Access-Control-Request-Method": "POST"}
        )
        assert answer.status_code == 403
        assert "access-control-allow-origin" not in answer.headers
        answer = await one.post("{ site { name } }", {"Origin": origin})
        assert "access-control-allow-origin" not in answer.headers


async def test_caches_are_told_that_an_answer_depends_on_who_asks(tmp_path: Path) -> None:
    async with operated(tmp_path, cors=CorsSettings(origins=(FRIEND,))) as one:
        for headers in ({}, {"Origin": FRIEND}):
            for answer in (
                await one.post("{ site { name } }", headers),
                await one.http.get("/", headers=headers),
            ):
                assert "Origin" in ", ".join(answer.headers.get_list("vary")).split(", ")
        answer = await one.post("{ site { name } }")
        assert "Accept" in answer.headers["vary"].split(", ")


async def test_an_answer_that_has_not_changed_varies_by_what_the_whole_one_does(tmp_path: Path) -> None:
    async with operated(tmp_path, cors=CorsSettings(origins=(FRIEND,))) as one:
        asked = {"Origin": FRIEND, "GraphQL-Require-Preflight": "1"}
        url = "/graphql?query=%7Bsite%7Bname%7D%7D"
        whole = await one.http.get(url, headers=asked)
        unchanged = await one.http.get(url, headers={**asked, "If-None-Match": whole.headers["etag"]})
        assert (whole.status_code, unchanged.status_code) == (200, 304)
        assert "Origin" in whole.headers["vary"]
        assert unchanged.headers["vary"] == whole.headers["vary"]


async def test_all_sites_may_be_allowed(tmp_path: Path) -> None:
    async with operated(tmp_path, cors=CorsSettings(origins=("*",))) as one:
        answer = await one.post("{ site { name } }", {"Origin": "https://anyone.example"})
        assert answer.headers["access-control-allow-origin"] == "*"


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
async def test_a_request_for_another_host_is_refused(tmp_path: Path, host: str, status: int) -> None:
    async with operated(tmp_path, allowed_hosts=HOSTS) as one:
        for _ in range(2):  # a name that was good once is found in another way
            answer = await one.http.get("/health/live", headers={"Host": host})
            assert answer.status_code == status
            if status == 200:
                continue
            assert answer.json()["errors"][0]["extensions"]["code"] == "UNKNOWN_HOST"


async def test_a_server_answers_under_the_names_that_are_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEDGERPRESS_ALLOWED_HOSTS", "localhost,*.example.org")
    async with Servers(tmp_path, environment={}) as servers:
        server = await servers.start(tmp_path / "store", "--profile", "production", "--host", "0.0.0.0")
        _, port = await server.address()
        async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}") as http:
            for name, status in (("news.example.org", 200), ("localhost:80", 200), ("evil.example", 400)):
                answer = await http.get("/health/live", headers={"Host": name})
                assert answer.status_code == status, name
                assert answer.headers["x-content-type-options"] == "nosniff"
