"""Check a process without the features on a log with their events, and then a process with the features again."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from ledgerpress.commands.client_identity import LOCAL_OPERATOR
from ledgerpress.testing.contract_violation import differences
from ledgerpress.testing.definition import Definition
from ledgerpress.testing.fixed_clock_and_randomness import SeededRandomness, StandingClock
from ledgerpress.testing.recording import Recording, record
from ledgerpress.testing.store_client import Answer, open_client

_CHANGES: Final = "{ changes(first: 100) { totalCount nodes { position type version } } }"


async def check_absence(definition: Definition, directory: Path, log: str) -> None:
    """A process without the features ignores their events. With the features again, all responses are as before.

    Without the features, the process uses the same directory, and serves the front page and the history.
    """
    recording = await record(definition, directory, log)
    before = await _answers(recording)
    opening = open_client(
        definition.feature_set_without,
        recording.data,
        log=log,
        clock=StandingClock(recording.time_at(len(recording.events))),
        randomness=SeededRandomness("without"),
    )
    async with opening as client:
        for name, point in client.store.checkpoints.items():
            if point.failed_at is not None:
                type_ = recording.type_at(point.failed_at)
                raise definition.violation(
                    f"in a process without {definition.names}, the projection {name} is paused: {point.error}",
                    position=point.failed_at,
                    event=type_,
                    todo="name the events x.<feature>.<name>, so that processes without the feature can ignore them. "
                    "If the feature depends on another feature, add that feature to `others` of the contract.",
                )
        page, changes = await client.page("/"), await client.post(_CHANGES)
        if page.status != 200 or changes.errors:
            raise definition.violation(
                f"a process without {definition.names} cannot serve the store.",
                details=[f"/: status {page.status}", f"changes: {changes.errors}"],
                todo="in streams of other features, record only events that those features accept (Feature.streams).",
            )
    after = await _answers(recording)
    for name, answer in after.items():
        if answer != before[name]:
            path, old, new = next(differences(before[name].body, answer.body), ("position", 0, 0))
            raise definition.violation(
                f"a response changes after a process without {definition.names} has used the same log and directory.",
                probe=name,
                details=[f"{path}: {old!r} became {new!r}"],
                todo="read only rows of your own tables, and derive them only from events.",
            )


async def _answers(recording: Recording) -> Mapping[str, Answer]:
    """Open the store with the features, and return the response to each probe."""
    definition = recording.definition
    opening = open_client(
        definition.feature_set,
        recording.data,
        log=recording.log,
        clock=StandingClock(recording.time_at(len(recording.events))),
        randomness=SeededRandomness("with"),
    )
    async with opening as client:
        answers: dict[str, Any] = {}
        for probe in definition.probes(recording.values):
            answers[probe.name] = await probe.ask(client, LOCAL_OPERATOR)
        return answers
