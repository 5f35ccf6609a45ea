"""The GraphQL type of changes: who changed what, when and why, and the values before and after."""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import strawberry
from strawberry.scalars import JSON

from ledgerpress.features.actors.schema import Actor, actor_of
from ledgerpress.features.history import change_queries as changes
from ledgerpress.features.posts import post_queries
from ledgerpress.graphql.context import PointInTime, RequestInfo
from ledgerpress.graphql.event_loader_and_payload_redaction import EVERYONE, plaintext, visible_event
from ledgerpress.graphql.feature_declarations import declarations_of
from ledgerpress.graphql.relay import global_ids
from ledgerpress.graphql.relay.global_ids import Node
from ledgerpress.graphql.scalars import DateTime, Position, iso_time
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
    from_event = subject.event_values(at, subject_id, change.type) if subject.event_values else {}
    return ChangedValues(_only(before, names), {**_only(after, names), **from_event})


def _only(values: FieldValues, names: list[str]) -> FieldValues:
    return {name: values[name] for name in names if name in values}


@strawberry.type(description="A recorded event and the changes that it made.")
class Change:
    record: strawberry.Private[changes.Change]
    moment: strawberry.Private[PointInTime]
    position: Position
    version: int = strawberry.field(description="The version of the event's stream after the change.")
    type: str = strawberry.field(description="The event's stored name, such as post.edited.")
    recorded_at: DateTime = strawberry.field(description="When it was recorded.")
    withdrawn: bool = strawberry.field(
        description="Whether the event's payload was withdrawn: its content is erased, and only the header remains."
    )

    @strawberry.field(description="The actor who made the change.")
    def actor(self) -> Actor:
        return actor_of(self.record.actor_id, self.moment)

    @strawberry.field(
        description="The actor on whose behalf the change was made, if it is a different actor."
    )
    def on_behalf_of(self) -> Actor | None:
        represented = self.record.on_behalf_of_id
        return actor_of(represented, self.moment) if represented is not None else None

    @strawberry.field(
        description="The changed object, as of the position of the response; null if it no longer exists, or if the "
        "change is not of a single object."
    )
    def subject(self, info: RequestInfo) -> Node | None:
        kind, subject_id = kind_and_id(self.record.subject)
        load = declarations_of(info).nodes.get(kind.capitalize())
        return load(self.moment, subject_id) if load else None

    @strawberry.field(description="The time that the event itself states, if any: a post's publishedAt.")
    def occurred_at(self) -> DateTime | None:
        if self.record.type != "post.published":
            return None
        then = self.moment.snapshot.at(self.record.position)
        post = post_queries.by_id(then, self.record.subject.partition(".")[2])
        return DateTime(post.published_at) if post and post.published_at is not None else None

    @strawberry.field(description="The reason for the change, if any.")
    async def reason(self, info: RequestInfo) -> str | None:
        payload = plaintext(await info.context.events.load(self.record.position))
        return payload["reason"] if payload else None

    @strawberry.field(description="The names of the fields whose values changed.")
    def changed_fields(self, info: RequestInfo) -> list[str]:
        return self._changed(info).fields

    @strawberry.field(
        description="The values of the changed fields before; a field without a value is absent."
    )
    def before(self, info: RequestInfo) -> JSON:
        return JSON(_shown(self._changed(info).before, self.record.position - 1))

    @strawberry.field(
        description="The values of the changed fields after; a field without a value is absent."
    )
    def after(self, info: RequestInfo) -> JSON:
        return JSON(_shown(self._changed(info).after, self.record.position))

    @strawberry.field(
        description="The recorded event: header and payload. The payload may be withdrawn. For events of API tokens, it"
        " is null unless the viewer may see tokens."
    )
    async def event(self, info: RequestInfo) -> JSON:
        stored = await info.context.events.load(self.record.position)
        declared, type_ = declarations_of(info), self.record.type
        access = declared.events.get(type_, EVERYONE) if type_ in declared.event_types else None
        return JSON(visible_event(stored, access, self.moment.viewer))

    def _changed(self, info: RequestInfo) -> ChangedValues:
        return changed(self.moment.snapshot, self.record, info.context.declared.subjects)


def change_of(record: changes.Change, moment: PointInTime) -> Change:
    return Change(
        record=record,
        moment=moment,
        position=Position(record.position),
        version=record.version,
        type=record.type,
        recorded_at=DateTime(record.recorded_at),
        withdrawn=record.withdrawn is not None,
    )


def _shown(values: FieldValues, position: int) -> dict[str, Any]:
    """Return values as of `position` as JSON."""
    return {name: _json(name, value.show(), position) for name, value in values.items()}


def _json(name: str, value: Any, position: int) -> Any:
    match value:
        case Reference(type=type_, id=id_, name=reference_name):
            return {"id": global_ids.encode(type_, id_, position), "name": reference_name}
        case list():
            return [_json(name, entry, position) for entry in value]
        case int() if name == "publishedAt":
            return iso_time(value)
        case _:
            return value
