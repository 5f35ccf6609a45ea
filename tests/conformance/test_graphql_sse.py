"""GraphQL over server-sent events, section by section of PROTOCOL.md of npm's graphql-sse: the reference and ours.

A test is named after the section that it is of. What the protocol leaves open is tested of ours alone, elsewhere.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx2
import pytest

from tests.conformance.reference_servers import INVALID, Side, reference
from tests.integration.sse_client import Event, opened

TOKEN = "X-GraphQL-Event-Stream-Token"
STREAM = {"Accept": "text/event-stream"}


@pytest.fixture(scope="module")
def reference_server() -> Iterator[Side]:
    with reference("reference_sse.mjs") as one:
        yield one


@pytest.fixture
async def http() -> AsyncIterator[httpx2.AsyncClient]:
    async with httpx2.AsyncClient(timeout=20) as client:
        yield client


@pytest.fixture
async def token(http: httpx2.AsyncClient, side: Side) -> str:
    """The token of a reservation."""
    answer = await http.put(side.stream_url)
    assert answer.status_code == 201
    return answer.text


async def ask(
    http: httpx2.AsyncClient, side: Side, token: str | None, query: str, **extensions: Any
) -> httpx2.Response:
    """Ask for an operation in single connection mode."""
    headers = {"Accept": "application/json"} | ({TOKEN: token} if token else {})
    body = {"query": query, "extensions": extensions}
    return await http.post(side.stream_url, json=body, headers=headers)


def positions(events: list[Event]) -> list[int]:
    return [next(iter(event.data["data"].values()))["position"] for event in events]


# --- Distinct connections mode -------------------------------------------------------------------


async def test_distinct_connections_mode_the_content_type_is_always_an_event_stream(
    http: httpx2.AsyncClient, side: Side
) -> None:
    for query in (side.query, side.three, INVALID):
        async with opened(http, "POST", side.url, query) as stream:
            assert stream.media_type == "text/event-stream"
            await stream.rest()


@pytest.mark.parametrize("query", [INVALID, "subscription { nothingOfThisName }"])
async def test_distinct_connections_mode_validation_errors_are_reported_by_next_events(
    http: httpx2.AsyncClient, side: Side, query: str
) -> None:
    async with opened(http, "POST", side.url, query) as stream:
        assert stream.status == 200
        [event, complete] = await stream.rest()
    assert event.type == "next"
    assert event.data["errors"][0]["message"]
    assert "data" not in event.data
    assert complete.type == "complete"


async def test_distinct_connections_mode_closing_the_connection_ends_the_operation(
    http: httpx2.AsyncClient, side: Side
) -> None:
    for _ in range(3):
        async with opened(http, "POST", side.url, side.endless) as stream:
            assert (await stream.next()).type == "next"
    async with opened(http, "POST", side.url, side.query) as stream:
        assert len(await stream.rest()) == 2


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_distinct_connections_mode_takes_operations_by_graphql_over_http(
    http: httpx2.AsyncClient, side: Side, method: str
) -> None:
    async with opened(http, method, side.url, side.query) as stream:
        [event, complete] = await stream.rest()
    assert "errors" not in event.data
    assert (event.type, complete.type) == ("next", "complete")


async def test_distinct_connections_mode_event_stream_next_for_each_result_then_complete(
    http: httpx2.AsyncClient, side: Side
) -> None:
    async with opened(http, "POST", side.url, side.three) as stream:
        *events, complete = await stream.rest()
    assert {event.type for event in events} == {"next"}
    assert positions(events) == [1, 2, 3]
    assert complete.type == "complete"


async def test_distinct_connections_mode_event_stream_complete_has_an_empty_data_field(
    http: httpx2.AsyncClient, side: Side
) -> None:
    async with opened(http, "POST", side.url, side.query) as stream:
        *_, complete = await stream.rest()
    assert (complete.type, complete.text) == ("complete", "")  # None, where there is no field


# --- Single connection mode ----------------------------------------------------------------------


async def test_making_reservations_put_is_answered_by_201_with_the_token_in_the_body(
    http: httpx2.AsyncClient, side: Side
) -> None:
    answers = [await http.put(side.stream_url) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [201, 201]
    assert len({answer.text for answer in answers}) == 2
    assert all(len(answer.text) >= 32 for answer in answers)


@pytest.mark.parametrize("where", ["header", "search parameter"])
async def test_making_reservations_the_token_is_sent_in_a_header_or_a_search_parameter(
    http: httpx2.AsyncClient, side: Side, token: str, where: str
) -> None:
    headers = {TOKEN: token} if where == "header" else {}
    url = side.stream_url if where == "header" else f"{side.stream_url}?token={token}"
    async with opened(http, "GET", url, None, headers) as stream:
        assert (stream.status, stream.media_type) == (200, "text/event-stream")
        body = {"query": side.query, "extensions": {"operationId": "1"}}
        assert (await http.post(url, json=body, headers=headers)).status_code == 202
        assert (await stream.next()).data["id"] == "1"


async def test_making_reservations_only_one_connection_fulfils_a_reservation(
    http: httpx2.AsyncClient, side: Side, token: str
) -> None:
    async with opened(http, "GET", side.stream_url, None, {TOKEN: token}) as first:
        assert first.status == 200
        async with opened(http, "GET", side.stream_url, None, {TOKEN: token}) as second:
            assert second.status == 409
        await ask(http, side, token, side.query, operationId="1")
        assert (await first.next()).type == "next"


async def test_executing_operations_is_accepted_with_202_and_streamed_with_the_operation_id(
    http: httpx2.AsyncClient, side: Side, token: str
) -> None:
    async with opened(http, "GET", side.stream_url, None, {TOKEN: token}) as stream:
        answer = await ask(http, side, token, side.three, operationId="the-id")
        assert (answer.status_code, answer.content) == (202, b"")
        events = [await stream.next() for _ in range(4)]
    assert [event.type for event in events] == ["next", "next", "next", "complete"]
    assert {event.data["id"] for event in events} == {"the-id"}


async def test_executing_operations_before_the_stream_is_opened_is_streamed_then(
    http: httpx2.AsyncClient, side: Side, token: str
) -> None:
    assert (await ask(http, side, token, side.query, operationId="1")).status_code == 202
    async with opened(http, "GET", side.stream_url, None, {TOKEN: token}) as stream:
        assert [(await stream.next()).type, (await stream.next()).type] == ["next", "complete"]


async def test_executing_operations_must_contain_the_token(http: httpx2.AsyncClient, side: Side) -> None:
    assert (await ask(http, side, None, side.query, operationId="1")).status_code == 404
    assert (await ask(http, side, "not-reserved", side.query, operationId="1")).status_code == 404


async def test_executing_operations_names_the_operation(
    http: httpx2.AsyncClient, side: Side, token: str
) -> None:
    answer = await ask(http, side, token, side.query)
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["message"].startswith("Operation ID is missing")


async def test_executing_operations_with_an_id_that_is_under_way_is_a_conflict(
    http: httpx2.AsyncClient, side: Side, token: str
) -> None:
    async with opened(http, "GET", side.stream_url, None, {TOKEN: token}):
        assert (await ask(http, side, token, side.silent, operationId="1")).status_code == 202
        assert (await ask(http, side, token, side.silent, operationId="1")).status_code == 409


async def test_executing_operations_validation_issues_are_answered_as_by_graphql_over_http(
    http: httpx2.AsyncClient, side: Side, token: str
) -> None:
    answer = await ask(http, side, token, INVALID, operationId="1")
    assert answer.status_code == 400
    assert answer.headers["content-type"].startswith("application/json")
    assert answer.json()["errors"]


async def test_executing_operations_several_results_come_by_the_one_connection(
    http: httpx2.AsyncClient, side: Side, token: str
) -> None:
    async with opened(http, "GET", side.stream_url, None, {TOKEN: token}) as stream:
        for id in ("a", "b"):
            assert (await ask(http, side, token, side.three, operationId=id)).status_code == 202
        seen: dict[str, list[str]] = {"a": [], "b": []}
        for _ in range(8):
            event = await stream.next()
            seen[event.data["id"]].append(event.type)
    assert seen["a"] == seen["b"] == ["next", "next", "next", "complete"]


async def test_stopping_streaming_operations_delete_ends_the_operation(
    http: httpx2.AsyncClient, side: Side, token: str
) -> None:
    async with opened(http, "GET", side.stream_url, None, {TOKEN: token}) as stream:
        await ask(http, side, token, side.endless, operationId="1")
        assert (await stream.next()).type == "next"
        url = f"{side.stream_url}?operationId=1"
        assert (await http.delete(url, headers={TOKEN: token})).status_code == 200
        await asyncio.sleep(0.2)
        assert (await ask(http, side, token, side.query, operationId="2")).status_code == 202
        while (event := await stream.next()).data["id"] != "2":
            pass  # what was on its way
        await asyncio.sleep(0.2)
        assert (await ask(http, side, token, side.query, operationId="3")).status_code == 202
        assert [event.data["id"], (await stream.next()).data["id"], (await stream.next()).data["id"]] == [
            "2",
            "2",
            "3",
        ]


async def test_stopping_streaming_operations_must_contain_the_token(
    http: httpx2.AsyncClient, side: Side
) -> None:
    url = f"{side.stream_url}?operationId=1"
    assert (await http.delete(url)).status_code == 404
    assert (await http.delete(url, headers={TOKEN: "not-reserved"})).status_code == 404


async def test_stopping_streaming_operations_names_the_operation(
    http: httpx2.AsyncClient, side: Side, token: str
) -> None:
    assert (await http.delete(side.stream_url, headers={TOKEN: token})).status_code == 400


async def test_single_connection_mode_event_stream_next_has_id_and_payload_and_complete_the_id(
    http: httpx2.AsyncClient, side: Side, token: str
) -> None:
    async with opened(http, "GET", side.stream_url, None, {TOKEN: token}) as stream:
        await ask(http, side, token, side.query, operationId="the-id")
        event, complete = await stream.next(), await stream.next()
    assert event.type == "next"
    assert set(event.data) == {"id", "payload"}
    assert "moment" in event.data["payload"]["data"]
    assert (complete.type, complete.data) == ("complete", {"id": "the-id"})


async def test_single_connection_mode_another_method_is_not_allowed(
    http: httpx2.AsyncClient, side: Side, token: str
) -> None:
    answer = await http.request("PATCH", side.stream_url, headers={TOKEN: token})
    assert answer.status_code == 405
    assert {one.strip() for one in answer.headers["allow"].split(",")} == {"GET", "POST", "PUT", "DELETE"}
