"""The golden log: the exact bytes that a fixed sequence of commands stores. Every later version must store the same.

`tests/golden/log.jsonl` has one line for each event. A failure here means that new logs would differ from old ones,
or that old ones would be read differently. If a new version of an event or a new rule intends it, rename the file to the
next `log-N.jsonl`, which stays, and write the lines again:

    .venv/bin/python -m tests.golden.record_log > tests/golden/log.jsonl

Nothing runs this command automatically.
"""

import hashlib
import hmac
import json
from pathlib import Path
from typing import Any

import pytest
import rfc8785

from ledgerpress.adapters.sqlite_log.event_log import SqliteEventLog
from ledgerpress.eventlog.envelope import Header, SealedPayload, StoredEvent
from ledgerpress.features.registry import EVENT_TYPES, event_codec
from tests.golden.log_lines import EARLIER, FILE, line_of
from tests.golden.recorded_commands import PUBLICATION, happen

HEADER = {
    "v", "publication", "position", "eventId", "stream", "streamVersion", "type", "schemaVersion", "recordedAt",
    "actorId", "onBehalfOfActorId", "commandId", "correlationId", "causationId", "payloadCommitment",
}  # fmt: skip
PAYLOAD = {"data", "reason", "idempotencyKey", "traceId", "fingerprint"}
NOT_RECORDED = {
    *("payload.withdrawn", "site.localized", "clock.confirmed", "clock.corrected"),
    *("correction.recorded", "correction.reworded", "correction.retracted"),
    *("site.described", "page.created", "page.edited", "page.published", "page.unpublished", "menu.arranged"),
}
"""Event types that no command of the sequence records, or that are newer than it: `schema/events` has samples of all."""


def pinned(file: Path = FILE) -> list[dict[str, Any]]:
    """Return the lines of a file, read without code of the program."""
    return [json.loads(line) for line in file.read_bytes().splitlines()]


async def test_the_same_commands_store_the_same_bytes(tmp_path: Path) -> None:
    log = await SqliteEventLog.open(tmp_path / "log.sqlite", create_as=lambda: PUBLICATION)
    try:
        await happen(log, tmp_path / "views.sqlite")
        lines = [line_of(stored) for stored in await log.read(0, 10_000)]
    finally:
        await log.aclose()
    expected = FILE.read_bytes().splitlines()
    for line, pinned_line in zip(lines, expected, strict=False):
        assert line == pinned_line.decode()
    assert len(lines) == len(expected)


def test_the_golden_log_contains_every_event_type_that_commands_record() -> None:
    kinds = {json.loads(line["leaf"])["type"] for line in pinned()}
    assert {name for name, *_ in EVENT_TYPES} - kinds == NOT_RECORDED


def test_commitments_and_leaf_hashes_can_be_computed_from_the_bytes() -> None:
    for line in pinned():
        leaf = line["leaf"].encode("ascii")
        header = json.loads(leaf)
        assert rfc8785.dumps(header) == leaf
        assert hashlib.sha256(b"\x00" + leaf).hexdigest() == line["leafHash"]
        salt, encoding, plaintext = (
            bytes.fromhex(line["salt"]),
            line["encoding"].encode(),
            line["payload"].encode(),
        )
        commitment = hmac.new(salt, encoding + b"\x00" + plaintext, hashlib.sha256).hexdigest()
        assert commitment == header["payloadCommitment"]
        assert len(salt) == 32


def test_headers_contain_every_field_and_no_text_that_a_person_wrote() -> None:
    written = {
        "Tide",
        "Town",
        "town",
        "Ada",
        "Lind",
        "desk",
        "mill",
        "market",
        "author-1",
        "page:",
        "4bf92f35",
    }
    positions, versions = [], dict[str, int]()
    for line in pinned():
        header = json.loads(line["leaf"])
        assert header.keys() == HEADER
        assert header["v"] == 1
        assert not any(word in line["leaf"] for word in written)
        assert json.loads(line["payload"]).keys() == PAYLOAD
        positions.append(header["position"])
        versions[header["stream"]] = versions.get(header["stream"], 0) + 1
        assert header["streamVersion"] == versions[header["stream"]]
    assert positions == list(range(1, len(positions) + 1))


@pytest.mark.parametrize("file", [FILE, *EARLIER], ids=lambda file: file.name)
def test_decoding_and_encoding_an_event_gives_the_same_bytes(file: Path) -> None:
    codec = event_codec()
    for line in pinned(file):
        fields = json.loads(line["leaf"])
        header = Header(*(fields[_camel(name)] for name in Header.__struct_fields__))
        payload = SealedPayload(line["encoding"], line["payload"].encode(), bytes.fromhex(line["salt"]))
        recorded = codec.decode(StoredEvent(header, payload))
        if codec.name_of(recorded.event) != (header.type, header.schema_version):
            continue  # An older version: `test_event_schemas` decodes its golden sample.
        encoded = codec.encode(
            recorded.event,
            salt=payload.salt,
            reason=recorded.reason,
            idempotency_key=recorded.idempotency_key,
            trace_id=recorded.trace_id,
            fingerprint=recorded.fingerprint,
        )
        assert encoded == payload
        assert line_of(StoredEvent(header, payload)) == json.dumps(line, ensure_ascii=False)


def _camel(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(map(str.capitalize, others))
