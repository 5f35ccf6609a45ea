"""What can be done with a post. Times are in microseconds since 1970, UTC; `at` is now."""

from dataclasses import dataclass
from typing import TypeAlias

from msgspec import UNSET, UnsetType

from ledgerpress.features.posts.events import ContentChanged
from ledgerpress.features.posts.state import Content


@dataclass(frozen=True, slots=True, kw_only=True)
class CreatePost:
    """Write a post; with `publish`, publish it in the same step. `at` is now."""

    post_id: str
    slug: str
    title: str
    teaser: str | None
    body: str
    author_ids: tuple[str, ...]
    category_ids: tuple[str, ...]
    publish: bool
    published_at: int | None
    at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class EditPost:
    """Change what is given; with `publish`, publish the outcome in the same step."""

    slug: str | UnsetType = UNSET
    title: str | UnsetType = UNSET
    teaser: str | UnsetType | None = UNSET
    body: str | UnsetType = UNSET
    author_ids: tuple[str, ...] | UnsetType = UNSET
    publish: bool = False
    at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CategorizePost:
    """Put the post into a category. `equivalents` are the ids that stand for it since it took others in."""

    category_id: str
    equivalents: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class UncategorizePost:
    """Take the post out of a category, under whichever of its ids it is in it."""

    equivalents: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishPost:
    """Make the current revision the article. Without `published_at`, the first publication's date stays."""

    published_at: int | None
    correction: str | None
    at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class UnpublishPost:
    """Take the article away from readers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchivePost:
    """Put the post away."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UnarchivePost:
    """Bring the post back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RestorePost:
    """Give the post the `content` that it had at a version; with `publish`, publish the outcome in the same step."""

    to_version: int
    content: Content
    publish: bool
    at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RevertPost:
    """Take back `change`, which brought the post from `before` to `version`.

    With `publish`, publish the outcome in the same step.
    """

    version: int
    change: ContentChanged
    before: Content
    publish: bool
    at: int


PostCommand: TypeAlias = (
    EditPost
    | RestorePost
    | RevertPost
    | CategorizePost
    | UncategorizePost
    | PublishPost
    | UnpublishPost
    | ArchivePost
    | UnarchivePost
)
