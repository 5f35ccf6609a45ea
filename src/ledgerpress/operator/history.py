"""Read the history of a post or a category: its changes, the differences between versions, and blame.

The results have the shape of the GraphQL types, but are read without the GraphQL layer, whose import takes longer than
the work.
"""

import re
from collections.abc import AsyncGenerator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from ledgerpress import rfc3339
from ledgerpress.feature import FeatureSet
from ledgerpress.features.actors import projector_and_queries as actors
from ledgerpress.features.actors.model import ActorKind
from ledgerpress.features.authors import projector_and_queries as authors
from ledgerpress.features.categories import queries as categories
from ledgerpress.features.history import change_queries as changes
from ledgerpress.features.history.blamed_changes import reasons_at
from ledgerpress.features.history.change_queries import ChangeQuery
from ledgerpress.features.history.changed_values import changed, occurred_at, shown
from ledgerpress.features.history.post_versions import NoSuchVersion, PostVersion, blamed, existing_version
from ledgerpress.features.posts import post_queries
from ledgerpress.features.posts.model import CONTENT
from ledgerpress.features.posts.text_diff import difference, unified
from ledgerpress.features.registry import FEATURES
from ledgerpress.graphql.relay import global_id_text
from ledgerpress.operator import TaskFailed
from ledgerpress.server.store import Store, open_store
from ledgerpress.views.feature_declarations import kind_and_id
from ledgerpress.views.snapshot_and_cache_dependencies import Snapshot

PAGE: Final = 20
"""Changes that are read at once. Each may contain the body before and after the change, of up to 256 KiB."""
_UUID: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class NotFound(TaskFailed):
    """No post, or no post or category, has this slug or id."""


async def changes_of(
    data: Path, log: str, slug_or_id: str, *, limit: int | None = None, features: FeatureSet = FEATURES
) -> AsyncGenerator[dict[str, Any], None]:
    """Yield the latest `limit` changes of a post, newest first; if there is none, those of a category.

    Those of a post include the merges of its categories, whose `version` is the stream version of the category tree.
    Raises `LogUnusable`, and `NotFound`.
    """
    async with open_store(data, log=log, features=features, create=False) as store:
        with store.snapshot() as snapshot:
            query = _query(snapshot, slug_or_id)
        left = limit
        while left is None or left > 0:
            with store.snapshot() as snapshot:
                size = PAGE if left is None else min(PAGE, left)
                matching = changes.positions(snapshot, query, limit=size, newest_first=True)
                records = [record for at in matching if (record := changes.by_position(snapshot, at))]
                positions = [record.position for record in records]
                page = [_change(store, snapshot, record) for record in records]
            for change, reason in zip(page, await _reasons(store, positions), strict=True):
                yield change | {"reason": reason}
            if len(positions) < size or positions[-1] == 1:
                return
            query = replace(query, high=positions[-1] - 1)
            left = None if left is None else left - len(positions)


async def diff_of(
    data: Path,
    log: str,
    slug_or_id: str,
    old: int | None,
    new: int | None,
    *,
    features: FeatureSet = FEATURES,
) -> dict[str, Any]:
    """Return the differences between two versions of a post, by default the latest and the one before its last edit.

    Raises `LogUnusable`, `NotFound`, and `TaskFailed` if there is no such version.
    """
    async with open_store(data, log=log, features=features, create=False) as store:
        with store.snapshot() as snapshot:
            post = _post(snapshot, slug_or_id)
            try:
                after = existing_version(snapshot, post, post.version if new is None else new)
                before = (
                    _version_with_other_content(snapshot, post, after)
                    if old is None
                    else existing_version(snapshot, post, old)
                )
            except NoSuchVersion as error:
                raise TaskFailed(str(error)) from None
            return _differences(snapshot, before, after)


async def blame_of(
    data: Path, log: str, slug_or_id: str, version: int | None = None, *, features: FeatureSet = FEATURES
) -> list[dict[str, Any]]:
    """Return the parts of the body of a post, each with the version, the actor, the time and the reason.

    With `version`, of the body in that version. Raises `LogUnusable`, `NotFound`, and `TaskFailed` if there is no such
    version.
    """
    async with open_store(data, log=log, features=features, create=False) as store:
        with store.snapshot() as snapshot:
            post = _post(snapshot, slug_or_id)
            try:
                wanted = existing_version(snapshot, post, post.version if version is None else version)
            except NoSuchVersion as error:
                raise TaskFailed(str(error)) from None
            parts = await blamed(snapshot.at(wanted.position), post)
            actors_by_id = {
                actor_id: _actor(snapshot, actor_id) for actor_id in {part.change.actor_id for part in parts}
            }
        reasons = await _reasons(store, [part.change.position for part in parts])
    return [
        {
            "text": part.text,
            "version": part.version,
            "actor": actors_by_id[part.change.actor_id],
            "recordedAt": rfc3339.format_time(part.change.recorded_at),
            "reason": reason,
        }
        for part, reason in zip(parts, reasons, strict=True)
    ]


