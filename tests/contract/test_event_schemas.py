"""Every released event version has a JSON Schema and a golden sample, and both stay in the repository.

A golden sample is the plaintext of one stored payload, on one line. No tool overwrites it: the next version of an
event gets its own sample, and an upcaster converts the older one to the newer version.
"""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import jsonschema
import msgspec
import pytest

from ledgerpress.eventlog.clock_randomness_ids import uuid8
from ledgerpress.eventlog.codec import Codec, EventType
from ledgerpress.eventlog.envelope import Header, SealedPayload, StoredEvent
from ledgerpress.eventlog.errors import UndecodableEvent
from ledgerpress.eventlog.event_and_withdrawn_event import Event, withdrawn
from ledgerpress.features.registry import EVENT_TYPES, event_codec
from ledgerpress.operator import event_schemas

DIRECTORY: Final = Path(__file__).parents[2] / "schema" / "events"
SALT: Final = bytes(32)
EVERY_VERSION: Final = [(name, v) for name, newest, *_ in EVENT_TYPES for v in range(1, newest + 1)]
NEWEST: Final = [entry[:3] for entry in EVENT_TYPES]


def plaintext(name: str, version: int) -> bytes:
    """Return the stored bytes of a golden sample."""
    return (DIRECTORY / f"{name}.v{version}.golden.json").read_bytes().removesuffix(b"\n")


def schema(name: str, version: int) -> dict[str, Any]:
    """Return the schema of an event's data."""
    document: dict[str, Any] = json.loads((DIRECTORY / f"{name}.v{version}.schema.json").read_bytes())
    return document


def stored(name: str, version: int) -> StoredEvent:
    """Return a golden sample as the log would store it."""
    some_id = uuid8("golden sample", name)
    payload = SealedPayload("json", plaintext(name, version), SALT)
    stream = f"{name.partition('.')[0]}.{some_id}"
    header = Header(
        1,
        some_id,
        1,
        some_id,
        stream,
        1,
        name,
        version,
        0,
        some_id,
        None,
        some_id,
        some_id,
        None,
        payload.commitment(),
    )
    return StoredEvent(header, payload)


def test_each_event_version_has_a_schema_and_a_sample_and_there_are_no_other_files() -> None:
    expected = {f"{name}.v{version}" for name, version in EVERY_VERSION}
    assert {path.name.removesuffix(".schema.json") for path in DIRECTORY.glob("*.schema.json")} == expected
    assert {path.name.removesuffix(".golden.json") for path in DIRECTORY.glob("*.golden.json")} == expected
    assert len(list(DIRECTORY.iterdir())) == 2 * len(expected)


def test_each_step_between_versions_has_an_upcaster() -> None:
    assert [len(entry.upcasters) for entry in EVENT_TYPES] == [entry.version - 1 for entry in EVENT_TYPES]


@pytest.mark.parametrize(("name", "version"), EVERY_VERSION)
def test_a_schema_is_strict_and_its_sample_is_valid(name: str, version: int) -> None:
    data_schema = schema(name, version)
    jsonschema.Draft202012Validator.check_schema(data_schema)
    assert data_schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert data_schema["$id"] == f"urn:ledgerpress:event:{name}:v{version}"
    assert data_schema["additionalProperties"] is False
    assert data_schema["title"]
    assert data_schema["description"]
    sample = json.loads(plaintext(name, version))
    jsonschema.validate(sample["data"], data_schema, cls=jsonschema.Draft202012Validator)
    assert sample["data"].keys() == data_schema["properties"].keys(), "a sample contains every field"
    assert sample.keys() == {"data", "reason", "idempotencyKey", "traceId", "fingerprint"}


@pytest.mark.parametrize(("name", "version"), EVERY_VERSION)
def test_a_sample_is_decoded_as_the_newest_version(name: str, version: int) -> None:
    newest = {entry: type_ for entry, _, type_, _ in EVENT_TYPES}
    recorded = event_codec().decode(stored(name, version))
    assert type(recorded.event) is newest[name]
    assert recorded.reason == json.loads(plaintext(name, version))["reason"]


@pytest.mark.parametrize(("name", "version", "type_"), NEWEST)
def test_the_newest_version_is_encoded_as_its_sample(name: str, version: int, type_: type[Event]) -> None:
    codec = event_codec()
    recorded = codec.decode(stored(name, version))
    assert codec.name_of(recorded.event) == (name, version)
    encoded = codec.encode(
        recorded.event,
        salt=SALT,
        reason=recorded.reason,
        idempotency_key=recorded.idempotency_key,
        trace_id=recorded.trace_id,
        fingerprint=recorded.fingerprint,
    )
    assert encoded.plaintext == plaintext(name, version)


def altered(type_: type[Event]) -> Iterator[tuple[str, type[Event]]]:
    """Yield classes that change `type_` as a mistake could: a field is removed, renamed or added."""
    fields: list[Any] = [
        (field.name, field.type, *([] if field.required else [field.default]))
        for field in msgspec.structs.fields(type_)
    ]

    def variant(new_fields: list[Any]) -> type[Event]:
        return msgspec.defstruct(type_.__name__, new_fields, bases=(Event,), frozen=True, kw_only=True)  # type: ignore[return-value]

    for field in fields:
        others = [other for other in fields if other is not field]
        yield f"without {field[0]}", variant(others)
        yield f"{field[0]} renamed", variant([*others, (f"{field[0]}_renamed", *field[1:])])
    yield "with a new field that has no default", variant([*fields, ("brand_new", str)])


@pytest.mark.parametrize(("name", "version", "type_"), NEWEST)
def test_a_removed_renamed_or_added_field_is_detected(name: str, version: int, type_: type[Event]) -> None:
    sample = stored(name, version)
    for change, variant in altered(type_):
        codec = Codec([EventType(name, version, variant)], withdrawn)
        with pytest.raises(UndecodableEvent):
            raise AssertionError(f"{name} {change}: {codec.decode(sample).event}")


def test_the_schema_files_match_the_code() -> None:
    assert event_schemas.check(DIRECTORY) == []


def test_differences_between_schema_files_and_code_are_reported(tmp_path: Path) -> None:
    directory = tmp_path / "events"
    event_schemas.write(directory)
    assert event_schemas.check(directory) == []

    (directory / "post.created.v2.schema.json").unlink()
    shutil.copy(directory / "post.edited.v2.schema.json", directory / "post.sparkled.v1.schema.json")
    (directory / "site.named.v1.schema.json").write_text("{}", encoding="utf-8")
    messages = "\n".join(sorted(event_schemas.check(directory)))
    assert messages.count("\n") == 2
    assert "post.created.v2.schema.json is missing" in messages
    assert "site.named.v1.schema.json differs" in messages
    assert "post.sparkled.v1.schema.json does not belong to any event" in messages


def test_writing_schemas_does_not_change_the_samples(tmp_path: Path) -> None:
    directory = tmp_path / "events"
    directory.mkdir()
    (directory / "post.created.v1.golden.json").write_bytes(b"as it was")
    event_schemas.write(directory)
    assert (directory / "post.created.v1.golden.json").read_bytes() == b"as it was"
    assert {path.name for path in directory.glob("*.golden.json")} == {"post.created.v1.golden.json"}
