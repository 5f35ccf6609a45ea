"""A client of event streams (HTML, section 9.2) that returns the received events."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx2

SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class Event:
    """An event. `text` is its data, or `None` if the event has no data field."""

    type: str
    text: str | None
    id: str | None

    @property
    def data(self) -> Any:
        """The data, as JSON."""
        assert self.text is not None
        return json.loads(self.text)


class Stream:
    """An event stream that is being read."""

    def __init__(self, response: httpx2.Response) -> None:
        self.status = response.status_code
        self.headers = response.headers
        self._lines = response.aiter_lines()

    @property
    def media_type(self) -> str:
        """The media type, without parameters."""
        return str(self.headers["content-type"]).partition(";")[0]

    async def next(self) -> Event:
        """Return the next event; skip comments."""
        async with asyncio.timeout(SECONDS):
            event = await self._read()
        assert event is not None, "the stream has ended"
        return event

    async def next_or_end(self) -> Event | None:
        """Return the next event, or `None` once the stream has ended; skip comments."""
        async with asyncio.timeout(SECONDS):
            return await self._read()

    async def rest(self) -> list[Event]:
        """Return the remaining events of the stream."""
        events = []
        async with asyncio.timeout(SECONDS):
            while event := await self._read():
                events.append(event)
        return events

    async def _read(self) -> Event | None:
        fields: dict[str, str] = {}
        async for line in self._lines:
            if line.startswith(":"):
                continue
            if line:
                name, _, value = line.partition(":")
                fields[name] = value.removeprefix(" ")
            elif fields:
                return Event(fields.get("event", "message"), fields.get("data"), fields.get("id"))
        return None


@asynccontextmanager
async def opened(
    http: httpx2.AsyncClient,
    method: str,
    url: str,
    query: str | None,
    headers: dict[str, str] | None = None,
    /,
    **variables: Any,
) -> AsyncIterator[Stream]:
    """Open a stream for an operation or a reservation."""
    headers = {"Accept": "text/event-stream", **(headers or {})}
    body = {"query": query, "variables": variables} if query and method == "POST" else None
    params = {"query": query, "variables": json.dumps(variables)} if query and method == "GET" else None
    async with http.stream(method, url, headers=headers, json=body, params=params) as response:
        yield Stream(response)
