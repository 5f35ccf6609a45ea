"""Check events whose payload was withdrawn: they can be applied, and their text is left nowhere."""

import re
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import msgspec

from ledgerpress.commands.command_request_and_context import CommandRequest
from ledgerpress.eventlog.envelope import StoredEvent
from ledgerpress.operator.verify import verify_views
from ledgerpress.operator.withdraw import NEVER_WITHDRAWN, withdraw_payload
from ledgerpress.sqlite.connection import open_to_read
from ledgerpress.testing.checks.cache_and_past import check_answer
from ledgerpress.testing.checks.projecting import MemoryViews
from ledgerpress.testing.contract_violation import differences
from ledgerpress.testing.definition import Definition
from ledgerpress.testing.fixed_clock_and_randomness import SeededRandomness
from ledgerpress.testing.probes import CLIENTS, Probe
from ledgerpress.testing.recording import LiveRecording, Recording, read_all, recorded, wait_for

MIN_TEXT: Final = 4
"""Minimum length of a text to search for: shorter texts also occur elsewhere by chance."""
_WITHDRAWN: Final = (
    "a withdrawn event still has its type, its stream and its header, but its class is ledgerpress.feature.Withdrawn. "
    "Add this class to `events` of the projector, read ids from the stream (StreamCategory.id_in), and write no values."
)


async def check_withdrawal(definition: Definition, directory: Path, log: str) -> None:
    """An event whose payload was withdrawn can be applied, and its text is left in no view, response or page.

    In memory, the payload of each event of the scenario is withdrawn, one event at a time. In the store, the payload of
    one event of each type of the features is withdrawn in turn, and the probes run before and after each withdrawal.
    Rebuilt views equal the views of the store.
    """
    async with recorded(definition, directory, log) as live:
        for stored in live.recording.events:
            if stored.header.type not in NEVER_WITHDRAWN:
                _apply_without_payload(live.recording, stored)
        probes = definition.probes(live.recording.values)
        await _ask(live, probes)
        types = [event_type.name for feature in definition.features for event_type in feature.events]
        for type_ in dict.fromkeys(types):
            event = _event_with_most_texts(live.recording, type_)
            if event is not None and type_ not in NEVER_WITHDRAWN:
                await _withdraw(live, event, probes)
        await _verify(live)


def _apply_without_payload(recording: Recording, target: StoredEvent) -> None:
    """Apply all events to read models and to the states of streams, one of them without its payload."""
    definition, position = recording.definition, target.position
    events = [
        msgspec.structs.replace(stored, payload=None) if stored.position == position else stored
        for stored in recording.events
    ]
    facts = {"feature": definition.feature_of_event(target.header.type), "event": target.header.type}
    with closing(MemoryViews(definition.feature_set)) as views:
        for name, point in views.apply(events).items():
            if point.failed_at is not None:
                raise definition.violation(
                    f"the projection {name} fails at position {point.failed_at} ({recording.type_at(point.failed_at)}) "
                    f"if the payload of {target.header.type} is withdrawn: {point.error}",
                    position=position,
                    **facts,
                    todo=_WITHDRAWN,
                )
    codec = definition.feature_set.codec()
    for category in (stream for feature in definition.features for stream in feature.streams):
        if target.header.stream != category.prefix and not target.header.stream.startswith(
            f"{category.prefix}."
        ):
            continue
        state = category.initial
        try:
            for stored in events:
                if stored.header.stream == target.header.stream:
                    state = category.evolve(state, codec.decode(stored).event)
        except Exception as error:
            raise definition.violation(
                f"`evolve` of {category.prefix} fails if the payload of {target.header.type} is withdrawn: {error!r}",
                position=position,
                **facts,
                todo="let `evolve` return a state for every event: it must not reject a recorded event, and a "
                "withdrawn event is a `Withdrawn`, without your fields.",
            ) from error


