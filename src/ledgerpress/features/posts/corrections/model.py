"""Corrections: events, state and `evolve`. A correction belongs to a published revision of a post.

Its events are in the stream of the post. Earlier versions recorded the note in `post.published`, which still records the
short form of `PublishPost`: a correction of the published revision, without a passage.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import ClassVar, Final

from msgspec import UNSET, UnsetType

from ledgerpress.eventlog.clock_randomness_ids import uuid8
from ledgerpress.eventlog.codec import EventType
from ledgerpress.eventlog.event_and_withdrawn_event import Event, Withdrawn, remaining_event
from ledgerpress.features.posts import model as posts
from ledgerpress.features.posts.model import Content, PostChange, PostPublished

CORRECTION_RETRACTED: Final = "CORRECTION_RETRACTED"
PASSAGE_NOT_FOUND: Final = "PASSAGE_NOT_FOUND"
REVISION_NOT_PUBLISHED: Final = "REVISION_NOT_PUBLISHED"
ERROR_CODES: Final = (CORRECTION_RETRACTED, PASSAGE_NOT_FOUND, REVISION_NOT_PUBLISHED)


class CorrectionKind(StrEnum):
    CORRECTION = "CORRECTION"
    CLARIFICATION = "CLARIFICATION"
    UPDATE = "UPDATE"


class CorrectionRecorded(PostChange, frozen=True):
    """A public note on the published revision `revision` was recorded. `passage` quotes the text that it is about."""

    TEXT: ClassVar = {"note": "", "passage": None}

    correction_id: str
    revision: int
    kind: CorrectionKind
    note: str
    passage: str | None


class CorrectionReworded(PostChange, frozen=True):
    """A correction was reworded. Absent fields are unchanged; null clears the passage."""

    TEXT: ClassVar = {"note": UNSET, "passage": UNSET}

    correction_id: str
    kind: CorrectionKind | UnsetType = UNSET
    note: str | UnsetType = UNSET
    passage: str | UnsetType | None = UNSET


class CorrectionRetracted(PostChange, frozen=True):
    """A correction was retracted: readers no longer see it."""

    correction_id: str


RECORDED: Final = EventType[Event]("correction.recorded", 1, CorrectionRecorded)
REWORDED: Final = EventType[Event]("correction.reworded", 1, CorrectionReworded)
RETRACTED: Final = EventType[Event]("correction.retracted", 1, CorrectionRetracted)
EVENTS: Final = (RECORDED, REWORDED, RETRACTED)
WORDING: Final = ("kind", "note", "passage")
"""The fields of a correction that can be reworded."""


def id_of_note(post_id: str, version: int) -> str:
    """Return the id of the correction whose note `post.published` contains, as the stream version `version`."""
    return uuid8(post_id, "correction", version)


def recorded_correction(event: Event, version: int) -> CorrectionRecorded | None:
    """Return the correction that an event with the stream version `version` records, if it records one.

    An event without its text records none.
    """
    match event:
        case CorrectionRecorded():
            return event
        case PostPublished(correction=str(note)):
            return CorrectionRecorded(
                post_id=event.post_id,
                correction_id=id_of_note(event.post_id, version),
                revision=event.revision,
                kind=CorrectionKind.CORRECTION,
                note=note,
                passage=None,
            )
        case _:
            return None


def retracts_all(event: Event) -> bool:
    """Return whether an event retracts all corrections of the post.

    If nothing of a withdrawn retraction was kept, it is unknown which correction it retracted. No reader may see that
    note again, so all corrections that were recorded before count as retracted.
    """
    return isinstance(event, Withdrawn) and event.remaining is None and event.type == RETRACTED.name


def remaining_change(event: Event) -> Event:
    """Return a withdrawn event on corrections without its text; the recording of a correction has no effect then."""
    remaining = remaining_event(event)
    return event if isinstance(remaining, CorrectionRecorded) else remaining


@dataclass(frozen=True, slots=True)
class Correction:
    """A correction as its last wording has it."""

    id: str
    revision: int
    kind: CorrectionKind
    note: str
    passage: str | None
    is_retracted: bool = False


@dataclass(frozen=True, slots=True)
class CorrectedPost:
    """A post with its corrections by id, and the content of each published revision, in the order of publication."""

    post: posts.Post | None = None
    version: int = 0
    published: Mapping[int, Content] = field(default_factory=dict)
    corrections: Mapping[str, Correction] = field(default_factory=dict)

    def after(self, events: Iterable[Event]) -> "CorrectedPost":
        """Return the state after further events of the stream."""
        state = self
        for event in events:
            state = evolve(state, event)
        return state


def evolve(state: CorrectedPost, event: Event) -> CorrectedPost:
    """Return the state after an event. One that cannot apply changes nothing but the version."""
    post, version, event = posts.evolve(state.post, event), state.version + 1, remaining_change(event)
    published, corrections = state.published, state.corrections
    if post is not None and post.lifecycle.live_revision == post.lifecycle.revision:
        published = {**published, post.lifecycle.revision: post.content}
    recorded = recorded_correction(event, version)
    if recorded is not None and recorded.correction_id not in corrections:
        correction = Correction(
            recorded.correction_id, recorded.revision, recorded.kind, recorded.note, recorded.passage
        )
        corrections = {**corrections, correction.id: correction}
    elif isinstance(event, CorrectionReworded):
        former = corrections.get(event.correction_id)
        if former and not former.is_retracted:
            changed = {name: value for name in WORDING if (value := getattr(event, name)) is not UNSET}
            corrections = {**corrections, former.id: replace(former, **changed)}
    elif isinstance(event, CorrectionRetracted):
        if former := corrections.get(event.correction_id):
            corrections = {**corrections, former.id: replace(former, is_retracted=True)}
    elif retracts_all(event):
        corrections = {id_: replace(each, is_retracted=True) for id_, each in corrections.items()}
    return CorrectedPost(post, version, published, corrections)
