"""The GraphQL types of differences between two versions of a post, and of blame."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import strawberry

from ledgerpress.commands.roles_and_permissions import READ_HISTORY
from ledgerpress.features.actors.schema import Actor, actor_of
from ledgerpress.features.authors import projector_and_queries as authors_queries
from ledgerpress.features.authors.schema import Author, author_of
from ledgerpress.features.categories import queries as categories
from ledgerpress.features.categories.schema.category_type_and_queries import Category, category_of
from ledgerpress.features.history.blame_states import blamed_body
from ledgerpress.features.history.blamed_changes import BlamedChanges
from ledgerpress.features.history.change_queries import Change
from ledgerpress.features.history.post_versions import NoSuchVersion, PostVersion, versions_of
from ledgerpress.features.posts import post_queries
from ledgerpress.features.posts.model import CONTENT
from ledgerpress.features.posts.text_diff import SpanKind, difference, unified
from ledgerpress.graphql.context import Context, PointInTime, RequestInfo
from ledgerpress.graphql.errors import BadRequest
from ledgerpress.graphql.scalars import DateTime, described_enum

SpanKindEnum = described_enum(
    SpanKind,
    name="DiffSpanKind",
    description="Whether a span of text is in both versions, or was inserted or deleted.",
    values={
        SpanKind.EQUAL: "In both versions.",
        SpanKind.INSERT: "Only in the newer version.",
        SpanKind.DELETE: "Only in the older version.",
    },
)


@strawberry.type(description="The two values of a field that differs.")
class FieldDiff:
    before: str | None
    after: str | None


@strawberry.type(description="Consecutive text of one kind: at least a whole word or punctuation mark.")
class DiffSpan:
    kind: SpanKindEnum  # type: ignore[valid-type]
    text: str


@strawberry.type(description="The differences between two bodies.")
class BodyDiff:
    before: strawberry.Private[str]
    after: strawberry.Private[str]

    @strawberry.field(
        description=(
            "The differences, word by word. EQUAL and DELETE spans form the old body, EQUAL and INSERT spans the "
            "new one."
        )
    )
    async def spans(self) -> list[DiffSpan]:
        spans = await asyncio.to_thread(difference, self.before, self.after)
        return [DiffSpan(kind=kind, text=text) for kind, text in spans]

    @strawberry.field(
        description="The differences, line by line, in the unified format of GNU diff; empty if there are none."
    )
    async def unified(self) -> str:
        return await asyncio.to_thread(unified, self.before, self.after)


def _plain_field(name: str) -> Any:
    def differing(self: "PostDiff") -> FieldDiff | None:
        return self.plain_field(name)

    return strawberry.field(resolver=differing)


def _with_plain_fields(type_: type["PostDiff"]) -> type["PostDiff"]:
    """Add a field for each content field that is plain text."""
    for content in CONTENT:
        if content.is_plain:
            setattr(type_, content.name, _plain_field(content.name))
    return type_


@strawberry.type(
    description="The differences between two versions of a post; a field that does not differ is null."
)
@_with_plain_fields
class PostDiff:
    old: strawberry.Private[PostVersion]
    new: strawberry.Private[PostVersion]
    moment: strawberry.Private[PointInTime]

    @strawberry.field(name="from")
    def from_version(self) -> int:
        return self.old.number

    @strawberry.field(name="to")
    def to_version(self) -> int:
        return self.new.number

    @strawberry.field
    def body(self) -> BodyDiff | None:
        return None if self.old.body == self.new.body else BodyDiff(before=self.old.body, after=self.new.body)

    @strawberry.field(description="The added categories, as of the newer version.")
    def categories_added(self) -> list[Category]:
        return self._categories(self.new, self.old)

    @strawberry.field(description="The removed categories, as of the older version.")
    def categories_removed(self) -> list[Category]:
        return self._categories(self.old, self.new)

    @strawberry.field(description="The added authors, with their names as of the newer version.")
    def authors_added(self) -> list[Author]:
        return self._authors(self.new, self.old)

    @strawberry.field(description="The removed authors, with their names as of the older version.")
    def authors_removed(self) -> list[Author]:
        return self._authors(self.old, self.new)

    def plain_field(self, name: str) -> FieldDiff | None:
        """Return the difference of a plain content field, `None` if it is the same."""
        before, after = (getattr(version.post, name, None) for version in (self.old, self.new))
        return None if before == after else FieldDiff(before=before, after=after)

    def _categories(self, inside: PostVersion, outside: PostVersion) -> list[Category]:
        then = self._moment_of(inside)
        ids = [category_id for category_id in inside.category_ids if category_id not in outside.category_ids]
        records = [record for id_ in ids if (record := categories.by_id(then.snapshot, id_))]
        unique = {record.seq: record for record in records}
        return [category_of(record, self._related_moment(then)) for record in unique.values()]

    def _authors(self, inside: PostVersion, outside: PostVersion) -> list[Author]:
        then = self._moment_of(inside)
        ids = [author_id for author_id in inside.author_ids if author_id not in outside.author_ids]
        records = authors_queries.authors(then.snapshot, ids)
        return [author_of(record, self._related_moment(then)) for record in records]

    def _related_moment(self, then: PointInTime) -> PointInTime:
        """Return the moment at which to show categories and authors.

        It is `then` for viewers who may read the history, otherwise the moment of the response.
        """
        return then if self.moment.viewer.may(READ_HISTORY) else self.moment.for_related

    def _moment_of(self, version: PostVersion) -> PointInTime:
        return replace(self.moment, snapshot=self.moment.snapshot.at(version.position), has_dated_ids=True)


class Blame:
    """What the spans of one blame share. Each change and each actor is read once, when a field needs it."""

    def __init__(self, moment: PointInTime, positions: Mapping[int, int]) -> None:
        self.changes = BlamedChanges(moment.snapshot, positions.values())
        self.positions = positions
        self._moment = moment
        self._actors: dict[str, Actor] = {}

    def change(self, version: int) -> Change:
        return self.changes.change(self.positions[version])

    def actor(self, version: int) -> Actor:
        actor_id = self.change(version).actor_id
        if actor_id not in self._actors:
            self._actors[actor_id] = actor_of(actor_id, self._moment)
        return self._actors[actor_id]


@strawberry.type(description="Consecutive text of a body, and who added it.")
class BlameSpan:
    blame: strawberry.Private[Blame]
    text: str
    version: int = strawberry.field(
        description="The version that added the text; moving a paragraph or line does not count as adding it."
    )

    @strawberry.field
    def actor(self) -> Actor:
        return self.blame.actor(self.version)

    @strawberry.field
    def recorded_at(self) -> DateTime:
        return DateTime(self.blame.change(self.version).recorded_at)

    @strawberry.field
    async def reason(self, info: RequestInfo) -> str | None:
        return await self.blame.changes.reason(self.blame.positions[self.version], info.context.store.log)


def diff_of(post: post_queries.Post, moment: PointInTime, old: int, new: int) -> PostDiff:
    """Return the differences between two versions of a post. Raises `BadRequest` if a version does not exist."""
    try:
        before, after = versions_of(moment.snapshot, post, old, new)
    except NoSuchVersion as error:
        raise BadRequest(str(error)) from None
    return PostDiff(old=before, new=after, moment=moment)


async def blame_of(post: post_queries.Post, moment: PointInTime, context: Context) -> list[BlameSpan]:
    """Return the parts of a post's body, each with the version and the actor that added it."""
    store = context.store
    withdrawal = store.last_withdrawal(context.today.snapshot)
    spans = (await blamed_body(moment.snapshot, post, store.computed, withdrawal)).spans
    positions = post_queries.positions_of(moment.snapshot, post.seq, {span.version for span in spans})
    blame = Blame(moment, positions)
    return [BlameSpan(blame=blame, text=text, version=version) for version, text in spans]
