"""Corrections: decisions, passages, and states after any events."""

from typing import Any, Final

import pytest
from hypothesis import given as for_all
from hypothesis import strategies as st
from msgspec import UNSET

from ledgerpress.commands.errors import ErrorCode
from ledgerpress.eventlog.event_and_withdrawn_event import Event, Withdrawn
from ledgerpress.features.posts.corrections import decisions
from ledgerpress.features.posts.corrections.decisions import NewCorrection
from ledgerpress.features.posts.corrections.model import (
    CORRECTION_RETRACTED,
    PASSAGE_NOT_FOUND,
    REVISION_NOT_PUBLISHED,
    CorrectedPost,
    CorrectionKind,
    CorrectionRecorded,
    CorrectionRetracted,
    CorrectionReworded,
    id_of_note,
)
from ledgerpress.features.posts.corrections.passages import Text, applies, contains, quotable
from ledgerpress.features.posts.model import (
    POST_NOT_PUBLISHED,
    PostArchived,
    PostCreated,
    PostEdited,
    PostPublished,
    PostRestored,
    PostReverted,
    PostUnpublished,
)
from tests.user_errors import refused

CREATED: Final = PostCreated(
    post_id="p", slug="ferry", title="Ferry", teaser=None, body="At five.", author_ids=()
)
FIRST: Final = PostPublished(post_id="p", revision=1, published_at=0, correction=None)
SECOND: Final = (
    PostEdited(post_id="p", body="At six."),
    PostPublished(post_id="p", revision=2, published_at=0, correction=None),
)
NOTE: Final = CorrectionRecorded(
    post_id="p", correction_id="c", revision=2, kind=CorrectionKind.UPDATE, note="It was five.", passage="six"
)
RETRACTED: Final = CorrectionRetracted(post_id="p", correction_id="c")


def state(*events: Event) -> CorrectedPost:
    return CorrectedPost().after((CREATED, *events))


def test_a_correction_is_of_the_revision_published_last() -> None:
    new = NewCorrection(note=" Six. ", kind=CorrectionKind.CLARIFICATION, passage="At  six")
    draft = PostEdited(post_id="p", body="At seven.")
    assert decisions.record(state(FIRST, *SECOND, draft), new, id="c") == CorrectionRecorded(
        post_id="p", correction_id="c", revision=2, kind=CorrectionKind.CLARIFICATION, note="Six.", passage="At  six"
    )  # fmt: skip


def test_a_correction_needs_a_published_revision() -> None:
    with refused(POST_NOT_PUBLISHED, "id"):
        decisions.record(state(), NewCorrection(note="A."), id="c")
    with refused(REVISION_NOT_PUBLISHED, "revision"):
        decisions.record(state(FIRST, SECOND[0]), NewCorrection(note="A."), id="c", revision=2)
    with refused(POST_NOT_PUBLISHED, "withCorrection"):
        decisions.record_with_publication(state(), (FIRST,), NewCorrection(note="A."), id="c")
    recorded = decisions.record_with_publication(
        state(FIRST), SECOND, NewCorrection(note="A.", passage="At six."), id="c"
    )
    assert recorded.revision == 2
    unpublished = state(FIRST, PostUnpublished(post_id="p"))
    assert decisions.record(unpublished, NewCorrection(note="A."), id="c").revision == 1


def test_a_passage_is_of_the_corrected_or_the_former_revision() -> None:
    third = (
        PostEdited(post_id="p", body="At seven."),
        PostPublished(post_id="p", revision=3, published_at=0, correction=None),
    )
    now = state(FIRST, *SECOND, *third)
    for passage in ("seven", "six", "Ferry"):
        assert decisions.record(now, NewCorrection(note="A.", passage=passage), id="c").passage == passage
    with refused(PASSAGE_NOT_FOUND, "passage"):
        decisions.record(now, NewCorrection(note="A.", passage="five"), id="c")
    with refused(PASSAGE_NOT_FOUND, "passage"):
        decisions.record(now, NewCorrection(note="A.", passage="seven"), id="c", revision=2)


def test_rewording_records_what_changes() -> None:
    now = state(FIRST, *SECOND, NOTE)
    assert decisions.reword(now, "c", note="It was five.", kind=CorrectionKind.UPDATE, passage="six") == ()
    assert decisions.reword(now, "c", note="Five.", passage="six") == (
        CorrectionReworded(post_id="p", correction_id="c", note="Five."),
    )
    assert decisions.reword(now, "c", passage=" ") == (
        CorrectionReworded(post_id="p", correction_id="c", passage=None),
    )
    with refused(ErrorCode.BLANK, "note"):
        decisions.reword(now, "c", note="\u200b")
    with refused(ErrorCode.NOT_FOUND, "correction"):
        decisions.reword(now, "d", note="A.")


def test_a_retracted_correction_cannot_be_changed() -> None:
    now = state(FIRST, *SECOND, NOTE)
    assert decisions.retract(now, "c") == (RETRACTED,)
    after = now.after((RETRACTED,))
    assert decisions.retract(after, "c") == ()
    with refused(CORRECTION_RETRACTED, "correction"):
        decisions.reword(after, "c", note="A.")


def test_a_note_in_a_publication_is_a_correction() -> None:
    published = PostPublished(post_id="p", revision=1, published_at=0, correction="It was five.")
    now = state(FIRST, published)
    id_ = id_of_note("p", 3)
    assert decisions.reword(now, id_, note="Five.") == (
        CorrectionReworded(post_id="p", correction_id=id_, note="Five."),
    )
    assert (now.corrections[id_].kind, now.corrections[id_].revision) == (CorrectionKind.CORRECTION, 1)


def withdrawn(type_: str) -> Withdrawn:
    return Withdrawn(type=f"correction.{type_}", stream="post.p", recorded_at=0)


