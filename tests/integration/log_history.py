"""Read a log while servers write to it, and check the invariants of every log."""

from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import TypeAlias

from ledgerpress.eventlog.clock_randomness_ids import uuid8
from ledgerpress.eventlog.codec import Recorded
from ledgerpress.eventlog.event_and_withdrawn_event import Event
from ledgerpress.features.registry import event_codec
from ledgerpress.server.data_directory import LOG_FILE
from ledgerpress.server.log_factory import open_log
from ledgerpress.server.log_url import LogUrl

History: TypeAlias = list[Recorded[Event]]


async def recorded(data: Path, after: int = 0) -> History:
    """Return the events with positions greater than `after` of the log in a data directory."""
    return await recorded_at(f"sqlite:{data / LOG_FILE}", after)


async def recorded_at(url: str, after: int = 0) -> History:
    """Return the events with positions greater than `after` of the log at a URL."""
    log = await open_log(LogUrl.parse(url), Path(), create_as=None)
    try:
        codec, events = event_codec(), History()
        while batch := await log.read(after, 10_000):
            events += codec.decode_all(batch)
            after = events[-1].position
        return events
    finally:
        await log.aclose()


def assert_gapless(events: Sequence[Recorded[Event]]) -> None:
    """Fail unless `events`, a complete log, have all positions from 1 and each stream has all versions from 1."""
    assert [event.position for event in events] == list(range(1, len(events) + 1))
    versions: dict[str, int] = {}
    for header in (event.header for event in events):
        versions[header.stream] = versions.get(header.stream, 0) + 1
        assert header.stream_version == versions[header.stream], header


def by_command(events: Sequence[Recorded[Event]]) -> dict[str, History]:
    """Return the events by command id. Fails unless the events of each command are adjacent, complete and in order."""
    commands: dict[str, History] = {}
    for command_id, group in groupby(events, key=lambda event: event.header.command_id):
        assert command_id not in commands, f"the events of command {command_id} are not adjacent"
        commands[command_id] = list(group)
        ids = [event.header.event_id for event in commands[command_id]]
        assert ids == [uuid8(command_id, index) for index in range(len(ids))]
    return commands


def of_stream(events: Sequence[Recorded[Event]], stream: str) -> History:
    """Return the events of one stream."""
    return [event for event in events if event.header.stream == stream]
