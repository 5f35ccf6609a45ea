"""The decisions on corrections: which events a command records, or why it is rejected. Pure, except `load`."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from msgspec import UNSET, UnsetType

from ledgerpress.commands import text_rules
from ledgerpress.commands.command_request_and_context import CommandContext
from ledgerpress.commands.errors import ErrorCode, Rejection
from ledgerpress.eventlog.event_and_withdrawn_event import Event
from ledgerpress.features.posts import model as posts
from ledgerpress.features.posts.corrections import model
from ledgerpress.features.posts.corrections.model import CorrectedPost, Correction, CorrectionKind
from ledgerpress.features.posts.corrections.passages import Text, contains, quotable
from ledgerpress.features.posts.model import POSTS


@dataclass(frozen=True, slots=True, kw_only=True)
class NewCorrection:
    """A correction as a client describes it. `passage` quotes the text that the note is about."""

    note: str
    kind: CorrectionKind = CorrectionKind.CORRECTION
    passage: str | None = None


async def load(context: CommandContext, post_id: str) -> CorrectedPost:
    """Return the post with its corrections. Reads all its events."""
    return CorrectedPost().after(await context.events(POSTS.stream(post_id)))


def record(
    state: CorrectedPost, new: NewCorrection, *, id: str, revision: int | None = None
) -> model.CorrectionRecorded:
    """Return the event that records a correction of a published revision, by default of the last one.

    Raises `Rejection`.
    """
    lifecycle, post_id = _published(state)
    if revision is not None and revision not in state.published:
        known = ", ".join(map(str, state.published))
        message = f"Revision {revision} was never published. Published revisions: {known}."
        raise Rejection(model.REVISION_NOT_PUBLISHED, message, field=("revision",))
    of = lifecycle.live_revision if revision is None else revision
    assert of is not None  # noqa: S101 - a post that was published has a live revision
    return model.CorrectionRecorded(
        post_id=post_id,
        correction_id=id,
        revision=of,
        kind=new.kind,
        note=_note(new.note),
        passage=_passage(state, new.passage, of),
    )


def record_with_publication(
    before: CorrectedPost, publication: Sequence[Event], new: NewCorrection, *, id: str
) -> model.CorrectionRecorded:
    """Return the event that records a correction of the revision that `publication` publishes.

    `publication` is empty if the revision is public already. Raises `Rejection`, also for the first publication: nothing
    was public before, so there is nothing to correct.
    """
    with _below("withCorrection"):
        _published(before)
        return record(before.after(publication), new, id=id)


def reword(
    state: CorrectedPost,
    correction_id: str,
    *,
    kind: CorrectionKind | UnsetType = UNSET,
    note: str | UnsetType = UNSET,
    passage: str | UnsetType | None = UNSET,
) -> tuple[model.CorrectionReworded, ...]:
    """Return the event that changes the wording, or nothing if it changes nothing. Raises `Rejection`."""
    post_id, correction = _existing(state, correction_id)
    if correction.is_retracted:
        message = "The correction was retracted. Add a new one."
        raise Rejection(model.CORRECTION_RETRACTED, message, field=("correction",))
    wording: dict[str, Any] = {
        "kind": kind,
        "note": UNSET if note is UNSET else _note(note),
        "passage": UNSET if passage is UNSET else _passage(state, passage, correction.revision),
    }
    changed = {
        name: value
        for name, value in wording.items()
        if value is not UNSET and value != getattr(correction, name)
    }
    if not changed:
        return ()
    return (model.CorrectionReworded(post_id=post_id, correction_id=correction.id, **changed),)


def retract(state: CorrectedPost, correction_id: str) -> tuple[model.CorrectionRetracted, ...]:
    """Return the event that retracts a correction, or nothing if it is retracted. Raises `Rejection`."""
    post_id, correction = _existing(state, correction_id)
    if correction.is_retracted:
        return ()
    return (model.CorrectionRetracted(post_id=post_id, correction_id=correction.id),)


def _published(state: CorrectedPost) -> tuple[posts.Lifecycle, str]:
    """Return the lifecycle and the id of the post. Raises `Rejection` if it was never published."""
    post = state.post
    if post is None or post.lifecycle.live_revision is None:
        raise never_published()
    return post.lifecycle, post.id


def never_published(*field: str) -> Rejection:
    """Return the rejection of a correction of a post that was never public."""
    message = (
        "The post has never been published, so there is nothing to correct. Publish it without a correction."
    )
    return Rejection(posts.POST_NOT_PUBLISHED, message, field=field or ("id",))


def _existing(state: CorrectedPost, correction_id: str) -> tuple[str, Correction]:
    """Return the id of the post, and one of its corrections. Raises `Rejection` if it has no such correction."""
    correction = state.corrections.get(correction_id)
    if state.post is None or correction is None:
        raise Rejection(ErrorCode.NOT_FOUND, "The post has no such correction.", field=("correction",))
    return state.post.id, correction


def _note(value: str) -> str:
    note = text_rules.optional_text(value, field="note", limit=text_rules.MAX_NOTE)
    if note is None:
        raise Rejection(ErrorCode.BLANK, "The note must contain a visible character.", field=("note",))
    return note


def _passage(state: CorrectedPost, value: str | None, revision: int) -> str | None:
    """Return the passage as it is recorded. Raises `Rejection` if no text that the correction may quote has it."""
    passage = text_rules.optional_text(value, field="passage", limit=text_rules.MAX_NOTE)
    if passage is None:
        return None
    texts = [
        (number, Text(content.title, content.teaser, content.body))
        for number, content in sorted(state.published.items())
    ]
    if not any(contains(text, passage) for text in quotable(texts, revision)):
        message = (
            f"The passage is neither in revision {revision} nor in the revision published before it. "
            "Quote a part of the title, the teaser or the body, or leave the passage out."
        )
        raise Rejection(model.PASSAGE_NOT_FOUND, message, field=("passage",))
    return passage


@contextmanager
def _below(field: str) -> Iterator[None]:
    """Put `field` in front of the field that a rejection names."""
    try:
        yield
    except Rejection as rejection:
        rejection.field = (field,) if rejection.field == ("id",) else (field, *rejection.field)
        raise
