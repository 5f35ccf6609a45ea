"""Recorded events as clients may see them. The events of one response are read from the log together, by position."""

from dataclasses import dataclass
from typing import Any, Final

import msgspec
from strawberry.dataloader import DataLoader

from ledgerpress.commands.client_identity import Identity
from ledgerpress.eventlog.envelope import StoredEvent, plaintext
from ledgerpress.eventlog.events_at_positions import events_at
from ledgerpress.eventlog.log import EventLog


@dataclass(frozen=True, slots=True)
class EventAccess:
    """The access to an event's payload: clients need `permission`, if set; no client sees the fields in `secret`."""

    secret: frozenset[str] = frozenset()
    permission: str | None = None


EVERYONE: Final = EventAccess()


def event_loader(log: EventLog) -> DataLoader[int, StoredEvent]:
    """Return a loader of events by position, for one request."""

    async def load(positions: list[int]) -> list[StoredEvent]:
        events = await events_at(log, positions)
        return [events[position] for position in positions]

    return DataLoader(load)


def visible_event(stored: StoredEvent, access: EventAccess | None, viewer: Identity) -> dict[str, Any]:
    """Return the header and the payload as recorded, without secret fields; the payload is `None` if it is not visible.

    If `access` is `None`, no client may see the payload: the type of the event is unknown, so it is also unknown which
    clients may see it.
    """
    visible = access is not None and (access.permission is None or viewer.may(access.permission))
    payload = plaintext(stored) if visible else None
    if payload and access and access.secret:
        payload["data"] = {
            name: value for name, value in payload["data"].items() if name not in access.secret
        }
    return {"header": msgspec.to_builtins(stored.header), "payload": payload}
