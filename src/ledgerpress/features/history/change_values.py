"""What a change changed: the values before and after it, read from the views as of the two positions.

Features declare which values their subjects have.
"""

from collections.abc import Mapping
from typing import Final, NamedTuple

from ledgerpress.features.history.change_queries import Change
from ledgerpress.views.declarations import FieldValue, FieldValues, Subject
from ledgerpress.views.snapshot import Snapshot

_NONE: Final = FieldValue(None, lambda: None)


class ChangedValues(NamedTuple):
    """The values of the fields that a change changed, before it and after it; absent where there was none."""

    before: FieldValues
    after: FieldValues

    @property
    def fields(self) -> list[str]:
        return list(dict.fromkeys((*self.before, *self.after)))


def changed(snapshot: Snapshot, change: Change, subjects: Mapping[str, Subject]) -> ChangedValues:
    """Return what `change` changed of its subject, as of the views that `snapshot` reads."""
    kind, _, subject_id = change.subject.partition(".")
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
    brought = subject.event_values(at, subject_id, change.type) if subject.event_values else {}
    return ChangedValues(_only(before, names), {**_only(after, names), **brought})


def _only(values: FieldValues, names: list[str]) -> FieldValues:
    return {name: values[name] for name in names if name in values}
