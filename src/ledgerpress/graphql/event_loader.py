"""Recorded events as a client may see them, read from the log by position, those of one answer together."""

from collections.abc import Iterator, Sequence
from typing import Any, Final

import msgspec
from strawberry.dataloader import DataLoader

from ledgerpress.eventlog.envelope import JSON_ENCODING, StoredEvent
from ledgerpress.eventlog.log import EventLog

_NEAR: Final = 16
"""Positions no further apart than this are read in one run, with what lies between them."""
_SECRETS: Final = {"log.opened": frozenset({"nameKey"}), "token.created": frozenset({"secretHash"})}
"""Data that no answer holds. The name key keeps slugs from being guessed from the names of their streams."""


def event_loader(log: EventLog) -> DataLoader[int, StoredEvent]:
    """Return what loads events by position, of one request."""

    async def load(positions: list[int]) -> list[StoredEvent]:
        found: dict[int, StoredEvent] = {}
        for first, last in _runs(sorted(positions)):
            after = first - 1
            while after < last and (batch := await log.read(after, last - after)):
                found.update((event.position, event) for event in batch)
                after = batch[-1].position
        return [found[position] for position in positions]

    return DataLoader(load)


def plaintext(stored: StoredEvent) -> dict[str, Any] | None:
    """Return the payload as JSON, `None` where it was withdrawn."""
    if stored.payload is None or stored.payload.encoding != JSON_ENCODING:
        return None
    payload: dict[str, Any] = msgspec.json.decode(stored.payload.plaintext)
    return payload


def presentable(stored: StoredEvent, *, tokens: bool) -> dict[str, Any]:
    """Return header and payload as they are recorded; the payload of what happened to a token only with `tokens`."""
    payload = plaintext(stored) if tokens or not stored.header.type.startswith("token.") else None
    secret = _SECRETS.get(stored.header.type, frozenset())
    if payload and secret:
        payload["data"] = {name: value for name, value in payload["data"].items() if name not in secret}
    return {"header": msgspec.to_builtins(stored.header), "payload": payload}


def _runs(positions: Sequence[int]) -> Iterator[tuple[int, int]]:
    first = last = positions[0]
    for position in positions[1:]:
        if position - last > _NEAR:
            yield first, last
            first = position
        last = position
    yield first, last
