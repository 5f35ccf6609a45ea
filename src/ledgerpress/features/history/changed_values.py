"""The values of the fields that a change changed, before and after it."""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from ledgerpress import rfc3339
from ledgerpress.features.history import change_queries as changes
from ledgerpress.features.posts import post_queries
from ledgerpress.graphql.relay import global_id_text
from ledgerpress.views.feature_declarations import FieldValue, FieldValues, Reference, Subject, kind_and_id
from ledgerpress.views.snapshot_and_cache_dependencies import Snapshot

_NONE: Final = FieldValue(None, lambda: None)


class ChangedValues(NamedTuple):
    """The values of the changed fields before and after a change; a field without a value is absent."""

    before: FieldValues
    after: FieldValues

    @property
    def fields(self) -> list[str]:
        return list(dict.fromkeys((*self.before, *self.after)))


def changed(snapshot: Snapshot, change: changes.Change, subjects: Mapping[str, Subject]) -> ChangedValues:
    """Return the values of the subject's fields that `change` changed, read with `snapshot`."""
    kind, subject_id = kind_and_id(change.subject)
    subject = subjects.get(kind)
    if subject is None:
        return ChangedValues({}, {})
    at = snapshot.at(change.position)
    before = subject.values(snapshot.at(change.position - 1), subject_id)
    after = subject.values(at, subject_id)
    names = [
        name
        for name in dict.fromkeys((*before, *after))
        if (before.get(name, _NONE).mark or None) != (after.get(name, _NONE).mark or None)
    ]
    before_event, after_event = (
        read(at, subject_id, change.type) if read else {}
        for read in (subject.event_values_before, subject.event_values)
    )
    return ChangedValues({**_only(before, names), **before_event}, {**_only(after, names), **after_event})


def occurred_at(snapshot: Snapshot, change: changes.Change) -> int | None:
    """Return the time that the event of the change states, if any: a post's publication date."""
    if change.type != "post.published":
        return None
    post = post_queries.by_id(snapshot.at(change.position), change.subject.partition(".")[2])
    return post.published_at if post else None


def shown(values: FieldValues, position: int) -> dict[str, Any]:
    """Return values as of `position` as JSON."""
    return {name: _json(name, value.show(), position) for name, value in values.items()}


def _json(name: str, value: Any, position: int) -> Any:
    match value:
        case Reference(type=type_, id=id_, name=reference_name):
            return {"id": global_id_text.encode(type_, id_, position), "name": reference_name}
        case list():
            return [_json(name, entry, position) for entry in value]
        case int() if name == "publishedAt":
            return rfc3339.format_time(value)
        case _:
            return value


def _only(values: FieldValues, names: list[str]) -> FieldValues:
    return {name: values[name] for name in names if name in values}
