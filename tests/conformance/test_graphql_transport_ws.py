"""graphql-transport-ws, by section of PROTOCOL.md of graphql-ws (npm): the reference server and LedgerPress.

The name of a test begins with its section. Other tests cover what the protocol leaves open, for LedgerPress alone.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from tests.conformance.reference_servers import INVALID, ProtocolServer, reference
from tests.integration.websocket_client import Socket, websocket


@pytest.fixture(scope="module")
def reference_server() -> Iterator[ProtocolServer]:
    with reference("reference_ws.mjs") as server:
        yield server


@pytest.fixture
async def raw(server: ProtocolServer) -> AsyncIterator[Socket]:
    """A socket without any messages yet."""
    async with websocket(server.host, server.port) as socket:
        yield socket


@pytest.fixture
async def ready(raw: Socket) -> Socket:
    """A socket whose connection is acknowledged."""
    return await raw.init()


# --- Communication -------------------------------------------------------------------------------


async def test_communication_the_subprotocol_is_selected(raw: Socket) -> None:
    assert raw.connection.subprotocol == "graphql-transport-ws"


@pytest.mark.parametrize("other", ["graphql-ws", "something-else"])
async def test_communication_another_subprotocol_is_closed_with_4406(
    server: ProtocolServer, other: str
) -> None:
    async with websocket(server.host, server.port, subprotocol=other) as socket:
        assert socket.connection.subprotocol is None
        assert (await socket.closed())[0] == 4406


async def test_communication_all_messages_have_a_type_and_messages_of_operations_an_id(
    ready: Socket, server: ProtocolServer
) -> None:
    id = await ready.subscribe(server.three)
    messages = [await ready.receive() for _ in range(4)]
    assert [message["type"] for message in messages] == ["next", "next", "next", "complete"]
    assert {message["id"] for message in messages} == {id}


async def test_communication_several_operations_are_active_at_a_time(
    ready: Socket, server: ProtocolServer
) -> None:
    silent = await ready.subscribe(server.silent)
    endless = await ready.subscribe(server.endless)
    query = await ready.subscribe(server.query)
    types: dict[str, list[str]] = {silent: [], endless: [], query: []}
    while len(types[endless]) < 8 or len(types[query]) < 2:
        message = await ready.receive()
        types[message["id"]].append(message["type"])
    assert types[silent] == []
    assert types[query] == ["next", "complete"]
    assert set(types[endless]) == {"next"}


async def test_communication_the_client_closes_with_1000(ready: Socket, server: ProtocolServer) -> None:
    await ready.subscribe(server.silent)
    await ready.connection.close(1000)
    assert ready.connection.close_code == 1000


# --- ConnectionInit, ConnectionAck ---------------------------------------------------------------


@pytest.mark.parametrize(
    "message",
    [
        {"type": "connection_init"},
        {"type": "connection_init", "payload": None},
        {"type": "connection_init", "payload": {}},
        {"type": "connection_init", "payload": {"anything": [1]}},
    ],
    ids=["absent", "null", "empty", "object"],
)
async def test_connection_init_is_acknowledged_with_any_payload(raw: Socket, message: dict[str, Any]) -> None:
    await raw.send(message)
    assert (await raw.receive())["type"] == "connection_ack"


async def test_connection_init_that_is_not_received_in_time_is_closed_with_4408(raw: Socket) -> None:
    code, reason = await raw.closed()
    assert (code, reason) == (4408, "Connection initialisation timeout")


async def test_connection_init_in_time_is_not_closed_later(ready: Socket) -> None:
    await asyncio.sleep(1.0)
    await ready.quiet()


async def test_connection_init_sent_twice_is_closed_with_4429(ready: Socket) -> None:
    await ready.send({"type": "connection_init"})
    code, reason = await ready.closed()
    assert (code, reason) == (4429, "Too many initialisation requests")


async def test_connection_init_sent_twice_at_once_is_closed_with_4429(raw: Socket) -> None:
    await raw.send({"type": "connection_init"})
    await raw.send({"type": "connection_init"})
    assert (await raw.closed())[0] == 4429


async def test_connection_init_that_is_rejected_is_closed_with_4403(raw: Socket) -> None:
    await raw.send({"type": "connection_init", "payload": {"authorization": "Bearer bad"}})
    code, reason = await raw.closed()
    assert code == 4403
    assert reason.startswith("Forbidden")


# --- Ping, Pong ----------------------------------------------------------------------------------


@pytest.mark.parametrize("payload", [{"at": 1}, None], ids=["payload", "null"])
async def test_ping_is_answered_by_a_pong(ready: Socket, payload: dict[str, Any] | None) -> None:
    await ready.send({"type": "ping", "payload": payload})
    assert (await ready.receive())["type"] == "pong"


async def test_ping_may_be_sent_at_any_time(raw: Socket) -> None:
    await raw.send({"type": "ping"})
    assert (await raw.receive())["type"] == "pong"
    await raw.init()


async def test_pong_may_be_sent_unsolicited_at_any_time(raw: Socket) -> None:
    await raw.send({"type": "pong"})
    await raw.init()
    await raw.send({"type": "pong", "payload": {"beat": 1}})
    await raw.send({"type": "pong", "payload": None})
    await raw.quiet()


# --- Subscribe -----------------------------------------------------------------------------------


async def test_subscribe_before_the_acknowledgement_is_closed_with_4401(
    raw: Socket, server: ProtocolServer
) -> None:
    await raw.subscribe(server.query)
    assert await raw.closed() == (4401, "Unauthorized")


async def test_subscribe_with_an_id_that_is_active_is_closed_with_4409(
    ready: Socket, server: ProtocolServer
) -> None:
    await ready.subscribe(server.silent, "the-id")
    await ready.subscribe(server.silent, "the-id")
    assert await ready.closed() == (4409, "Subscriber for the-id already exists")


async def test_subscribe_with_an_active_id_is_closed_regardless_of_the_operation_type(
    ready: Socket, server: ProtocolServer
) -> None:
    await ready.subscribe(server.silent, "the-id")
    await ready.subscribe(server.query, "the-id")
    assert (await ready.closed())[0] == 4409


async def test_subscribe_may_use_an_id_again_when_its_operation_has_completed(
    ready: Socket, server: ProtocolServer
) -> None:
    for _ in range(2):
        assert len(await ready.results(await ready.subscribe(server.query, "the-id"))) == 1


async def test_subscribe_may_use_an_id_again_when_the_client_has_completed_it(
    ready: Socket, server: ProtocolServer
) -> None:
    await ready.subscribe(server.silent, "the-id")
    await ready.quiet()
    await ready.send({"id": "the-id", "type": "complete"})
    assert len(await ready.results(await ready.subscribe(server.query, "the-id"))) == 1


@pytest.mark.parametrize("nothing", [None, {}], ids=["null", "empty"])
async def test_subscribe_accepts_null_and_empty_variables_operation_name_and_extensions(
    ready: Socket, server: ProtocolServer, nothing: dict[str, Any] | None
) -> None:
    payload = {"query": server.query, "variables": nothing, "extensions": nothing, "operationName": None}
    await ready.send({"id": "1", "type": "subscribe", "payload": payload})
    assert len(await ready.results("1")) == 1


async def test_subscribe_executes_the_operation_with_the_given_name(
    ready: Socket, server: ProtocolServer
) -> None:
    query = f"query One {server.query} query Two {{ __typename }}"
    payload = {"query": query, "operationName": "Two"}
    await ready.send({"id": "1", "type": "subscribe", "payload": payload})
    [result] = await ready.results("1")
    assert result["data"] == {"__typename": "Query"}


# --- Next, Error, Complete -----------------------------------------------------------------------


async def test_next_is_sent_for_each_result_and_then_complete(ready: Socket, server: ProtocolServer) -> None:
    results = await ready.results(await ready.subscribe(server.three))
    assert [next(iter(result["data"].values())) for result in results] == [
        {"position": 1},
        {"position": 2},
        {"position": 3},
    ]


@pytest.mark.parametrize("query", [INVALID, "subscription { nothingOfThisName }"])
async def test_error_reports_errors_before_execution(ready: Socket, query: str) -> None:
    id = await ready.subscribe(query)
    message = await ready.receive()
    assert (message["type"], message["id"]) == ("error", id)
    assert [isinstance(error["message"], str) for error in message["payload"]] == [True]


async def test_error_ends_the_operation_and_leaves_the_socket_open(
    ready: Socket, server: ProtocolServer
) -> None:
    id = await ready.subscribe(INVALID)
    assert (await ready.receive())["type"] == "error"
    await ready.quiet()  # no complete
    assert len(await ready.results(await ready.subscribe(server.query, id))) == 1


async def test_complete_from_the_client_stops_the_results(ready: Socket, server: ProtocolServer) -> None:
    id = await ready.subscribe(server.endless)
    await ready.next()
    await ready.send({"id": id, "type": "complete"})
    await asyncio.sleep(0.2)
    await ready.send({"type": "ping"})
    while (message := await ready.receive())["type"] != "pong":
        assert message["type"] == "next"  # results that were already sent
    await asyncio.sleep(0.2)
    await ready.quiet()


async def test_complete_of_an_unknown_id_is_ignored(ready: Socket) -> None:
    await ready.send({"id": "never-heard-of", "type": "complete"})
    await ready.quiet()


async def test_complete_of_an_operation_that_the_server_completed_is_ignored(
    ready: Socket, server: ProtocolServer
) -> None:
    id = await ready.subscribe(server.three)
    await ready.results(id)
    await ready.send({"id": id, "type": "complete"})
    await ready.quiet()


async def test_complete_of_an_operation_that_ended_in_an_error_is_ignored(ready: Socket) -> None:
    id = await ready.subscribe(INVALID)
    assert (await ready.receive())["type"] == "error"
    await ready.send({"id": id, "type": "complete"})
    await ready.quiet()


# --- Invalid message -----------------------------------------------------------------------------

INVALID_MESSAGES: dict[str, Any] = {
    "not JSON": "{",
    "an empty text": "",
    "an array": [],
    "null": "null",
    "a number": "7",
    "a string": '"connection_init"',
    "no type": {},
    "a type that is null": {"type": None},
    "a type that is not a string": {"type": 1},
    "an unknown type": {"type": "start"},
    "an empty type": {"type": ""},
    "a connection_init with a string": {"type": "connection_init", "payload": "token"},
    "a connection_init with an array": {"type": "connection_init", "payload": []},
    "a connection_init with a number": {"type": "connection_init", "payload": 0},
    "a ping with an array": {"type": "ping", "payload": []},
    "a pong with a string": {"type": "pong", "payload": "x"},
    "a subscribe without an id": {"type": "subscribe", "payload": {"query": "{ x }"}},
    "a subscribe with an empty id": {"type": "subscribe", "id": "", "payload": {"query": "{ x }"}},
    "a subscribe with a number for an id": {"type": "subscribe", "id": 1, "payload": {"query": "{ x }"}},
    "a subscribe without a payload": {"type": "subscribe", "id": "1"},
    "a subscribe with an array": {"type": "subscribe", "id": "1", "payload": []},
    "a subscribe without a query": {"type": "subscribe", "id": "1", "payload": {}},
    "a subscribe whose query is null": {"type": "subscribe", "id": "1", "payload": {"query": None}},
    "a subscribe whose query is not a string": {"type": "subscribe", "id": "1", "payload": {"query": {}}},
    "variables that are an array": {
        "type": "subscribe",
        "id": "1",
        "payload": {"query": "{ x }", "variables": []},
    },
    "an operationName that is not a string": {
        "type": "subscribe",
        "id": "1",
        "payload": {"query": "{ x }", "operationName": 1},
    },
    "extensions that are a string": {
        "type": "subscribe",
        "id": "1",
        "payload": {"query": "{ x }", "extensions": "x"},
    },
    "a complete without an id": {"type": "complete"},
    "a complete with an empty id": {"type": "complete", "id": ""},
}


@pytest.mark.parametrize("message", INVALID_MESSAGES.values(), ids=INVALID_MESSAGES.keys())
async def test_invalid_message_is_closed_with_4400(raw: Socket, message: object) -> None:
    await raw.send(message)
    code, reason = await raw.closed()
    assert code == 4400
    assert reason


async def test_invalid_message_is_closed_with_4400_while_operations_are_active(
    ready: Socket, server: ProtocolServer
) -> None:
    await ready.subscribe(server.endless)
    await ready.next()
    await ready.send({"type": "stop"})
    assert (await ready.closed())[0] == 4400


# --- Streaming operation, single result operation ------------------------------------------------


async def test_streaming_operation_that_both_sides_complete_at_the_same_time_ends(
    ready: Socket, server: ProtocolServer
) -> None:
    for number in range(20):
        id = await ready.subscribe(server.three, f"{number}")
        await ready.send({"id": id, "type": "complete"})
    await ready.send({"type": "ping"})
    while (message := await ready.receive())["type"] != "pong":
        assert message["type"] in {"next", "complete"}


async def test_single_result_operation_query_has_one_next_and_completes(
    ready: Socket, server: ProtocolServer
) -> None:
    [result] = await ready.results(await ready.subscribe(server.query))
    assert "errors" not in result
    assert set(result["data"]) == {"moment"}


async def test_single_result_operation_mutation_has_one_next_and_completes(
    ready: Socket, server: ProtocolServer
) -> None:
    [result] = await ready.results(await ready.subscribe(server.mutation))
    assert "errors" not in result


async def test_single_result_operation_shares_the_ids_of_streaming_operations(
    ready: Socket, server: ProtocolServer
) -> None:
    await ready.subscribe(server.endless, "1")
    await ready.next()
    await ready.subscribe(server.mutation, "1")
    assert (await ready.closed())[0] == 4409