def test_withdrawals_never_show_a_note_again() -> None:
    other = CorrectionRecorded(
        post_id="p", correction_id="d", revision=1, kind=CorrectionKind.UPDATE, note="A.", passage=None
    )
    reworded = CorrectionReworded(post_id="p", correction_id="c", note="Five.")
    assert state(FIRST, withdrawn("recorded"), reworded, RETRACTED).corrections == {}
    assert state(FIRST, NOTE, withdrawn("reworded")).corrections["c"].note == NOTE.note
    now = state(FIRST, NOTE, withdrawn("retracted"), other)
    assert {each.id for each in now.corrections.values() if not each.is_retracted} == {"d"}


@pytest.mark.parametrize(
    ("passage", "expected"),
    [
        ("leaves at six", True),
        ("Leaves", True),
        ("at\nsix", True),
        ("*six*", True),
        ("A & B", True),
        ("Boats.", True),
        ("Leave", True),
        ("seven", False),
        ("LEAVES", False),
    ],
)
def test_a_passage_is_found_as_it_is_written_and_as_readers_see_it(passage: str, expected: bool) -> None:
    text = Text("Leaves", "Boats.", "It leaves\nat *six*.\n\nA &amp; B")
    assert contains(text, passage) is expected


@pytest.mark.parametrize(
    ("live", "passage", "expected"),
    [
        ("At six.", "six", True),
        ("At six, by boat.", "six", True),
        ("At seven.", "six", False),
        ("At seven.", "five", True),
        ("At five.", "five", False),
        ("At five, by boat.", "five", False),
        ("At seven.", None, True),
        ("At five.", None, False),
    ],
)
def test_a_correction_applies_as_long_as_the_corrected_text_is_there(
    live: str, passage: str | None, expected: bool
) -> None:
    bodies = {1: "At five.", 2: "At six.", 4: live}
    published = [(revision, Text("Ferry", None, body)) for revision, body in bodies.items()]
    assert applies(published, 4, 2, passage) is expected
    assert applies(published, 2, 2, passage)
    assert [text.body for text in quotable(published, 2)] == ["At five.", "At six."]


_ids = st.sampled_from(["c", "d"])
_notes = st.sampled_from(["A.", "B."])
_kinds = st.sampled_from(CorrectionKind)
_passages = st.none() | _notes
EVENTS: Final[st.SearchStrategy[Event]] = st.one_of(
    st.just(CREATED),
    st.just(PostArchived(post_id="p")),
    st.just(PostUnpublished(post_id="p")),
    st.builds(PostEdited, post_id=st.just("p"), body=_notes),
    st.builds(PostRestored, post_id=st.just("p"), body=_notes, to_version=st.just(1)),
    st.builds(PostReverted, post_id=st.just("p"), body=_notes, reverted_version=st.just(1)),
    st.builds(
        PostPublished, post_id=st.just("p"), revision=st.integers(1, 4), published_at=st.just(0), correction=_passages
    ),
    st.builds(
        CorrectionRecorded, post_id=st.just("p"), correction_id=_ids, revision=st.integers(1, 4), kind=_kinds,
        note=_notes, passage=_passages,
    ),
    st.builds(
        CorrectionReworded, post_id=st.just("p"), correction_id=_ids, kind=_kinds | st.just(UNSET),
        note=_notes | st.just(UNSET), passage=_passages | st.just(UNSET),
    ),
    st.builds(CorrectionRetracted, post_id=st.just("p"), correction_id=_ids),
    st.sampled_from(["recorded", "reworded", "retracted"]).map(withdrawn),
)  # fmt: skip


@for_all(st.lists(EVENTS))
def test_every_history_is_accepted_and_a_retraction_is_final(history: list[Event]) -> None:
    now, retracted = CorrectedPost(), set[str]()
    for event in history:
        now = now.after((event,))
        assert retracted <= {each.id for each in now.corrections.values() if each.is_retracted}
        retracted |= {each.id for each in now.corrections.values() if each.is_retracted}
    assert now.version == len(history)


@for_all(st.lists(EVENTS), _ids, _kinds, _notes)
def test_a_repeated_rewording_or_retraction_records_no_event(
    history: list[Event], id_: str, kind: CorrectionKind, note: str
) -> None:
    now = state(*history)
    wording: dict[str, Any] = {"kind": kind, "note": note, "passage": None}
    if id_ not in now.corrections:
        with refused(ErrorCode.NOT_FOUND, "correction"):
            decisions.reword(now, id_, **wording)
    elif now.corrections[id_].is_retracted:
        with refused(CORRECTION_RETRACTED, "correction"):
            decisions.reword(now, id_, **wording)
    else:
        after = now.after(decisions.reword(now, id_, **wording))
        assert (after.corrections[id_].kind, after.corrections[id_].note) == (kind, note)
        assert decisions.reword(after, id_, **wording) == ()
        assert decisions.retract(after.after(decisions.retract(after, id_)), id_) == ()


@for_all(st.lists(EVENTS), _notes, st.none() | st.integers(0, 5))
def test_a_new_correction_is_of_a_published_revision(
    history: list[Event], note: str, revision: int | None
) -> None:
    now, new = state(*history), NewCorrection(note=note)
    assert now.post
    if now.post.lifecycle.live_revision is None:
        with refused(POST_NOT_PUBLISHED, "id"):
            decisions.record(now, new, id="new", revision=revision)
    elif revision is not None and revision not in now.published:
        with refused(REVISION_NOT_PUBLISHED, "revision"):
            decisions.record(now, new, id="new", revision=revision)
    else:
        recorded = decisions.record(now, new, id="new", revision=revision)
        assert revision in {None, recorded.revision}
        assert now.after((recorded,)).corrections["new"].note == note
