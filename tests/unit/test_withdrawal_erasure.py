"""The erasures of withdrawals in a batch, read from the log."""

import msgspec
import pytest

from ledgerpress.eventlog.envelope import NewEvent, StoredEvent
from ledgerpress.eventlog.errors import EventLogError
from ledgerpress.eventlog.event_and_withdrawn_event import Event, Withdrawn
from ledgerpress.eventlog.kernel_events import PayloadWithdrawn
from ledgerpress.features.posts.model import PostCreated, PostUnpublished
from ledgerpress.features.registry import event_codec
from ledgerpress.views.projection.withdrawal_erasure import Withdrawal, load_erasures
from tests.contract.sample_events import PUBLICATION, sample_event
from tests.property.altered_logs import ReadOnlyLog

CODEC = event_codec()
POST = "post.p"
CREATED = PostCreated(post_id="p", slug="tide", title="Tide", teaser=None, body="", author_ids=("a",))


def event_of(event: Event) -> NewEvent:
    name, version = CODEC.name_of(event)
    sample = sample_event(event_type=name)
    return msgspec.structs.replace(
        sample, schema_version=version, payload=CODEC.encode(event, salt=bytes(32))
    )


def log_of(*events: tuple[str, NewEvent]) -> list[StoredEvent]:
    """Return stored events in streams; the first two positions have been recorded before."""
    stored = list[StoredEvent]()
    for position, (stream, event) in enumerate(events, 1):
        version = sum(event.header.stream == stream for event in stored) + 1
        header = event.header(
            publication=PUBLICATION, position=position, stream=stream, stream_version=version
        )
        stored.append(StoredEvent(header, event.payload))
    return stored


def withdrawn_post(
    *between: tuple[str, NewEvent], after: tuple[tuple[str, NewEvent], ...] = ()
) -> ReadOnlyLog:
    """Return a log with a withdrawn post at position 2, and the record of the withdrawal behind `between`."""
    created = event_of(CREATED)
    events = log_of(("site", event_of(PostUnpublished(post_id="x"))), (POST, created))
    fact = PayloadWithdrawn(header=msgspec.to_builtins(events[1].header), remainder=CODEC.remainder(CREATED))
    record = (f"withdrawal.{created.event_id}", event_of(fact))
    events = log_of(
        ("site", event_of(PostUnpublished(post_id="x"))), (POST, created), *between, record, *after
    )
    events[1] = StoredEvent(events[1].header, None, events[2 + len(between)])
    return ReadOnlyLog(events)


async def test_an_erasure_has_the_event_without_its_text_and_the_stream() -> None:
    change = (POST, event_of(PostUnpublished(post_id="p")))
    log = withdrawn_post(change, after=(change,))
    erasures = await load_erasures(log, CODEC, [Withdrawal(2, 4)])
    assert erasures is not None
    (erasure,) = erasures
    assert isinstance(erasure.event.event, Withdrawn)
    remaining = PostCreated(post_id="p", slug="p", title="", teaser=None, body="", author_ids=("a",))
    assert (erasure.event.event.remaining, erasure.event.event.erased) == (remaining, ("slug", "title"))
    assert [event.position for event in erasure.stream] == [2, 3]
    assert (erasure.event_type, erasure.record, erasure.is_first_of_command) == (PostCreated, 4, True)
    assert erasure.has_text


async def test_an_event_that_cannot_be_decoded_requires_a_rebuild_if_it_is_before_the_withdrawal() -> None:
    unknown = (POST, sample_event(event_type="post.exploded"))
    assert await load_erasures(withdrawn_post(unknown), CODEC, [Withdrawal(2, 4)]) is None
    assert await load_erasures(withdrawn_post(after=(unknown,)), CODEC, [Withdrawal(2, 3)])


async def test_a_payload_that_is_still_in_the_log_is_not_taken_for_erased() -> None:
    with pytest.raises(EventLogError, match="position 1 was withdrawn, but the log still returns it"):
        await load_erasures(withdrawn_post(), CODEC, [Withdrawal(1, 3)])
