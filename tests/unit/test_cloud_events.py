"""Events as lines of JSON: they follow CloudEvents 1.0 and are read back unchanged."""

import base64
import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledgerpress.eventlog.cloud_events import NotAnEvent, from_line, to_line
from ledgerpress.eventlog.envelope import MAX_INTEGER, Header, SealedPayload, StoredEvent

UUID = "018f429d-fbe8-73ca-8611-859b059dcc05"
HEADER = Header(
    1, UUID, 7, UUID, f"post.{UUID}", 2, "post.edited", 1, 1_714_809_600_000_001,
    UUID, None, UUID, UUID, None, "ab" * 32,
)  # fmt: skip
EVENT = StoredEvent(HEADER, SealedPayload("json", b'{"data":{"title":"\xc3\x89tude"}}', b"s" * 32))

numbers = st.integers(0, MAX_INTEGER)
ids = st.uuids().map(str)
headers = st.builds(
    Header, st.just(1), ids, numbers, ids, st.just("taxonomy"), numbers, st.just("post.created"), numbers,
    numbers, ids, st.none() | ids, ids, ids, st.none() | ids, st.just("0" * 64),
)  # fmt: skip
json_texts = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
).flatmap(
    lambda value: st.builds(
        lambda indent, ascii_only: json.dumps(value, indent=indent, ensure_ascii=ascii_only).encode(
            errors="surrogatepass"
        ),
        st.sampled_from([None, 0, 2]),
        st.booleans(),
    )
)
payloads = st.builds(
    SealedPayload,
    st.sampled_from(["json", "zstd"]),
    st.binary() | json_texts | json_texts.map(lambda text: b" " + text),
    st.binary(min_size=32, max_size=32),
)


@given(st.builds(StoredEvent, headers, st.none() | payloads))
def test_an_event_is_read_back_byte_for_byte(event: StoredEvent) -> None:
    line = to_line(event)
    assert b"\n" not in line
    parsed = from_line(line)
    assert parsed == event
    assert from_line(line + b"\n") == event
    # CloudEvents allows only lower-case letters and digits in names, except in `data_base64`.
    assert all(re.fullmatch(r"[a-z0-9]{1,20}", name) for name in json.loads(line) if name != "data_base64")
    assert None not in [value for name, value in json.loads(line).items() if name != "data"]


def test_the_attributes_of_a_line() -> None:
    line = json.loads(to_line(EVENT))
    assert line == {
        "specversion": "1.0",
        "id": UUID,
        "source": f"urn:uuid:{UUID}",
        "type": "post.edited",
        "subject": f"post.{UUID}",
        "time": "2024-05-04T08:00:00.000001Z",
        "datacontenttype": "application/json",
        "position": "7",
        "streamversion": "2",
        "schemaversion": "1",
        "actorid": UUID,
        "commandid": UUID,
        "correlationid": UUID,
        "envelopeversion": "1",
        "payloadcommitment": "ab" * 32,
        "payloadencoding": "json",
        "salt": base64.b64encode(b"s" * 32).decode(),
        "data": {"data": {"title": "Étude"}},
    }


def test_a_withdrawn_event_has_neither_data_nor_salt() -> None:
    line = json.loads(to_line(StoredEvent(HEADER, None)))
    assert not {"data", "data_base64", "salt", "payloadencoding", "datacontenttype"} & set(line)


@pytest.mark.parametrize(
    "change",
    [
        {"specversion": "0.3"},
        {"source": "urn:example:1"},
        {"position": 7},
        {"position": "-7"},
        {"position": "07x"},
        {"time": "yesterday"},
        {"time": "2024-05-04T08:00:00"},
        {"time": "2024-W18-6T08:00:00Z"},
        {"time": "2024-05-04T08:00:00+0200"},
        {"time": "2024-05-04T08:00:00,5Z"},
        {"time": "2024-05-04T08Z"},
        {"salt": None},
        {"salt": "not base64"},
        {"data_base64": "e30="},
        {"id": None},
    ],
    ids=str,
)
def test_a_line_with_an_invalid_attribute_is_rejected(change: dict[str, object]) -> None:
    line = {**json.loads(to_line(EVENT)), **change}
    with pytest.raises(NotAnEvent):
        from_line(json.dumps({name: value for name, value in line.items() if value is not None}).encode())


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"position": "-7"}, "its position is invalid"),
        ({"onbehalfofactorid": 7}, "its onbehalfofactorid is invalid"),
        ({"salt": "not base64"}, "its salt is not base64"),
        ({"type": "log.exported", "events": 7, "root": ""}, "its events is invalid"),
    ],
)
def test_the_invalid_attribute_is_named(change: dict[str, object], problem: str) -> None:
    with pytest.raises(NotAnEvent, match=problem):
        from_line(json.dumps({**json.loads(to_line(EVENT)), **change}).encode())


@pytest.mark.parametrize("line", [b"", b"null", b"[]", b"{", b'{"a":"\xff"}', b"\xff"])
def test_a_line_that_is_not_a_json_object_is_rejected(line: bytes) -> None:
    with pytest.raises(NotAnEvent):
        from_line(line)
