"""Categories: a tree in one stream, `taxonomy`, so that no two moves together can make a cycle.

A category's version is the version that the stream had at the category's last change.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final, TypeAlias, assert_never

from msgspec import UNSET, UnsetType

from ledgerpress.commands import text_rules
from ledgerpress.commands.errors import ErrorCode, Rejection, version_conflict
from ledgerpress.eventlog.event import Event, Withdrawn

MAX_DEPTH: Final = 20
"""So many categories stand one below another at most."""


class CategoryCreated(Event, frozen=True):
    """A category exists."""

    category_id: str
    slug: str
    name: str
    description: str | None
    parent_id: str | None


class CategoryRenamed(Event, frozen=True):
    """The category has another name, slug or both."""

    category_id: str
    name: str | UnsetType = UNSET
    slug: str | UnsetType = UNSET


class CategoryDescribed(Event, frozen=True):
    """The category has another description, or none."""

    category_id: str
    description: str | None


class CategoryMoved(Event, frozen=True):
    """The category is under another parent, or at the top."""

    category_id: str
    parent_id: str | None


class CategoryMerged(Event, frozen=True):
    """The category's posts and children are another's from now on; its id stands for the other."""

    category_id: str
    into_id: str


class CategoryDeleted(Event, frozen=True):
    """The category, which was empty, is gone."""

    category_id: str


TaxonomyEvent: TypeAlias = (
    CategoryCreated
    | CategoryRenamed
    | CategoryDescribed
    | CategoryMoved
    | CategoryMerged
    | CategoryDeleted
    | Withdrawn
)


@dataclass(frozen=True, slots=True)
class Category:
    """A category as it stands."""

    id: str
    slug: str
    name: str
    description: str | None
    parent_id: str | None
    version: int


@dataclass(frozen=True, slots=True)
class Taxonomy:
    """All categories that exist, by id, and into which one each merged category went.

    `slugs` holds the id of the category that claimed each slug, present or former.
    """

    version: int = 0
    categories: Mapping[str, Category] = field(default_factory=dict)
    merged: Mapping[str, str] = field(default_factory=dict)
    slugs: Mapping[str, str] = field(default_factory=dict)

    def resolve(self, category_id: str) -> Category | None:
        """Return the category that `category_id` stands for today, if any."""
        seen: set[str] = set()
        while category_id in self.merged and category_id not in seen:
            seen.add(category_id)
            category_id = self.merged[category_id]
        return self.categories.get(category_id)

    def equivalents(self, category_id: str) -> frozenset[str]:
        """Return every id that stands for the category."""
        ids = {category_id}
        while more := {old for old, new in self.merged.items() if new in ids} - ids:
            ids |= more
        return frozenset(ids)

    def by_slug(self, slug: str) -> Category | None:
        """Return the category that a slug, present or former, leads to."""
        owner = self.slugs.get(slug)
        return None if owner is None else self.resolve(owner)

    def slugs_of(self, category_id: str) -> dict[str, str]:
        """Return every slug that leads to the category, with the id that claimed it."""
        equivalents = self.equivalents(category_id)
        return {slug: owner for slug, owner in self.slugs.items() if owner in equivalents}

    def is_within(self, category_id: str | None, ancestor_id: str) -> bool:
        """Whether a category is `ancestor_id` or stands below it.

        It ends in any tree: where a move was withdrawn, the later ones can make a cycle.
        """
        seen: set[str] = set()
        while category_id is not None and category_id not in seen:
            if category_id == ancestor_id:
                return True
            seen.add(category_id)
            category = self.categories.get(category_id)
            category_id = category.parent_id if category else None
        return False


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateCategory:
    """Make a category, under a parent or at the top."""

    category_id: str
    slug: str
    name: str
    description: str | None
    parent_id: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RenameCategory:
    """Give a category another name, slug or both."""

    category_id: str
    name: str | UnsetType
    slug: str | UnsetType


@dataclass(frozen=True, slots=True, kw_only=True)
class DescribeCategory:
    """Say what a category is about; `None` clears it."""

    category_id: str
    description: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class MoveCategory:
    """Put a category under another parent, or at the top."""

    category_id: str
    parent_id: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class MergeCategory:
    """Let another category take over a category's posts, children and id."""

    category_id: str
    into_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteCategory:
    """Delete an empty category. `has_posts` tells whether any post is in it, as far as is known."""

    category_id: str
    has_posts: bool


TaxonomyCommand: TypeAlias = (
    CreateCategory | RenameCategory | DescribeCategory | MoveCategory | MergeCategory | DeleteCategory
)


def evolve(taxonomy: Taxonomy, event: TaxonomyEvent) -> Taxonomy:
    """Return the taxonomy after `event`. What names an unknown category changes nothing but the version."""
    version = taxonomy.version + 1
    if isinstance(event, Withdrawn):
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
            for child in [one for one in categories.values() if one.parent_id == old.id]:
                categories[child.id] = replace(child, parent_id=into_id, version=version)
            if into_id in categories:
                categories[into_id] = replace(categories[into_id], version=version)
        case CategoryDeleted():
            del categories[old.id]
            gone = taxonomy.slugs_of(old.id)
            slugs = {slug: owner for slug, owner in slugs.items() if slug not in gone}
        case _ as unreachable:
            assert_never(unreachable)
    return Taxonomy(version, categories, merged, slugs)