async def _withdraw(live: LiveRecording, stored: StoredEvent, probes: Sequence[Probe]) -> None:
    """Withdraw a payload from the log, and search for its text in the views and in every response."""
    store, type_ = live.client.store, stored.header.type
    texts = _texts_of_only(stored, await read_all(store.log))
    record = await withdraw_payload(
        store.log,
        store.codec,
        store.clock,
        SeededRandomness(str(stored.position)),
        stored.position,
        CommandRequest(reason="The contract suite withdraws it."),
    )
    recording = live.recording.copy_with(await read_all(store.log))
    live = LiveRecording(recording, live.client)
    await wait_for(live.client, recording, record)
    await store.views.sweep()
    places = [(f"{table}.{column}", value) for table, column, value in _values(store.views.path)]
    places += await _ask(live, probes)
    for text in texts:
        words = re.compile(rf"(?<!\w){re.escape(text)}(?!\w)")
        for place, value in places:
            if words.search(value):
                raise recording.definition.violation(
                    f"the text of a withdrawn payload is still in {place}.",
                    feature=recording.definition.feature_of_event(type_),
                    position=stored.position,
                    event=type_,
                    details=[f"it contains {text!r}"],
                    todo="store nothing of an event in memory, in files or in other events. Rows are rewritten without "
                    "the text if they depend only on the events.",
                )


async def _ask(live: LiveRecording, probes: Sequence[Probe]) -> list[tuple[str, str]]:
    """Return the text of every response, with its probe. Raises `ContractViolation` if one fails or is stale."""
    recording, texts, position = live.recording, [], len(live.recording.events)
    for probe in probes:
        for client, identity in CLIENTS.items():
            cached = await probe.ask(live.client, identity)
            computed = await probe.ask(live.client, identity, cached=False)
            check_answer(recording, probe, client, computed, position)
            if cached != computed:
                path, old, new = next(differences(cached.body, computed.body), ("position", cached, computed))
                raise recording.definition.violation(
                    "a cached response is stale after a withdrawal.",
                    probe=probe.name,
                    client=client,
                    position=position,
                    event=recording.type_at(position),
                    details=[f"{path}: cached {old!r}, current {new!r}"],
                    todo="cache data of events only in the response cache.",
                )
            texts += [(probe.name, _text(cached.body)), (probe.name, _text(computed.body))]
    return texts


async def _verify(live: LiveRecording) -> None:
    """Compare the views with rebuilt views after all withdrawals."""
    definition, data, log = live.recording.definition, live.recording.data, live.recording.log
    views = await verify_views(data, log=log, features=definition.feature_set)
    assert views is not None
    if views.failure is not None or views.differing:
        raise definition.violation(
            f"after withdrawals, rebuilt views differ in {', '.join(views.differing) or views.failure}.",
            todo=_WITHDRAWN,
        )


def _event_with_most_texts(recording: Recording, type: str) -> StoredEvent | None:
    """Return the event of a type with the most texts that no other event contains, if there is an event of the type."""
    events = [stored for stored in recording.events if stored.header.type == type]
    return max(events, key=lambda stored: len(_texts_of_only(stored, recording.events)), default=None)


def _texts_of_only(stored: StoredEvent, events: Sequence[StoredEvent]) -> list[str]:
    """Return the texts in the payload of an event that occur in no other payload and in no header."""
    if stored.payload is None:
        return []
    others = [_text(event.header) for event in events]
    others += [
        _text(msgspec.json.decode(event.payload.plaintext))
        for event in events
        if event.payload is not None and event.position != stored.position
    ]
    texts = set(_strings(msgspec.json.decode(stored.payload.plaintext)["data"]))
    return sorted(
        text for text in texts if len(text) >= MIN_TEXT and not any(text in other for other in others)
    )


def _strings(value: Any) -> Iterator[str]:
    """Yield the texts in a JSON value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _strings(item)


def _text(value: Any) -> str:
    """Return the text of a page, or all texts of a JSON value, one per line."""
    return value if isinstance(value, str) else "\n".join(_strings(msgspec.to_builtins(value)))


def _values(views: Path) -> Iterator[tuple[str, str, str]]:
    """Yield each text in a views file, with its table and column."""
    with closing(open_to_read(views)) as db:
        for (table,) in db.execute("SELECT name FROM sqlite_schema WHERE type = 'table'").fetchall():
            yield from _values_of(db, table)


def _values_of(db: sqlite3.Connection, table: str) -> Iterator[tuple[str, str, str]]:
    cursor = db.execute(f'SELECT * FROM "{table}"')  # noqa: S608 - a name of a table of the views
    columns = [column[0] for column in cursor.description]
    for row in cursor:
        for column, value in zip(columns, row, strict=True):
            if isinstance(value, bytes):
                value = value.decode("utf-8", "replace")
            if isinstance(value, str):
                yield table, column, value
