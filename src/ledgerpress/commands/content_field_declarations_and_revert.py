"""Content: the fields of an object that editors change, and that edit, diff, restore, revert and blame cover.

An event that changes content contains the new values. Fields that it does not change are `UNSET`.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

from msgspec import UNSET

from ledgerpress.commands.streams_and_append_plan import StreamCategory
from ledgerpress.eventlog.codec import EventType
from ledgerpress.eventlog.event_and_withdrawn_event import Event, Withdrawn, remaining_event

Values: TypeAlias = dict[str, Any]
"""Values of some content fields, by field name."""


class Merge(NamedTuple):
    """The result of merging a value. If there is a conflict, `conflict` names its place."""

    value: Any
    conflict: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ContentField:
    """A content field: its name in events and commands, and how its values are checked.

    `check` returns the value to record, and raises `Rejection` if it is invalid. `empty` is the value as long as no
    event has set one. `shown_as` is the name of the field in the API and in messages, if it differs from `name`.
    `merge` merges a revert into a value that has changed since. Its arguments are the value that the reverted change
    set, the current value, and the value before the change. `is_plain` is false if the value is stored or shown in
    another form.
    """

    name: str
    check: Callable[[Any], Any]
    empty: Any = None
    shown_as: str = ""
    merge: Callable[[Any, Any, Any], Merge] | None = None
    is_plain: bool = True


@dataclass(frozen=True, slots=True)
class ContentDeclaration:
    """Content that a feature adds to objects of a feature below it, with an event of its own in their streams.

    The first field of `event` is the object's id; its other fields are the content fields, which may be `UNSET`.
    `input` has the same content fields. A client adds it to the command that edits the object.
    """

    of: StreamCategory[Any]
    fields: Sequence[ContentField]
    event: EventType[Event]
    input: type[Any]

    def history(self, events: Iterable[Event]) -> "ContentHistory":
        """Return the content of an object after `events`."""
        known = {field.name: field.empty for field in self.fields}
        return ContentHistory(self.fields, known).after(events, (self.event.type,), {self.event.name})

    def change(self, object_id: str, values: Values) -> tuple[Event, ...]:
        """Return the event that sets `values`, or no event if there are no values."""
        return (
            (self.event.type(**{self.event.type.__struct_fields__[0]: object_id}, **values),)
            if values
            else ()
        )


class ContentHistory:
    """The content of an object after some of its events. `unknown` are the fields whose values were withdrawn."""

    def __init__(self, fields: Sequence[ContentField], values: Mapping[str, Any]) -> None:
        self.values = dict(values)
        self.unknown: set[str] = set()
        self._fields = fields

    def after(
        self, events: Iterable[Event], changes: tuple[type[Event], ...], names: Collection[str]
    ) -> "ContentHistory":
        """Apply those of `events` that have a type in `changes`, with stored names `names`. Return this history."""
        for event in events:
            known = remaining_event(event)
            if isinstance(known, changes):
                new_values = values_of(self._fields, known)
                self.values |= new_values
                self.unknown -= new_values.keys()
                if isinstance(event, Withdrawn):
                    self.unknown |= {field.name for field in self._fields} & set(event.erased)
            elif isinstance(event, Withdrawn) and event.type in names:
                self.unknown = {field.name for field in self._fields}
        return self


def values_of(fields: Sequence[ContentField], source: object) -> Values:
    """Return the values that an event or a command sets."""
    return {field.name: value for field in fields if (value := getattr(source, field.name)) is not UNSET}


def checked(fields: Sequence[ContentField], source: object) -> Values:
    """Return the values that a command or an input sets, in the form in which they are recorded.

    Raises `Rejection` if a value is invalid.
    """
    values = values_of(fields, source)
    return {field.name: field.check(values[field.name]) for field in fields if field.name in values}


def differing(values: Mapping[str, Any], current: Mapping[str, Any]) -> Values:
    """Return those of `values` that differ from the current ones."""
    return {name: value for name, value in values.items() if value != current[name]}


def reverted(
    fields: Sequence[ContentField],
    change: Mapping[str, Any],
    before: Mapping[str, Any],
    current: Mapping[str, Any],
) -> tuple[Values, dict[str, str]]:
    """Return the values that undo `change`, and the conflicts: the place of each conflict, by field.

    A field conflicts if it has changed since and cannot be merged.
    """
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
