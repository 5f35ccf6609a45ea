"""Who may read the demo without a token: everyone on the machine in development. Every other store stays closed."""

from pathlib import Path

import httpx2
import pytest

from ledgerpress.eventlog.clock_randomness_ids import SystemClock
from tests.integration.graphql_client import client
from tests.integration.program_runs import done
from tests.integration.server_process import Server, Servers

PAST = "{ recentPosts(asOf: {position: 100}) { totalCount } }"
HISTORY = "{ changes(first: 1) { totalCount } }"
TOKEN = 'mutation { tokenCreate(input: {name: "Mine", role: ADMIN}) { position } }'
CHANGE = 'mutation { siteName(input: {name: "Mine"}) { position } }'


async def codes(server: Server, *queries: str) -> list[str | None]:
    """Return the code of the error of each query, sent without a token; `None` for a result without errors."""
    host, port = await server.address()
    async with httpx2.AsyncClient(base_url=f"http://{host}:{port}") as http:
        responses = [(await http.post("/graphql", json={"query": query})).json() for query in queries]
    return [
        response["errors"][0]["extensions"]["code"] if "errors" in response else None
        for response in responses
    ]


async def test_the_past_and_the_history_of_the_demo_are_open_at_every_start(tmp_path: Path) -> None:
    data = tmp_path / "store"
    async with Servers(tmp_path, environment={}) as servers:
        server = await servers.start(data, "--demo")
        assert await codes(server, PAST, HISTORY, CHANGE) == [None, None, "UNAUTHENTICATED"]
        assert "clients without a token have the role auditor" in server.output.read_text("utf-8")
        await server.stop()
        again = await servers.start(data, "--demo")
        assert await codes(again, PAST, HISTORY, CHANGE) == [None, None, "UNAUTHENTICATED"]
        await again.stop()
        without_option = await servers.start(data)
        assert await codes(without_option, PAST, HISTORY) == ["UNAUTHENTICATED"] * 2


@pytest.mark.parametrize(
    ("options", "environment", "statuses"),
    [
        (["--demo"], {}, [200, 200]),
        (["--demo"], {"LEDGERPRESS_OPEN_PAST": "false"}, [200, 403]),
        ([], {}, [200, 403]),
    ],
    ids=["demo", "set", "without"],
)
async def test_the_pages_of_the_demo_can_be_read_as_of_a_past_moment(
    tmp_path: Path, options: list[str], environment: dict[str, str], statuses: list[int]
) -> None:
    data = tmp_path / "store"
    await done("demo", "--data", data)
    async with Servers(tmp_path, environment=environment) as servers:
        host, port = await (await servers.start(data, *options)).address()
        async with httpx2.AsyncClient(base_url=f"http://{host}:{port}") as http:
            assert [(await http.get(path)).status_code for path in ("/", "/?asOf=100")] == statuses


async def test_a_request_without_a_token_gets_the_hint_that_it_needs_one(tmp_path: Path) -> None:
    data = tmp_path / "store"
    async with Servers(tmp_path, environment={}) as servers:
        server = await servers.start(data, "--demo")
        token = (await done("token", "create", "Auditor", "--role", "auditor", "--data", data)).strip()
        host, port = await server.address()
        async with httpx2.AsyncClient(base_url=f"http://{host}:{port}") as http:
            for query in (CHANGE, TOKEN, CHANGE):
                (error,) = (await http.post("/graphql", json={"query": query})).json()["errors"]
                assert error["extensions"]["code"] == "UNAUTHENTICATED"
                assert "Authenticate with “Authorization: Bearer …”" in error["message"]
                headers = {"Authorization": f"Bearer {token}"}
                (error,) = (await http.post("/graphql", json={"query": query}, headers=headers)).json()[
                    "errors"
                ]
                assert error["extensions"]["code"] == "FORBIDDEN"
                assert "which you do not have" in error["message"]


@pytest.mark.parametrize(
    ("options", "environment"),
    [
        (("--profile", "production"), {}),
        ((), {"LEDGERPRESS_ANONYMOUS_ROLE": "reader"}),
        ((), {"LEDGERPRESS_TRUSTED_PROXIES": "127.0.0.1"}),
    ],
    ids=["production", "reader", "proxy"],
)
async def test_the_demo_is_closed_in_production_behind_a_proxy_and_if_the_role_is_set(
    tmp_path: Path, options: tuple[str, ...], environment: dict[str, str]
) -> None:
    async with Servers(tmp_path, environment=environment) as servers:
        server = await servers.start(tmp_path / "store", "--demo", *options)
        assert await codes(server, PAST, HISTORY) == ["UNAUTHENTICATED"] * 2


async def test_another_store_stays_closed_even_if_the_server_starts_with_demo(tmp_path: Path) -> None:
    data = tmp_path / "store"
    async with client(data, clock=SystemClock()) as newsroom:
        await newsroom.do("siteName", name="The Pellwick Tidings")
        await newsroom.write("A draft", slug="draft")
    async with Servers(tmp_path, environment={}) as servers:
        server = await servers.start(data, "--demo")
        assert await codes(server, HISTORY, "{ posts { totalCount } }") == ["UNAUTHENTICATED"] * 2