def _query(snapshot: Snapshot, slug_or_id: str) -> ChangeQuery:
    """Return the query for the changes of the post or the category. Raises `NotFound`."""
    if post := found_post(snapshot, slug_or_id):
        return ChangeQuery(subject=f"post.{post.id}")
    category = categories.by_slug(snapshot, slug_or_id)
    if category is None and (category_id := id_of(slug_or_id, "Category")):
        category = categories.by_id(snapshot, category_id)
    if category is None:
        raise NotFound(f"no post or category has or had the slug or the id “{slug_or_id}”")
    return ChangeQuery(category_id=category.id, members=False)


def _post(snapshot: Snapshot, slug_or_id: str) -> post_queries.Post:
    post = found_post(snapshot, slug_or_id)
    if post is None:
        raise NotFound(f"no post has or had the slug or the id “{slug_or_id}”")
    return post


def found_post(snapshot: Snapshot, slug_or_id: str) -> post_queries.Post | None:
    """Return the post that a current or former slug or an id leads to."""
    post = post_queries.by_slug(snapshot, slug_or_id)
    if post is None and (post_id := id_of(slug_or_id, "Post", "Article")):
        return post_queries.by_id(snapshot, post_id)
    return post


def id_of(text: str, *types: str) -> str | None:
    """Return the id in `text`, which is an id as events contain it, or a global id as GraphQL returns it."""
    if _UUID.fullmatch(text.lower()):
        return text.lower()
    decoded = global_id_text.decode(text)
    return decoded.id if decoded and decoded.type in types else None


def _change(store: Store, snapshot: Snapshot, record: changes.Change) -> dict[str, Any]:
    values = changed(snapshot, record, store.declared.subjects)
    time = occurred_at(snapshot, record)
    represented = record.on_behalf_of_id
    return {
        "position": record.position,
        "version": record.version,
        "type": record.type,
        "subject": _subject(snapshot, record.subject),
        "recordedAt": rfc3339.format_time(record.recorded_at),
        "uncorrectedRecordedAt": (
            None if record.clock_time == record.recorded_at else rfc3339.format_time(record.clock_time)
        ),
        "occurredAt": None if time is None else rfc3339.format_time(time),
        "reason": None,
        "changedFields": values.fields,
        "before": shown(values.before, record.position - 1),
        "after": shown(values.after, record.position),
        "withdrawn": record.withdrawn is not None,
        "actor": _actor(snapshot, record.actor_id),
        "onBehalfOf": None if represented is None else _actor(snapshot, represented),
    }


def _subject(snapshot: Snapshot, subject: str) -> dict[str, str] | None:
    """Return the post, or the category that the changed one leads to; `None` if it was deleted."""
    kind, subject_id = kind_and_id(subject)
    if kind == "category":
        category = categories.by_id(snapshot, subject_id)
        if category is None:
            return None
        subject_id = category.id
    return {"id": global_id_text.encode(kind.capitalize(), subject_id)}


def _actor(snapshot: Snapshot, actor_id: str) -> dict[str, Any]:
    record = actors.actor(snapshot, actor_id)
    return {
        "id": global_id_text.encode("Actor", actor_id),
        "kind": ActorKind(record.kind).name if record and record.kind else None,
        "name": (record.name or None) if record else None,
    }


async def _reasons(store: Store, positions: Sequence[int]) -> list[str | None]:
    """Return the reasons of the events at these positions, in the same order."""
    reasons = await reasons_at(store.log, positions)
    return [reasons[position] for position in positions]


def _differences(snapshot: Snapshot, before: PostVersion, after: PostVersion) -> dict[str, Any]:
    result: dict[str, Any] = {"from": before.number, "to": after.number}
    for field in CONTENT:
        if field.is_plain:
            values = [getattr(version.post, field.name, None) for version in (before, after)]
            result[field.name] = (
                None if values[0] == values[1] else dict(zip(("before", "after"), values, strict=True))
            )
    result["body"] = None
    if before.body != after.body:
        spans = [{"kind": kind.value, "text": text} for kind, text in difference(before.body, after.body)]
        result["body"] = {"spans": spans, "unified": unified(before.body, after.body)}
    for name, inside, outside in (("Added", after, before), ("Removed", before, after)):
        then = snapshot.at(inside.position)
        # Two ids may lead to the same category, if others were merged into it.
        unique = {
            category.id: _reference("Category", category.id, category.name, inside.position)
            for id_ in inside.category_ids
            if id_ not in outside.category_ids and (category := categories.by_id(then, id_))
        }
        result[f"categories{name}"] = list(unique.values())
        ids = [id_ for id_ in inside.author_ids if id_ not in outside.author_ids]
        result[f"authors{name}"] = [
            _reference("Author", author.id, author.name, inside.position)
            for author in authors.authors(then, ids)
        ]
    return result


def _version_with_other_content(
    snapshot: Snapshot, post: post_queries.Post, version: PostVersion
) -> PostVersion:
    """Return the latest version before `version` with another content, authors or categories; otherwise version 0."""
    for number in range(version.number - 1, 0, -1):
        earlier = existing_version(snapshot, post, number)
        if _content(earlier) != _content(version):
            return earlier
    return existing_version(snapshot, post, 0)


def _content(version: PostVersion) -> tuple[object, ...]:
    fields = (getattr(version.post, field.name) for field in CONTENT if field.is_plain and version.post)
    return (*fields, version.body, version.author_ids, version.category_ids)


def _reference(type_: str, id_: str, name: str | None, position: int) -> dict[str, Any]:
    return {"id": global_id_text.encode(type_, id_, position), "name": name}