def decide(
    command: TaxonomyCommand, taxonomy: Taxonomy, *, expected_version: int | None = None
) -> tuple[TaxonomyEvent, ...]:
    """Return what happens on `command`; nothing where it is so already.

    `expected_version` is that of the category itself. Raises `Rejection`.
    """
    if isinstance(command, CreateCategory):
        return _create(command, taxonomy)
    old = known(taxonomy, command.category_id, field="id")
    if expected_version is not None and expected_version != old.version:
        raise version_conflict(expected=expected_version, current=old.version)
    match command:
        case RenameCategory():
            return _rename(command, old)
        case DescribeCategory(description=description):
            description = text_rules.optional_text(
                description, field="description", limit=text_rules.MAX_DESCRIPTION
            )
            if description == old.description:
                return ()
            return (CategoryDescribed(category_id=old.id, description=description),)
        case MoveCategory():
            return _move(command, taxonomy, old)
        case MergeCategory(into_id=into_id):
            into = known(taxonomy, into_id, field="into")
            _refuse_cycle(taxonomy, old, into.id, field="into")
            for child in _children(taxonomy, {old.id}):
                _refuse_depth(taxonomy, child, into.id, field="into")
            return (CategoryMerged(category_id=old.id, into_id=into.id),)
        case DeleteCategory(has_posts=has_posts):
            if has_posts or _children(taxonomy, {old.id}):
                what = "posts" if has_posts else "categories below it"
                message = f"“{old.name}” still has {what}; move them, or merge it into another category."
                raise Rejection(ErrorCode.CATEGORY_NOT_EMPTY, message, field=("id",))
            return (CategoryDeleted(category_id=old.id),)
        case _ as unreachable:
            assert_never(unreachable)


def known(taxonomy: Taxonomy, category_id: str, *, field: str) -> Category:
    """Return the category that the id stands for. Raises `Rejection` where there is none."""
    category = taxonomy.resolve(category_id)
    if category is None:
        raise Rejection(ErrorCode.NOT_FOUND, "There is no such category.", field=(field,))
    return category


def _create(command: CreateCategory, taxonomy: Taxonomy) -> tuple[TaxonomyEvent, ...]:
    if command.category_id in taxonomy.categories:
        return ()
    parent_id = None if command.parent_id is None else known(taxonomy, command.parent_id, field="parent").id
    if parent_id is not None:
        _refuse_depth(taxonomy, command.category_id, parent_id, field="parent")
    created = CategoryCreated(
        category_id=command.category_id,
        slug=command.slug,
        name=text_rules.line(command.name, field="name", limit=text_rules.MAX_NAME),
        description=text_rules.optional_text(
            command.description, field="description", limit=text_rules.MAX_DESCRIPTION
        ),
        parent_id=parent_id,
    )
    return (created,)


def _move(command: MoveCategory, taxonomy: Taxonomy, old: Category) -> tuple[TaxonomyEvent, ...]:
    parent_id = None if command.parent_id is None else known(taxonomy, command.parent_id, field="parent").id
    if parent_id == old.parent_id:
        return ()
    _refuse_cycle(taxonomy, old, parent_id, field="parent")
    if parent_id is not None:
        _refuse_depth(taxonomy, old.id, parent_id, field="parent")
    return (CategoryMoved(category_id=old.id, parent_id=parent_id),)


def _rename(command: RenameCategory, old: Category) -> tuple[TaxonomyEvent, ...]:
    name: str | UnsetType = UNSET
    if command.name is not UNSET:
        name = text_rules.line(command.name, field="name", limit=text_rules.MAX_NAME)
    renamed = CategoryRenamed(
        category_id=old.id,
        name=UNSET if name == old.name else name,
        slug=UNSET if command.slug == old.slug else command.slug,
    )
    return () if renamed.name is UNSET and renamed.slug is UNSET else (renamed,)


def _refuse_cycle(taxonomy: Taxonomy, category: Category, target: str | None, *, field: str) -> None:
    if taxonomy.is_within(target, category.id):
        message = f"“{category.name}” cannot go into itself or into a category below it."
        raise Rejection(ErrorCode.CATEGORY_CYCLE, message, field=(field,))


def _refuse_depth(taxonomy: Taxonomy, category_id: str, target: str, *, field: str) -> None:
    """Refuse where a category, with what is below it, would stand too deep under `target`."""
    depth, above = 1, taxonomy.categories.get(target)
    while above is not None and depth <= MAX_DEPTH:
        depth, above = depth + 1, taxonomy.categories.get(above.parent_id or "")
    below = {category_id}
    while depth <= MAX_DEPTH and (below := _children(taxonomy, below)):
        depth += 1
    if depth > MAX_DEPTH:
        message = f"The tree of categories would be more than {MAX_DEPTH} deep."
        raise Rejection(ErrorCode.CATEGORY_TOO_DEEP, message, field=(field,))


def _children(taxonomy: Taxonomy, category_ids: set[str]) -> set[str]:
    return {one.id for one in taxonomy.categories.values() if one.parent_id in category_ids}
