"""What a change changed: the values before and after it, read from the views as of the two positions."""

from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple, TypeAlias

from ledgerpress.features import people_queries
from ledgerpress.features.history.queries import Change
from ledgerpress.features.posts import article_queries, post_queries
from ledgerpress.features.posts.model import CONTENT
from ledgerpress.views import cache_dependencies
from ledgerpress.views.snapshot import Snapshot


class FieldValue(NamedTuple):
    """A field's value: `mark` differs where the value does, `show` gives it in terms of JSON and of `Reference`."""

    mark: object
    show: Callable[[], Any]


FieldValues: TypeAlias = Mapping[str, FieldValue]


class Reference(NamedTuple):
    """A category or an author, with the name of that moment."""

    type: str
    id: str
    name: str


_NONE: Final = FieldValue(None, lambda: None)


class ChangedValues(NamedTuple):
    """The values of the fields that a change changed, before it and after it; absent where there was none."""

    before: FieldValues
    after: FieldValues

    @property
    def fields(self) -> list[str]:
        """The names of the fields."""
        return list(dict.fromkeys((*self.before, *self.after)))


def changed(snapshot: Snapshot, change: Change) -> ChangedValues:
    """Return what `change` changed of its subject, as of the views that `snapshot` reads."""
    before = _values(snapshot.at(change.position - 1), change)
    after = _values(snapshot.at(change.position), change)
    names = [
        name
        for name in dict.fromkeys((*before, *after))
        if (before.get(name, _NONE).mark or None) != (after.get(name, _NONE).mark or None)
    ]
    if change.type == "post.published" and (note := _correction(snapshot.at(change.position), change)):
        after = {**after, "correction": FieldValue(note, lambda: note)}
        names.append("correction")
    return ChangedValues(_only(before, names), _only(after, names))


def _only(values: FieldValues, names: list[str]) -> FieldValues:
    return {name: values[name] for name in names if name in values}


def _values(snapshot: Snapshot, change: Change) -> FieldValues:
    kind, _, subject_id = change.subject.partition(".")
    match kind:
        case "post":
            return _post(snapshot, subject_id)
        case "category":
            return _category(snapshot, subject_id)
        case "author":
            author = people_queries.author(snapshot, subject_id)
            return {"name": _plain(author.name)} if author else {}
        case "actor":
            actor = people_queries.actor(snapshot, subject_id)
            return {"kind": _plain(actor.kind), "name": _plain(actor.name)} if actor else {}
        case "site":
            return {"name": _plain(people_queries.site_name(snapshot))}
        case _:
            return {}


def _post(snapshot: Snapshot, post_id: str) -> FieldValues:
    post = post_queries.by_id(snapshot, post_id)
    if post is None:
        return {}
    category_ids = post_queries.category_ids(snapshot, post.seq)
    return {
        **{field.name: _plain(getattr(post, field.name)) for field in CONTENT if field.is_plain},
        "body": FieldValue(post.body, lambda: article_queries.markdown(snapshot, post.body)),
        "authors": FieldValue(post.author_ids, lambda: [_author(snapshot, one) for one in post.author_ids]),
        "categories": FieldValue(
            category_ids, lambda: [_category_named(snapshot, one) for one in category_ids]
        ),
        "status": _plain(post.status.value),
        "publishedAt": _plain(post.published_at),
        "publishedRevision": _plain(post.live_revision),
    }


def _category(snapshot: Snapshot, category_id: str) -> FieldValues:
    row = _category_row(snapshot, category_id)
    if row is None or row[5]:
        return {}
    name, slug, description, parent, merged_into, _ = row
    return {
        "name": _plain(name),
        "slug": _plain(slug),
        "description": _plain(description),
        "parent": FieldValue(parent, lambda: _category_at(snapshot, parent)),
        "mergedInto": FieldValue(merged_into, lambda: _category_at(snapshot, merged_into)),
    }


def _category_row(snapshot: Snapshot, category_id: str) -> tuple[Any, ...] | None:
    row: tuple[Any, ...] | None = (
        snapshot.about(cache_dependencies.TAXONOMY)
        .execute(
            "SELECT name, slug, description, parent, merged_into, deleted FROM category JOIN category_state USING (seq)"
            " WHERE id = ? AND from_pos <= ? ORDER BY from_pos DESC LIMIT 1",
            (category_id, snapshot.position),
        )
        .fetchone()
    )
    return row


def _category_at(snapshot: Snapshot, seq: int | None) -> Reference | None:
    row = (
        snapshot.about(cache_dependencies.TAXONOMY)
        .execute("SELECT id FROM category WHERE seq = ?", (seq,))
        .fetchone()
    )
    return _category_named(snapshot, row[0]) if row else None


def _category_named(snapshot: Snapshot, category_id: str) -> Reference:
    row = _category_row(snapshot, category_id)
    return Reference("Category", category_id, row[0] if row else "")


def _author(snapshot: Snapshot, author_id: str) -> Reference:
    author = people_queries.author(snapshot, author_id)
    return Reference("Author", author_id, author.name if author else "")


def _correction(snapshot: Snapshot, change: Change) -> str | None:
    post_id = change.subject.partition(".")[2]
    row = (
        snapshot.about(cache_dependencies.article(post_id))
        .execute(
            "SELECT note FROM correction WHERE seq = (SELECT seq FROM post WHERE id = ?) AND position = ?",
            (post_id, change.position),
        )
        .fetchone()
    )
    return row[0] if row else None


def _plain(value: object) -> FieldValue:
    return FieldValue(value, lambda: value)
