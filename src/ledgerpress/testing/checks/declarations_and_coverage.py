"""Check the declarations of features, and that the scenario and the probes cover all of them."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec
from graphql import GraphQLObjectType
from starlette.routing import compile_path

from ledgerpress.eventlog.clock_randomness_ids import uuid8
from ledgerpress.eventlog.envelope import (
    ENVELOPE_VERSION,
    JSON_ENCODING,
    SALT_BYTES,
    Header,
    SealedPayload,
    StoredEvent,
)
from ledgerpress.eventlog.errors import UndecodableEvent
from ledgerpress.feature import load
from ledgerpress.testing.checks.cache_and_past import check_answer
from ledgerpress.testing.checks.text_declarations import undeclared_text_fields
from ledgerpress.testing.definition import Definition
from ledgerpress.testing.probes import CLIENTS, QueryProbe
from ledgerpress.testing.recording import Recording, record, replayed

_SALT: Final = bytes(SALT_BYTES)


async def check_declarations(definition: Definition, directory: Path, log: str) -> None:
    """All names are in the feature's namespace; fields have permissions, and event types have dependency rules.

    An event type that no `DependencyRule` covers invalidates every cached response of the publication.
    """
    _ = definition.schema
    known = {type_ for rule in definition.feature_set.views.dependencies for type_ in rule.events}
    for feature in definition.features:
        for event in feature.events:
            if fields := undeclared_text_fields(event.type):
                raise definition.violation(
                    f"a withdrawal of {event.name} would keep {', '.join(fields)}, which can contain text.",
                    feature=feature.name,
                    event=event.name,
                    todo=f"add these fields to {event.type.__name__}.TEXT, each with its replacement, or with KEPT.",
                )
            if event.name not in known:
                raise definition.violation(
                    f"no DependencyRule of {feature.name} covers {event.name}, so each such event invalidates every "
                    "cached response.",
                    feature=feature.name,
                    event=event.name,
                    todo=f'add a rule to `dependencies`: DependencyRule.by_type({{"{event.name}": []}}, subject=…) '
                    "with the topics that your queries name in snapshot.about(…), or without topics if no query shows "
                    "the event.",
                )


async def check_coverage(definition: Definition, directory: Path, log: str) -> None:
    """The scenario records every event type of the features; the probes cover all fields, objects and pages.

    No probe fails, and each field has a value at some position.
    """
    recording = await record(definition, directory, log)
    types = {event.header.type for event in recording.events}
    for feature in definition.features:
        for event in feature.events:
            if event.name not in types | definition.unreached:
                raise definition.violation(
                    f"the scenario records no {event.name}, so the checks do not cover it.",
                    feature=feature.name,
                    event=event.name,
                    todo="let the scenario run a command that records it.",
                )
    fields = _check_fields(recording)
    _check_pages(recording)
    declared = definition.feature_set.declarations.commands
    for command in sorted(recording.run_commands - declared.keys(), key=lambda class_: class_.__name__):
        raise definition.violation(
            f"no feature declares the command {command.__name__} with a permission.",
            todo=f"add `feature.commands(RequiredPermission(…), {command.__name__})` to `Feature.commands`.",
        )
    await _check_values(recording, directory, fields)


async def check_stored_versions(definition: Definition, directory: Path, log: str) -> None:
    """Every stored version of each event can be read: the events of the scenario, and samples of older versions."""
    codec = definition.feature_set.codec()
    for feature in definition.features:
        for name, newest, class_, _ in feature.events:
            for version in range(1, newest):
                sample = definition.samples.get((name, version))
                if sample is None:
                    raise definition.violation(
                        f"there is no sample of {name} in version {version}.",
                        feature=feature.name,
                        event=name,
                        todo=f'add the recorded data of such an event: samples={{("{name}", {version}): {{…}}}}.',
                    )
                try:
                    event = codec.decode(_stored(name, version, sample)).event
                except UndecodableEvent as error:
                    raise definition.violation(
                        f"version {version} of {name} cannot be read: {error}",
                        feature=feature.name,
                        event=name,
                        todo="correct the upcaster. Recorded events cannot be changed.",
                    ) from error
                assert isinstance(event, class_)
    recording = await record(definition, directory, log)
    for stored in recording.events:
        decoded = codec.decode(stored)
        name, version = codec.name_of(decoded.event)
        again = codec.decode(_stored(name, version, msgspec.to_builtins(decoded.event)))
        if again.event != decoded.event:
            raise definition.violation(
                f"{name} is not the same after it is recorded and read again.",
                feature=definition.feature_of_event(name),
                position=stored.position,
                event=name,
                todo="use field types that msgspec encodes and decodes without loss.",
            )


async def _check_values(recording: Recording, directory: Path, fields: Sequence[tuple[str, str]]) -> None:
    """Run each probe after each event. Raises `ContractViolation` if a probe fails, or if a field never has a value."""
    definition, end = recording.definition, len(recording.events)
    missing = {coordinate: feature for feature, coordinate in fields}
    for coordinate in definition.unreached:
        missing.pop(coordinate, None)
    probes = definition.probes(recording.values)
    async with replayed(recording, directory / "replayed", recording.first_position) as replay:
        for position in range(recording.first_position, end + 1):
            await replay.advance(position)
            for probe in probes:
                answer = await probe.ask(replay.client, CLIENTS["operator"], cached=False)
                check_answer(recording, probe, "operator", answer, position)
                if isinstance(probe, QueryProbe):
                    for coordinate in [*missing]:
                        if any(value is not None for value in probe.values(coordinate, answer)):
                            del missing[coordinate]
    if missing:
        coordinate, *others = missing
        raise definition.violation(
            f"{coordinate} is null, or an empty list, in every response of the scenario, so the other checks do not "
            "cover it.",
            feature=missing[coordinate],
            details=[f"and also: {other}" for other in others],
            todo="let the scenario record data for this field and a query read it, or name the field in `unreached`.",
        )


def _check_fields(recording: Recording) -> list[tuple[str, str]]:
    """Return the feature and coordinate of each field that queries must read.

    Raises `ContractViolation` for a field that no query reads.
    """
    definition = recording.definition
    read = {name for probe in definition.query_probes(recording.values) for name in probe.fields}
    required = [
        (field.feature, field.coordinate)
        for field in definition.added_fields()
        if field.type not in {"Mutation", "Subscription"}
    ]
    for feature, part in definition.contributions().items():
        for name in part.objects:
            object_ = definition.schema._schema.type_map[name]
            assert isinstance(object_, GraphQLObjectType)
            inherited = {field for interface in object_.interfaces for field in interface.fields}
            required += [(feature, f"{name}.{field}") for field in object_.fields if field not in inherited]
    for feature, coordinate in required:
        if coordinate not in read | definition.unreached:
            raise definition.violation(
                f"no query of the contract reads {coordinate}, so the checks do not cover it.",
                feature=feature,
                todo="add it to one of `queries`.",
            )
    return required


def _check_pages(recording: Recording) -> None:
    """Raise `ContractViolation` for a page without an example in `pages`."""
    definition = recording.definition
    paths = [probe.path.partition("?")[0] for probe in definition.page_probes(recording.values)]
    for feature in definition.features:
        for route in load(feature.pages).routes if feature.pages else ():
            pattern = compile_path(route)[0]
            if not any(pattern.match(path) for path in paths) and route not in definition.unreached:
                raise definition.violation(
                    f"no page of the contract matches {route}.",
                    feature=feature.name,
                    todo="add an example of its path to `pages`.",
                )


def _stored(name: str, version: int, data: object) -> StoredEvent:
    """Return an event as it is stored in a log, with the given data."""
    some_id = uuid8("sample", name)
    body = {"data": data, "reason": None, "idempotencyKey": None, "traceId": None, "fingerprint": None}
    payload = SealedPayload(JSON_ENCODING, msgspec.json.encode(body), _SALT)
    header = Header(
        v=ENVELOPE_VERSION,
        publication=some_id,
        position=1,
        event_id=some_id,
        stream="log",
        stream_version=1,
        type=name,
        schema_version=version,
        recorded_at=0,
        actor_id=some_id,
        on_behalf_of_actor_id=None,
        command_id=some_id,
        correlation_id=some_id,
        causation_id=None,
        payload_commitment=payload.commitment(),
    )
    return StoredEvent(header, payload)
