"""Categories: a tree in one stream, `taxonomy`, so that two concurrent moves cannot create a cycle.

The version of a category is the stream version of its last change.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import ClassVar, Final, TypeAlias

from msgspec import UNSET, UnsetType

from ledgerpress.commands.errors import ErrorCode, Rejection
from ledgerpress.commands.streams_and_append_plan import StreamCategory
from ledgerpress.eventlog.codec import EventType
from ledgerpress.eventlog.event_and_withdrawn_event import Event, ValueOf, Withdrawn, remaining_event
from ledgerpress.features.slugs.model import normalized

MAX_DEPTH: Final = 20
"""The maximum number of levels of the tree."""
CATEGORY_CYCLE: Final = "CATEGORY_CYCLE"
CATEGORY_NOT_EMPTY: Final = "CATEGORY_NOT_EMPTY"
CATEGORY_TOO_DEEP: Final = "CATEGORY_TOO_DEEP"
ERROR_CODES: Final = (CATEGORY_CYCLE, CATEGORY_NOT_EMPTY, CATEGORY_TOO_DEEP)


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


class CategoryDeleted(Event, frozen=True):
    """An empty category was deleted."""

    TEXT: ClassVar = {}

    category_id: str


TaxonomyChange: TypeAlias = (
    CategoryCreated | CategoryRenamed | CategoryDescribed | CategoryMoved | CategoryMerged | CategoryDeleted
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
class Taxonomy:
    """The tree: `categories` contains all existing categories by id.

    `merged` maps the id of each merged category to the id of the category that it was merged into. `slugs` maps each
    current or former slug to the id of the category that claimed it.
    """

    version: int = 0
    categories: Mapping[str, Category] = field(default_factory=dict)
    merged: Mapping[str, str] = field(default_factory=dict)
    slugs: Mapping[str, str] = field(default_factory=dict)

    def resolve(self, category_id: str) -> Category | None:
        """Return the category that an id now leads to: the category itself, or the one that it was merged into."""
        visited: set[str] = set()
        while category_id in self.merged and category_id not in visited:
            visited.add(category_id)
            category_id = self.merged[category_id]
        return self.categories.get(category_id)

    def equivalents(self, category_id: str) -> frozenset[str]:
        """Return the id of the category and the ids of all categories that were merged into it."""
        ids = {category_id}
        while more := {old for old, new in self.merged.items() if new in ids} - ids:
            ids |= more
        return frozenset(ids)

    def by_slug(self, slug: str) -> Category | None:
        """Return the category that a current or former slug leads to."""
        owner = self.slugs.get(normalized(slug))
        return None if owner is None else self.resolve(owner)

    def find(self, ref: CategoryRef, *, field: str) -> Category:
        """Return the category that `ref` names. Raises `Rejection` if there is none."""
        category = self.by_slug(ref.slug or "") if ref.id is None else self.resolve(ref.id)
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
    version, event = taxonomy.version + 1, remaining_event(event)
    if not isinstance(event, TaxonomyChange):
        return replace(taxonomy, version=version)
    categories = dict(taxonomy.categories)
    if isinstance(event, CategoryCreated):
        categories[event.category_id] = Category(
            event.category_id, event.slug, event.name, event.description, event.parent_id, version
        )
        slugs = {**taxonomy.slugs, event.slug: event.category_id}
        return replace(taxonomy, version=version, categories=categories, slugs=slugs)
    old = categories.get(event.category_id)
    if old is None:
        return replace(taxonomy, version=version)
    merged, slugs = taxonomy.merged, dict(taxonomy.slugs)
    match event:
        case CategoryRenamed(name=name, slug=slug):
            if slug is not UNSET:
                slugs = {slug: old.id, **slugs}
            categories[old.id] = replace(
                old,
                name=old.name if name is UNSET else name,
                slug=old.slug if slug is UNSET else slug,
                version=version,
            )
        case CategoryDescribed(description=description):
            categories[old.id] = replace(old, description=description, version=version)
        case CategoryMoved(parent_id=parent_id):
            categories[old.id] = replace(old, parent_id=parent_id, version=version)
        case CategoryMerged(into_id=into_id):
            del categories[old.id]
            merged = {**merged, old.id: into_id}
            for child in [category for category in categories.values() if category.parent_id == old.id]:
                categories[child.id] = replace(child, parent_id=into_id, version=version)
            if into_id in categories:
                categories[into_id] = replace(categories[into_id], version=version)
        case CategoryDeleted():
            del categories[old.id]
            released = taxonomy.slugs_of(old.id)
            slugs = {slug: owner for slug, owner in slugs.items() if slug not in released}
    return Taxonomy(version, categories, merged, slugs)


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
    EventType[Event]("category.deleted", 1, CategoryDeleted),
)
