"""The GraphQL type of changes: who changed what, when and why, and the values before and after."""

from typing import Final

import strawberry
from strawberry.scalars import JSON

from ledgerpress.eventlog.envelope import plaintext
from ledgerpress.features.actors.schema import Actor, actor_of
from ledgerpress.features.history import change_queries as changes
from ledgerpress.features.history.changed_values import ChangedValues, changed, occurred_at, shown
from ledgerpress.graphql.context import PointInTime, RequestInfo
from ledgerpress.graphql.event_loader_and_payload_redaction import EVERYONE, visible_event
from ledgerpress.graphql.feature_declarations import declarations_of
from ledgerpress.graphql.relay.global_ids import Node
from ledgerpress.graphql.scalars import DateTime, Position
from ledgerpress.views.feature_declarations import kind_and_id

_NODES: Final = {"page": "PageDraft"}
"""The GraphQL types of subjects whose kind is not the name of the type."""


@strawberry.type(description="A recorded event and the changes that it made.")
class Change:
    record: strawberry.Private[changes.Change]
    moment: strawberry.Private[PointInTime]
    position: Position
    version: int = strawberry.field(
        description="The version of the event's stream after the change. All categories share a stream: it is neither "
        "`Category.version` nor, for a merge in the history of a post, a version of the post."
    )
    type: str = strawberry.field(description="The event's stored name, such as post.edited.")
    recorded_at: DateTime = strawberry.field(
        description="When it was recorded. If the clock was corrected since, this is the corrected time."
    )
    uncorrected_recorded_at: DateTime | None = strawberry.field(
        description="The time that a wrong clock showed when it was recorded, if that time was corrected since."
    )
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
        load = declarations_of(info).nodes.get(_NODES.get(kind, kind.capitalize()))
        return load(self.moment, subject_id) if load else None

    @strawberry.field(description="The time that the event itself states, if any: a post's publishedAt.")
    def occurred_at(self) -> DateTime | None:
        time = occurred_at(self.moment.snapshot, self.record)
        return None if time is None else DateTime(time)

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
        return JSON(shown(self._changed(info).before, self.record.position - 1))

    @strawberry.field(
        description="The values of the changed fields after; a field without a value is absent."
    )
    def after(self, info: RequestInfo) -> JSON:
        return JSON(shown(self._changed(info).after, self.record.position))

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
        uncorrected_recorded_at=(
            None if record.clock_time == record.recorded_at else DateTime(record.clock_time)
        ),
        withdrawn=record.withdrawn is not None,
    )
