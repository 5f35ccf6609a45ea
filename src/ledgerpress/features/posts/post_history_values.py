"""The values of a post in its history: before and after each of its events."""

from collections.abc import Iterable
from typing import Final

from ledgerpress.features.authors import projector_and_queries as authors
from ledgerpress.features.categories import queries as categories
from ledgerpress.features.posts import post_queries
from ledgerpress.features.posts.corrections import queries as corrections
from ledgerpress.features.posts.corrections.model import EVENTS as CORRECTION_EVENTS
from ledgerpress.features.posts.corrections.model import RETRACTED
from ledgerpress.features.posts.model import CONTENT
from ledgerpress.views.feature_declarations import FieldValue, FieldValues, Subject, plain
from ledgerpress.views.snapshot_and_cache_dependencies import Snapshot

_PUBLISHED: Final = "post.published"
_CORRECTION_TYPES: Final = frozenset(event.name for event in CORRECTION_EVENTS)


def _values(snapshot: Snapshot, post_id: str) -> FieldValues:
    post = post_queries.by_id(snapshot, post_id)
    if post is None:
        return {}
    ids = post_queries.category_ids(snapshot, post.seq)
    return {
        **{field.name: plain(getattr(post, field.name)) for field in CONTENT if field.is_plain},
        "body": FieldValue(post.body, lambda: post_queries.markdown(snapshot, post.body)),
        "authors": FieldValue(
            post.author_ids, lambda: [authors.reference(snapshot, author_id) for author_id in post.author_ids]
        ),
        "categories": FieldValue(
            ids, lambda: [categories.reference(snapshot, category_id) for category_id in ids]
        ),
        "status": plain(post.status.value),
        "publishedAt": plain(post.published_at),
        "publishedRevision": plain(post.live_revision),
    }


def _values_after_event(snapshot: Snapshot, post_id: str, event_type: str) -> FieldValues:
    """Return the note of a publication, or what an event of a correction changed, after it."""
    if event_type == _PUBLISHED:
        _, after = corrections.around_event(snapshot, post_id)
        return {"correction": plain(after[0].note)} if after else {}
    return _changed_wording(snapshot, post_id, event_type)[1]


def _values_before_event(snapshot: Snapshot, post_id: str, event_type: str) -> FieldValues:
    """Return what an event of a correction changed, before it."""
    return _changed_wording(snapshot, post_id, event_type)[0]


def _changed_wording(snapshot: Snapshot, post_id: str, event_type: str) -> tuple[FieldValues, FieldValues]:
    if event_type not in _CORRECTION_TYPES:
        return {}, {}
    before, after = corrections.around_event(snapshot, post_id)
    old, new = _wordings(before), {} if event_type == RETRACTED.name else _wordings(after)
    names = [name for name in (*old, *new) if old.get(name) != new.get(name)]
    return (
        {name: plain(old[name]) for name in names if name in old},
        {name: plain(new[name]) for name in names if name in new},
    )


def _wordings(changed: Iterable[corrections.Correction]) -> dict[str, object]:
    """Return the values of the corrections that one event changed: one, unless a withdrawn event retracted several."""
    values: dict[str, object] = {}
    for correction in changed:
        wording = {
            "correction": correction.note,
            "correctionKind": correction.kind.value,
            "correctionPassage": correction.passage,
            "correctionRevision": correction.revision,
        }
        values |= {name: value for name, value in wording.items() if value is not None}
    return values


SUBJECT: Final = Subject(
    kind="post",
    values=_values,
    event_values=_values_after_event,
    event_values_before=_values_before_event,
)
