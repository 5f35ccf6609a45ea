"""An event stream (HTML, 9.2, Server-sent events) that carries operations."""

import asyncio
from typing import Any, Final

from starlette.types import Receive, Send

from ledgerpress.graphql.subscriptions.result_messages import ResultMessage, to_json
from ledgerpress.graphql.subscriptions.settings import SubscriptionSettings

HEADERS: Final = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),
]
_KEEP_ALIVE: Final = b":\n\n"


class EventStream:
    """A response that stays open. With `of_many`, its events name their operation; else it ends with its only one.

    Events wait until the stream has been opened.
    """

    def __init__(self, settings: SubscriptionSettings, *, of_many: bool) -> None:
        self._settings = settings
        self._of_many = of_many
        self._opened = asyncio.Event()
        self._send: Send
        self._ended: asyncio.Future[bool] = asyncio.get_running_loop().create_future()

    @property
    def is_open(self) -> bool:
        """Whether it has been opened; that happens once."""
        return self._opened.is_set()

    async def run(self, receive: Receive, send: Send) -> None:
        """Send the response, until the client disconnects or the stream ends."""
        self._send = send
        self._opened.set()
        await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
        disconnected = asyncio.create_task(_disconnect(receive), name="event stream")
        try:
            await self._write(_KEEP_ALIVE)  # some browsers wait for the first bytes
            while not disconnected.done() and not self._ended.done():
                waited: set[asyncio.Future[Any]] = {disconnected, self._ended}
                done, _ = await asyncio.wait(
                    waited,
                    timeout=self._settings.keep_alive_seconds,
                    return_when=asyncio.FIRST_COMPLETED,
                )
                if not done:
                    await self._write(_KEEP_ALIVE)
            if not disconnected.done():
                await self._write(b"", more=False)
        except OSError:
            return
        finally:
            disconnected.cancel()

    def end(self) -> None:
        """End it."""
        if not self._ended.done():
            self._ended.set_result(True)

    async def next(self, id_: str, event: ResultMessage) -> None:
        """Send a result."""
        key = ("many", id_) if self._of_many else ("one", "")
        if event.frame is None or event.frame[0] != key:
            event.frame = key, _body(self._next(id_, event))
        if not self._opened.is_set():
            await self._opened.wait()
        await self._send(event.frame[1])

    async def errors(self, id_: str, errors: list[dict[str, Any]]) -> None:
        """Send that an operation has ended with errors: as a result, since the protocol has no errors."""
        await self._opened.wait()
        payload = to_json({"errors": errors})
        data = f'{{"id":{to_json(id_)},"payload":{payload}}}' if self._of_many else payload
        await self._write(f"event: next\ndata: {data}\n\n".encode())
        await self.complete(id_)

    async def complete(self, id_: str) -> None:
        """Send that an operation has ended."""
        await self._opened.wait()
        data = f'{{"id":{to_json(id_)}}}' if self._of_many else ""
        await self._write(f"event: complete\ndata: {data}\n\n".encode())
        if not self._of_many:
            self.end()

    def abandon(self) -> None:
        """End it: the client takes nothing more."""
        self.end()

    def _next(self, id_: str, event: ResultMessage) -> bytes:
        if self._of_many:
            return f'event: next\ndata: {{"id":{to_json(id_)},"payload":{event.payload}}}\n\n'.encode()
        return f"event: next\nid: {event.position}\ndata: {event.payload}\n\n".encode()

    async def _write(self, body: bytes, *, more: bool = True) -> None:
        async with asyncio.timeout(self._settings.send_seconds):
            await self._send({"type": "http.response.body", "body": body, "more_body": more})


def _body(body: bytes) -> dict[str, Any]:
    return {"type": "http.response.body", "body": body, "more_body": True}


async def _disconnect(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
