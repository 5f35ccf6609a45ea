"""GraphQL over SSE, by section of PROTOCOL.md of graphql-sse (npm): the reference server and LedgerPress.

The name of a test begins with its section. Other tests cover what the protocol leaves open, for LedgerPress alone.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx2
import pytest

from tests.conformance.reference_servers import INVALID, ProtocolServer, reference
from tests.integration.sse_client import Event, opened

TOKEN = "X-GraphQL-Event-Stream-Token"
STREAM = {"Accept": "text/event-stream"}


@pytest.fixture(scope="module")
def reference_server() -> Iterator[ProtocolServer]:
    with reference("reference_sse.mjs") as server:
        yield server


@pytest.fixture
async def http() -> AsyncIterator[httpx2.AsyncClient]:
    async with httpx2.AsyncClient(timeout=20) as client:
        yield client


@pytest.fixture
async def token(http: httpx2.AsyncClient, server: ProtocolServer) -> str:
    """The token of a reservation."""
    response = await http.put(server.stream_url)
    assert response.status_code == 201
    return response.text


async def request_operation(
    http: httpx2.AsyncClient, server: ProtocolServer, token: str | None, query: str, **extensions: Any
) -> httpx2.Response:
    """Request an operation in single connection mode."""
    headers = {"Accept": "application/json"} | ({TOKEN: token} if token else {})
    body = {"query": query, "extensions": extensions}
    return await http.post(server.stream_url, json=body, headers=headers)


def positions(events: list[Event]) -> list[int]:
    return [next(iter(event.data["data"].values()))["position"] for event in events]


# --- Distinct connections mode -------------------------------------------------------------------


async def test_distinct_connections_mode_the_content_type_is_always_an_event_stream(
    http: httpx2.AsyncClient, server: ProtocolServer
) -> None:
    for query in (server.query, server.three, INVALID):
        async with opened(http, "POST", server.url, query) as stream:
            assert stream.media_type == "text/event-stream"
            await stream.rest()


@pytest.mark.parametrize("query", [INVALID, "subscription { nothingOfThisName }"])
async def test_distinct_connections_mode_validation_errors_are_reported_by_next_events(
    http: httpx2.AsyncClient, server: ProtocolServer, query: str
) -> None:
    async with opened(http, "POST", server.url, query) as stream:
        assert stream.status == 200
        [event, complete] = await stream.rest()
    assert event.type == "next"
    assert event.data["errors"][0]["message"]
    assert "data" not in event.data
    assert complete.type == "complete"


async def test_distinct_connections_mode_closing_the_connection_ends_the_operation(
    http: httpx2.AsyncClient, server: ProtocolServer
) -> None:
    for _ in range(3):
        async with opened(http, "POST", server.url, server.endless) as stream:
            assert (await stream.next()).type == "next"
    async with opened(http, "POST", server.url, server.query) as stream:
        assert len(await stream.rest()) == 2


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_distinct_connections_mode_accepts_operations_of_graphql_over_http(
    http: httpx2.AsyncClient, server: ProtocolServer, method: str
) -> None:
    async with opened(http, method, server.url, server.query) as stream:
        [event, complete] = await stream.rest()
    assert "errors" not in event.data
    assert (event.type, complete.type) == ("next", "complete")


async def test_distinct_connections_mode_event_stream_next_for_each_result_then_complete(
    http: httpx2.AsyncClient, server: ProtocolServer
) -> None:
    async with opened(http, "POST", server.url, server.three) as stream:
        *events, complete = await stream.rest()
    assert {event.type for event in events} == {"next"}
    assert positions(events) == [1, 2, 3]
    assert complete.type == "complete"


async def test_distinct_connections_mode_event_stream_complete_has_an_empty_data_field(
    http: httpx2.AsyncClient, server: ProtocolServer
) -> None:
    async with opened(http, "POST", server.url, server.query) as stream:
        *_, complete = await stream.rest()
    assert (complete.type, complete.text) == ("complete", "")  # None if there is no field


# --- Single connection mode ----------------------------------------------------------------------


async def test_making_reservations_put_returns_201_with_the_token_in_the_body(
    http: httpx2.AsyncClient, server: ProtocolServer
) -> None:
    responses = [await http.put(server.stream_url) for _ in range(2)]
    assert [response.status_code for response in responses] == [201, 201]
    assert len({response.text for response in responses}) == 2
    assert all(len(response.text) >= 32 for response in responses)


@pytest.mark.parametrize("where", ["header", "search parameter"])
async def test_making_reservations_the_token_is_sent_in_a_header_or_a_search_parameter(
    http: httpx2.AsyncClient, server: ProtocolServer, token: str, where: str
) -> None:
    headers = {TOKEN: token} if where == "header" else {}
    url = server.stream_url if where == "header" else f"{server.stream_url}?token={token}"
    async with opened(http, "GET", url, None, headers) as stream:
        assert (stream.status, stream.media_type) == (200, "text/event-stream")
        body = {"query": server.query, "extensions": {"operationId": "1"}}
        assert (await http.post(url, json=body, headers=headers)).status_code == 202
        assert (await stream.next()).data["id"] == "1"


async def test_making_reservations_only_one_connection_fulfils_a_reservation(
    http: httpx2.AsyncClient, server: ProtocolServer, token: str
) -> None:
    async with opened(http, "GET", server.stream_url, None, {TOKEN: token}) as first:
        assert first.status == 200
        async with opened(http, "GET", server.stream_url, None, {TOKEN: token}) as second:
            assert second.status == 409
        await request_operation(http, server, token, server.query, operationId="1")
        assert (await first.next()).type == "next"


async def test_executing_operations_is_accepted_with_202_and_streamed_with_the_operation_id(
    http: httpx2.AsyncClient, server: ProtocolServer, token: str
) -> None:
    async with opened(http, "GET", server.stream_url, None, {TOKEN: token}) as stream:
        response = await request_operation(http, server, token, server.three, operationId="the-id")
        assert (response.status_code, response.content) == (202, b"")
        events = [await stream.next() for _ in range(4)]
    assert [event.type for event in events] == ["next", "next", "next", "complete"]
    assert {event.data["id"] for event in events} == {"the-id"}


async def test_executing_operations_before_the_stream_is_open_streams_the_results_later(
    http: httpx2.AsyncClient, server: ProtocolServer, token: str
) -> None:
    assert (await request_operation(http, server, token, server.query, operationId="1")).status_code == 202
    async with opened(http, "GET", server.stream_url, None, {TOKEN: token}) as stream:
        assert [(await stream.next()).type, (await stream.next()).type] == ["next", "complete"]


async def test_executing_operations_must_contain_the_token(
    http: httpx2.AsyncClient, server: ProtocolServer
) -> None:
    assert (await request_operation(http, server, None, server.query, operationId="1")).status_code == 404
    assert (
        await request_operation(http, server, "not-reserved", server.query, operationId="1")
    ).status_code == 404


async def test_executing_operations_must_contain_the_operation_id(
    http: httpx2.AsyncClient, server: ProtocolServer, token: str
) -> None:
    response = await request_operation(http, server, token, server.query)
    assert response.status_code == 400
    assert response.json()["errors"][0]["message"].startswith("Operation ID is missing")


async def test_executing_operations_with_the_id_of_a_running_operation_is_a_conflict(
    http: httpx2.AsyncClient, server: ProtocolServer, token: str
) -> None:
    async with opened(http, "GET", server.stream_url, None, {TOKEN: token}):
        assert (
            await request_operation(http, server, token, server.silent, operationId="1")
        ).status_code == 202
        assert (
            await request_operation(http, server, token, server.silent, operationId="1")
        ).status_code == 409


async def test_executing_operations_validation_errors_are_returned_as_in_graphql_over_http(
    http: httpx2.AsyncClient, server: ProtocolServer, token: str
) -> None:
    response = await request_operation(http, server, token, INVALID, operationId="1")
    assert response.status_code == 400
    assert response.headers["content-type"].startswith("application/json")
    assert response.json()["errors"]


async def test_executing_operations_results_of_several_operations_share_one_connection(
    http: httpx2.AsyncClient, server: ProtocolServer, token: str
) -> None:
    async with opened(http, "GET", server.stream_url, None, {TOKEN: token}) as stream:
        for id in ("a", "b"):
            assert (
                await request_operation(http, server, token, server.three, operationId=id)
            ).status_code == 202
        types: dict[str, list[str]] = {"a": [], "b": []}
        for _ in range(8):
            event = await stream.next()
            types[event.data["id"]].append(event.type)
    assert types["a"] == types["b"] == ["next", "next", "next", "complete"]


async def test_stopping_streaming_operations_delete_ends_the_operation(
    http: httpx2.AsyncClient, server: ProtocolServer, token: str
) -> None:
    async with opened(http, "GET", server.stream_url, None, {TOKEN: token}) as stream:
        await request_operation(http, server, token, server.endless, operationId="1")
        assert (await stream.next()).type == "next"
        url = f"{server.stream_url}?operationId=1"
        assert (await http.delete(url, headers={TOKEN: token})).status_code == 200
        await asyncio.sleep(0.2)
        assert (
            await request_operation(http, server, token, server.query, operationId="2")
        ).status_code == 202
        while (event := await stream.next()).data["id"] != "2":
            pass  # results that were already sent
        await asyncio.sleep(0.2)
        assert (
            await request_operation(http, server, token, server.query, operationId="3")
        ).status_code == 202
        assert [event.data["id"], (await stream.next()).data["id"], (await stream.next()).data["id"]] == [
            "2",
            "2",
            "3",
        ]


async def test_stopping_streaming_operations_must_contain_the_token(
    http: httpx2.AsyncClient, server: ProtocolServer
) -> None:
    url = f"{server.stream_url}?operationId=1"
    assert (await http.delete(url)).status_code == 404
    assert (await http.delete(url, headers={TOKEN: "not-reserved"})).status_code == 404


async def test_stopping_streaming_operations_must_contain_the_operation_id(
    http: httpx2.AsyncClient, server: ProtocolServer, token: str
) -> None:
    assert (await http.delete(server.stream_url, headers={TOKEN: token})).status_code == 400


async def test_single_connection_mode_event_stream_next_has_id_and_payload_and_complete_the_id(
    http: httpx2.AsyncClient, server: ProtocolServer, token: str
) -> None:
    async with opened(http, "GET", server.stream_url, None, {TOKEN: token}) as stream:
        await request_operation(http, server, token, server.query, operationId="the-id")
        event, complete = await stream.next(), await stream.next()
    assert event.type == "next"
    assert set(event.data) == {"id", "payload"}
    assert "moment" in event.data["payload"]["data"]
    assert (complete.type, complete.data) == ("complete", {"id": "the-id"})


async def test_single_connection_mode_another_method_is_not_allowed(
    http: httpx2.AsyncClient, server: ProtocolServer, token: str
) -> None:
    response = await http.request("PATCH", server.stream_url, headers={TOKEN: token})
    assert response.status_code == 405
    assert {method.strip() for method in response.headers["allow"].split(",")} == {
        "GET",
        "POST",
        "PUT",
        "DELETE",
    }
