"""Categories: a tree in one stream, `taxonomy`, so that two concurrent moves cannot create a cycle.

The version of a category counts its own changes, from 1. A merge, and undoing it, changes both categories and the
subcategories that it moves.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import ClassVar, Final, TypeAlias

from msgspec import UNSET, UnsetType

from ledgerpress.commands.errors import ErrorCode, Rejection
from ledgerpress.commands.roles_and_permissions import Permission, Role
from ledgerpress.commands.streams_and_append_plan import StreamCategory
from ledgerpress.eventlog.codec import EventType
from ledgerpress.eventlog.event_and_withdrawn_event import Event, ValueOf, Withdrawn, remaining_event
from ledgerpress.features.slugs.model import normalized

MAX_DEPTH: Final = 20
"""The maximum number of levels of the tree."""
WRITE_CATEGORIES: Final = Permission(
    "categories:write", roles=[Role.EDITOR], enum_name="WRITE_CATEGORIES", order=6
)
CATEGORY_CYCLE: Final = "CATEGORY_CYCLE"
CATEGORY_NOT_EMPTY: Final = "CATEGORY_NOT_EMPTY"
CATEGORY_NOT_MERGED: Final = "CATEGORY_NOT_MERGED"
CATEGORY_TOO_DEEP: Final = "CATEGORY_TOO_DEEP"
UNMERGE_CONFLICT: Final = "UNMERGE_CONFLICT"
ERROR_CODES: Final = (
    CATEGORY_CYCLE,
    CATEGORY_NOT_EMPTY,
    CATEGORY_NOT_MERGED,
    CATEGORY_TOO_DEEP,
    UNMERGE_CONFLICT,
)


class CategoryCreated(Event, frozen=True):
    """A category was created."""

    TEXT: ClassVar = {"slug": ValueOf("category_id"), "name": "", "description": None}

    category_id: str
    slug: str
    name: str
    description: str | None
    parent_id: str | None


class CategoryRenamed(Event, frozen=True):
    """The name, the slug or both of a category were changed. Absent means unchanged."""

    TEXT: ClassVar = {"name": UNSET, "slug": UNSET}

    category_id: str
    name: str | UnsetType = UNSET
    slug: str | UnsetType = UNSET


class CategoryDescribed(Event, frozen=True):
    """The description of a category was changed, or cleared (null)."""

    TEXT: ClassVar = {"description": None}

    category_id: str
    description: str | None


class CategoryMoved(Event, frozen=True):
    """A category was moved to another parent, or to the top level (null)."""

    TEXT: ClassVar = {}

    category_id: str
    parent_id: str | None


class CategoryMerged(Event, frozen=True):
    """A category was merged into another, which took over its posts, subcategories and slugs."""

    TEXT: ClassVar = {}

    category_id: str
    into_id: str


class CategoryUnmerged(Event, frozen=True):
    """The merge of a category into `from_id` was undone: the category exists again, with its posts and slugs.

    It is below `parent_id` (null: at the top level), and `subcategory_ids` are the subcategories that moved back.
    """

    TEXT: ClassVar = {}

    category_id: str
    from_id: str
    parent_id: str | None
    subcategory_ids: tuple[str, ...]


class CategoryDeleted(Event, frozen=True):
    """An empty category was deleted."""

    TEXT: ClassVar = {}

    category_id: str


TaxonomyChange: TypeAlias = (
    CategoryCreated
    | CategoryRenamed
    | CategoryDescribed
    | CategoryMoved
    | CategoryMerged
    | CategoryUnmerged
    | CategoryDeleted
)
TaxonomyEvent: TypeAlias = TaxonomyChange | Withdrawn


@dataclass(frozen=True, slots=True, kw_only=True)
class CategoryRef:
    """A reference to a category by id or by slug."""

    id: str | None = None
    slug: str | None = None


@dataclass(frozen=True, slots=True)
class Category:
    id: str
    slug: str
    name: str
    description: str | None
    parent_id: str | None
    version: int


@dataclass(frozen=True, slots=True)
class Merge:
    """A merge that was not undone: the merged category as it was, and the category that it was merged into.

    `subcategory_ids` are the subcategories that the merge moved, without those that were moved again since.
    """

    category: Category
    into_id: str
    subcategory_ids: frozenset[str]


@dataclass(frozen=True, slots=True)
class Taxonomy:
    """The tree: `categories` contains all existing categories by id.

    `merged` contains the merge of each merged category by the id of the category. `slugs` maps each current or former
    slug to the id of the category that claimed it.
    """

    version: int = 0
    categories: Mapping[str, Category] = field(default_factory=dict)
    merged: Mapping[str, Merge] = field(default_factory=dict)
    slugs: Mapping[str, str] = field(default_factory=dict)

    def resolve(self, category_id: str) -> Category | None:
        """Return the category that an id now leads to: the category itself, or the one that it was merged into."""
        visited: set[str] = set()
        while category_id in self.merged and category_id not in visited:
            visited.add(category_id)
            category_id = self.merged[category_id].into_id
        return self.categories.get(category_id)

    def equivalents(self, category_id: str) -> frozenset[str]:
        """Return the id of the category and the ids of all categories that were merged into it."""
        ids = {category_id}
        while more := {old for old, merge in self.merged.items() if merge.into_id in ids} - ids:
            ids |= more
        return frozenset(ids)

    def by_slug(self, slug: str) -> Category | None:
        """Return the category that a current or former slug leads to."""
        return self.resolve(self.slugs.get(normalized(slug), ""))

    def id_of(self, ref: CategoryRef) -> str:
        """Return the id of the category that `ref` names, which may have been merged; empty for an unknown slug."""
        if ref.id is not None:
            return ref.id
        slug = normalized(ref.slug or "")
        owner = self.slugs.get(slug, "")
        category = self.resolve(owner)
        return category.id if category is not None and category.slug == slug else owner

    def find(self, ref: CategoryRef, *, field: str) -> Category:
        """Return the category that `ref` leads to. Raises `Rejection` if there is none."""
        category = self.resolve(self.id_of(ref))
        if category is None:
            named = f" “{ref.slug}”" if ref.slug else ""
            raise Rejection(ErrorCode.NOT_FOUND, f"There is no such category{named}.", field=(field,))
        return category

    def slugs_of(self, category_id: str) -> dict[str, str]:
        """Return every slug that leads to the category, with the id of the category that claimed it."""
        equivalents = self.equivalents(category_id)
        return {slug: owner for slug, owner in self.slugs.items() if owner in equivalents}

    def is_within(self, category_id: str | None, ancestor_id: str) -> bool:
        """Return whether a category is `ancestor_id` or is below it.

        Terminates even if the tree has a cycle: if a move was withdrawn, later moves can create one.
        """
        visited: set[str] = set()
        while category_id is not None and category_id not in visited:
            if category_id == ancestor_id:
                return True
            visited.add(category_id)
            category = self.categories.get(category_id)
            category_id = category.parent_id if category else None
        return False


def evolve(taxonomy: Taxonomy, event: Event) -> Taxonomy:
    """Return the taxonomy after `event`. An event about an unknown category only increases the version."""
    taxonomy = replace(taxonomy, version=taxonomy.version + 1)
    match event := remaining_event(event):
        case CategoryCreated(category_id=category_id, slug=slug):
            created = Category(category_id, slug, event.name, event.description, event.parent_id, version=1)
            return replace(
                taxonomy,
                categories={**taxonomy.categories, category_id: created},
                slugs={**taxonomy.slugs, slug: category_id},
            )
        case CategoryUnmerged(category_id=category_id) if category_id in taxonomy.merged:
            return _unmerge(taxonomy, event)
        case CategoryRenamed() | CategoryDescribed() | CategoryMoved() | CategoryMerged() | CategoryDeleted():
            category = taxonomy.categories.get(event.category_id)
            return taxonomy if category is None else _change(taxonomy, category, event)
        case _:
            return taxonomy


def _change(
    taxonomy: Taxonomy,
    old: Category,
    event: CategoryRenamed | CategoryDescribed | CategoryMoved | CategoryMerged | CategoryDeleted,
) -> Taxonomy:
    categories, slugs = dict(taxonomy.categories), taxonomy.slugs
    match event:
        case CategoryRenamed(name=name, slug=slug):
            if slug is not UNSET:
                slugs = {slug: old.id, **slugs}
            categories[old.id] = _changed(
                old, name=old.name if name is UNSET else name, slug=old.slug if slug is UNSET else slug
            )
        case CategoryDescribed(description=description):
            categories[old.id] = _changed(old, description=description)
        case CategoryMoved(parent_id=parent_id):
            categories[old.id] = _changed(old, parent_id=parent_id)
            merged = {
                category_id: replace(merge, subcategory_ids=merge.subcategory_ids - {old.id})
                for category_id, merge in taxonomy.merged.items()
            }
            return replace(taxonomy, categories=categories, merged=merged)
        case CategoryMerged(into_id=into_id):
            return _merge(taxonomy, old, into_id)
        case CategoryDeleted():
            del categories[old.id]
            released = taxonomy.slugs_of(old.id)
            slugs = {slug: owner for slug, owner in slugs.items() if slug not in released}
    return replace(taxonomy, categories=categories, slugs=slugs)


def _merge(taxonomy: Taxonomy, old: Category, into_id: str) -> Taxonomy:
    """Merge a category. A merge into itself changes nothing: if undoing a merge was withdrawn, an event can be one."""
    if into_id in taxonomy.equivalents(old.id):
        return taxonomy
    categories = dict(taxonomy.categories)
    del categories[old.id]
    moved = children(taxonomy, {old.id}) - {old.id}
    for category_id in moved:
        categories[category_id] = _changed(categories[category_id], parent_id=into_id)
    if into_id in categories and into_id not in moved:
        categories[into_id] = _changed(categories[into_id])
    merge = Merge(_changed(old), into_id, frozenset(moved))
    return replace(taxonomy, categories=categories, merged={**taxonomy.merged, old.id: merge})


def _unmerge(taxonomy: Taxonomy, event: CategoryUnmerged) -> Taxonomy:
    categories, merged = dict(taxonomy.categories), dict(taxonomy.merged)
    merge = merged.pop(event.category_id)
    if merge.into_id in categories:
        categories[merge.into_id] = _changed(categories[merge.into_id])
    for category_id in event.subcategory_ids:
        if category_id in categories and category_id != merge.into_id:
            categories[category_id] = _changed(categories[category_id], parent_id=event.category_id)
    categories[event.category_id] = _changed(merge.category, parent_id=event.parent_id)
    return replace(taxonomy, categories=categories, merged=merged)


def _changed(category: Category, **changes: str | None) -> Category:
    return replace(category, version=category.version + 1, **changes)  # type: ignore[arg-type]


def known(taxonomy: Taxonomy, category_id: str, *, field: str) -> Category:
    """Return the category that an id leads to. Raises `Rejection` if there is none."""
    category = taxonomy.resolve(category_id)
    if category is None:
        raise Rejection(ErrorCode.NOT_FOUND, "There is no such category.", field=(field,))
    return category


def check_cycle(taxonomy: Taxonomy, category: Category, target: str | None, *, field: str) -> None:
    """Raise `Rejection` if `target` is the category or is below it."""
    if taxonomy.is_within(target, category.id):
        message = f"“{category.name}” cannot be moved or merged into itself or one of its subcategories."
        raise Rejection(CATEGORY_CYCLE, message, field=(field,))


def check_depth(taxonomy: Taxonomy, category_id: str, target: str, *, field: str) -> None:
    """Raise `Rejection` if a category with its subcategories would be too deep below `target`."""
    depth, above = 1, taxonomy.categories.get(target)
    while above is not None and depth <= MAX_DEPTH:
        depth, above = depth + 1, taxonomy.categories.get(above.parent_id or "")
    below = {category_id}
    while depth <= MAX_DEPTH and (below := children(taxonomy, below)):
        depth += 1
    if depth > MAX_DEPTH:
        message = f"The tree of categories would have more than {MAX_DEPTH} levels."
        raise Rejection(CATEGORY_TOO_DEEP, message, field=(field,))


def children(taxonomy: Taxonomy, category_ids: set[str]) -> set[str]:
    """Return the ids of the direct subcategories of the categories `category_ids`."""
    return {category.id for category in taxonomy.categories.values() if category.parent_id in category_ids}


TAXONOMY: Final = StreamCategory("taxonomy", Taxonomy(), evolve)
EVENTS: Final = (
    EventType[Event]("category.created", 1, CategoryCreated),
    EventType[Event]("category.renamed", 1, CategoryRenamed),
    EventType[Event]("category.described", 1, CategoryDescribed),
    EventType[Event]("category.moved", 1, CategoryMoved),
    EventType[Event]("category.merged", 1, CategoryMerged),
    EventType[Event]("category.unmerged", 1, CategoryUnmerged),
    EventType[Event]("category.deleted", 1, CategoryDeleted),
)
