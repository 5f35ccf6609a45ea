"""Content: fields that an editor changes, and that take part in edit, diff, restore, revert and blame.

An event that changes content holds the new values; a field that it does not change is `UNSET`.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

from msgspec import UNSET

from ledgerpress.commands.streams_and_append_plan import StreamCategory
from ledgerpress.eventlog.codec import EventType
from ledgerpress.eventlog.event_and_withdrawn_event import Event, Withdrawn

Values: TypeAlias = dict[str, Any]
"""The values of some content fields by name."""


class Merge(NamedTuple):
    """The result of merging a value; `conflict` names the place where that was not possible."""

    value: Any
    conflict: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ContentField:
    """A content field: its name in events and commands, and how its values are checked.

    `check` returns the value as it is recorded, and raises `Rejection`. `empty` is the value of an object whose creation
    is unknown. `shown_as` is its name in the API and in
    messages, if that is another one. `merge` merges a revert into a value that has changed since: it takes the value
    that the reverted change made, the value now, and the value before the change. A value that is not `is_plain` is
    stored or shown by other means than as it is.
    """

    name: str
    check: Callable[[Any], Any]
    empty: Any = None
    shown_as: str = ""
    merge: Callable[[Any, Any, Any], Merge] | None = None
    is_plain: bool = True


@dataclass(frozen=True, slots=True)
class ContentDeclaration:
    """Content that a feature adds to the objects of a feature below, in an event of its own in their streams.

    `event` has the object's id as its first field, then the content fields, which may be `UNSET`. `input` has the same
    fields; a client adds it to the command that edits the object.
    """

    of: StreamCategory[Any]
    fields: Sequence[ContentField]
    event: EventType[Event]
    input: type[Any]

    def history(self, events: Iterable[Event]) -> "ContentHistory":
        """Return the content after some of the object's events."""
        known = {field.name: field.empty for field in self.fields}
        return ContentHistory(self.fields, known).after(events, (self.event.type,), {self.event.name})

    def change(self, object_id: str, values: Values) -> tuple[Event, ...]:
        """Return the event that brings `values`, none if there are none."""
        return (
            (self.event.type(**{self.event.type.__struct_fields__[0]: object_id}, **values),)
            if values
            else ()
        )


class ContentHistory:
    """The content after the events of an object's past. `unknown` are the fields whose values were withdrawn."""

    def __init__(self, fields: Sequence[ContentField], values: Mapping[str, Any]) -> None:
        self.values = dict(values)
        self.unknown: set[str] = set()
        self._fields = fields

    def after(
        self, events: Iterable[Event], changes: tuple[type[Event], ...], names: Collection[str]
    ) -> "ContentHistory":
        """Apply the events of the types `changes`, whose stored names are `names`, and return this history."""
        for event in events:
            if isinstance(event, changes):
                brought = values_of(self._fields, event)
                self.values |= brought
                self.unknown -= brought.keys()
            elif isinstance(event, Withdrawn) and event.type in names:
                self.unknown = {field.name for field in self._fields}
        return self


def values_of(fields: Sequence[ContentField], given: object) -> Values:
    """Return the values that an event or a command brings."""
    return {field.name: value for field in fields if (value := getattr(given, field.name)) is not UNSET}


def checked(fields: Sequence[ContentField], given: object) -> Values:
    """Return the values that a command brings, as they are recorded. Raises `Rejection`."""
    values = values_of(fields, given)
    return {field.name: field.check(values[field.name]) for field in fields if field.name in values}


def differing(values: Mapping[str, Any], current: Mapping[str, Any]) -> Values:
    """Return the values that differ from the current ones."""
    return {name: value for name, value in values.items() if value != current[name]}


def reverted(
    fields: Sequence[ContentField],
    change: Mapping[str, Any],
    before: Mapping[str, Any],
    current: Mapping[str, Any],
) -> tuple[Values, dict[str, str]]:
    """Return the values that undo `change`, and the conflicts: fields that have changed since, with the place."""
    values: Values = {}
    conflicts: dict[str, str] = {}
    for field in fields:
        name = field.name
        if name not in change or current[name] == before[name]:
            continue
        shown_as = field.shown_as or name
        if current[name] == change[name]:
            values[name] = before[name]
        elif field.merge is None:
            conflicts[shown_as] = shown_as
        else:
            merged = field.merge(change[name], current[name], before[name])
            if merged.conflict is not None:
                conflicts[shown_as] = f"{shown_as} {merged.conflict}"
            elif merged.value != current[name]:
                values[name] = merged.value
    return values, conflicts
