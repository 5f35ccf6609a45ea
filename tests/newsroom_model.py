"""A model of a newsroom in plain Python: what readers and editors must see after a sequence of events.

The code is simple instead of fast: dictionaries, lists and loops, and no code of the views.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from msgspec import UNSET

from ledgerpress.eventlog.codec import Recorded
from ledgerpress.eventlog.event_and_withdrawn_event import Event
from ledgerpress.features.authors.model import AuthorRegistered, AuthorRenamed
from ledgerpress.features.categories.model import (
    CategoryCreated,
    CategoryDeleted,
    CategoryDescribed,
    CategoryMerged,
    CategoryMoved,
    CategoryRenamed,
    CategoryUnmerged,
)
from ledgerpress.features.posts.corrections.model import (
    CorrectionRecorded,
    CorrectionRetracted,
    CorrectionReworded,
    id_of_note,
)
from ledgerpress.features.posts.model import (
    ContentChanged,
    PostArchived,
    PostCategorized,
    PostCreated,
    PostPublished,
    PostStatus,
    PostUnarchived,
    PostUncategorized,
    PostUnpublished,
)
from ledgerpress.features.site.model import SiteLocalized, SiteNamed


@dataclass
class Author:
    seq: int
    id: str
    name: str
    slug: str


@dataclass
class Category:
    seq: int
    id: str
    version: int
    slug: str
    name: str
    description: str | None
    parent: str | None
    merged_into: str | None = None
    deleted: bool = False


@dataclass
class Article:
    """The public version of a post, copied from it when it is published."""

    slug: str
    title: str
    teaser: str | None
    body: str
    authors: tuple[str, ...]
    published_at: int
    updated_at: int


@dataclass
class Correction:
    id: str
    at: int
    revision: int
    kind: str
    note: str
    passage: str | None
    reworded_at: int | None = None
    retracted_at: int | None = None


@dataclass
class Post:
    seq: int
    id: str
    created_at: int
    version: int
    slug: str
    title: str
    teaser: str | None
    body: str
    authors: tuple[str, ...]
    status: PostStatus = PostStatus.DRAFT
    changed: bool = True
    article: Article | None = None
    was_published: bool = False
    categories: set[str] = field(default_factory=set)
    public_slugs: list[str] = field(default_factory=list)
    revision: int = 1
    live_revision: int = 0
    published: dict[int, tuple[str, str | None, str]] = field(default_factory=dict)
    corrections: list[Correction] = field(default_factory=list)


class Newsroom:
    """The state after all the events applied so far."""

    def __init__(self, events: Iterable[Recorded[Event]] = ()) -> None:
        self.times: list[int] = []
        self.site_name: str | None = None
        self.language = "en"
        self.time_zone = "UTC"
        self.authors: dict[str, Author] = {}
        self.author_slugs: dict[str, str] = {}
        self.categories: dict[str, Category] = {}
        self.posts: dict[str, Post] = {}
        self.post_slugs: dict[str, str] = {}
        self.category_slugs: dict[str, str] = {}
        for recorded in events:
            self.apply(recorded)

    # --- events ------------------------------------------------------------------------------------

    def apply(self, recorded: Recorded[Event]) -> None:
        at, header = recorded.position, recorded.header
        self.times.append(max(header.recorded_at, *self.times[-1:], 0))
        match recorded.event:
            case SiteNamed(name=name):
                self.site_name = name
            case SiteLocalized(language=language, time_zone=time_zone):
                self.language = self.language if language is UNSET else language
                self.time_zone = self.time_zone if time_zone is UNSET else time_zone
            case AuthorRegistered(author_id=author_id, name=name, slug=str(slug)):
                self.authors[author_id] = Author(at, author_id, name, slug)
                self.author_slugs[slug] = author_id
            case AuthorRenamed(author_id=author_id, name=name, slug=new_slug):
                author = self.authors[author_id]
                author.name = author.name if name is UNSET else name
                if isinstance(new_slug, str):
                    author.slug = new_slug
                    self.author_slugs[new_slug] = author_id
            case PostCreated() as new:
                post = Post(
                    at,
                    new.post_id,
                    header.recorded_at,
                    0,
                    new.slug,
                    new.title,
                    new.teaser,
                    new.body,
                    new.author_ids,
                )
                self.posts[post.id] = post
                self.post_slugs[post.slug] = post.id
            case (
                CategoryCreated() | CategoryRenamed() | CategoryDescribed()
                | CategoryMoved() | CategoryMerged() | CategoryUnmerged() | CategoryDeleted()
            ) as event:  # fmt: skip
                self._change_tree(event, at)
            case _:
                pass
        if post_id := getattr(recorded.event, "post_id", None):
            self._change_post(self.posts[post_id], recorded.event, header.recorded_at)
            self._correct(self.posts[post_id], recorded.event, header.recorded_at, header.stream_version)
            self.posts[post_id].version = header.stream_version

    def _change_tree(
        self,
        event: CategoryCreated
        | CategoryRenamed
        | CategoryDescribed
        | CategoryMoved
        | CategoryMerged
        | CategoryUnmerged
        | CategoryDeleted,
        at: int,
    ) -> None:
        if isinstance(event, CategoryCreated):
            self.categories[event.category_id] = Category(
                at, event.category_id, 1, event.slug, event.name, event.description, event.parent_id
            )
            self.category_slugs[event.slug] = event.category_id
            return
        category = self.categories[event.category_id]
        category.version += 1
        match event:
            case CategoryRenamed(name=name, slug=slug):
                category.name = category.name if name is UNSET else name
                if slug is not UNSET:
                    category.slug = slug
                    self.category_slugs[slug] = category.id
            case CategoryDescribed(description=description):
                category.description = description
            case CategoryMoved(parent_id=parent_id):
                category.parent = parent_id
            case CategoryMerged(into_id=into_id):
                category.merged_into = into_id
                self.categories[into_id].version += 1
                for child in self.categories.values():
                    if child.parent == category.id and child.merged_into is None and not child.deleted:
                        child.parent = into_id
                        child.version += 1
            case CategoryUnmerged(from_id=from_id, parent_id=parent_id, subcategory_ids=subcategory_ids):
                category.merged_into, category.parent = None, parent_id
                self.categories[from_id].version += 1
                for child_id in subcategory_ids:
                    self.categories[child_id].parent = category.id
                    self.categories[child_id].version += 1
            case CategoryDeleted():
                category.deleted = True

    def _change_post(self, post: Post, event: Event, now: int) -> None:
        match event:
            case ContentChanged(slug=slug, title=title, teaser=teaser, body=body, author_ids=authors):
                if slug is not UNSET:
                    self._release_slug(post)
                    post.slug = slug
                    self.post_slugs[slug] = post.id
                post.title = post.title if title is UNSET else title
                post.teaser = post.teaser if teaser is UNSET else teaser
                post.body = post.body if body is UNSET else body
                post.authors = post.authors if authors is UNSET else authors
                post.changed, post.revision = True, post.revision + 1
            case PostCategorized(category_id=category_id):
                post.categories.add(category_id)
            case PostUncategorized(category_id=category_id):
                post.categories.discard(category_id)
            case PostPublished(published_at=published_at):
                updated_at = max(now, published_at) if post.was_published else published_at
                post.article = Article(
                    post.slug, post.title, post.teaser, post.body, post.authors, published_at, updated_at
                )
                post.status, post.changed, post.was_published = PostStatus.PUBLISHED, False, True
                if post.slug not in post.public_slugs:
                    post.public_slugs.append(post.slug)
                post.live_revision = post.revision
                post.published[post.revision] = (post.title, post.teaser, post.body)
            case PostUnpublished():
                post.status, post.article = PostStatus.UNPUBLISHED, None
            case PostArchived(slug_released=slug_released):
                post.status, post.article = PostStatus.ARCHIVED, None
                if slug_released:
                    self._release_slug(post)
            case PostUnarchived():
                self.post_slugs.setdefault(post.slug, post.id)
                post.status = PostStatus.UNPUBLISHED if post.was_published else PostStatus.DRAFT
            case _:
                pass

    def _correct(self, post: Post, event: Event, now: int, version: int) -> None:
        corrections = {correction.id: correction for correction in post.corrections}
        match event:
            case PostPublished(revision=revision, correction=str(note)):
                correction_id = id_of_note(post.id, version)
                post.corrections.append(Correction(correction_id, now, revision, "CORRECTION", note, None))
            case CorrectionRecorded() as new:
                post.corrections.append(
                    Correction(new.correction_id, now, new.revision, new.kind, new.note, new.passage)
                )
            case CorrectionReworded(correction_id=correction_id, kind=kind, note=note, passage=passage):
                correction = corrections[correction_id]
                correction.kind = correction.kind if kind is UNSET else kind
                correction.note = correction.note if note is UNSET else note
                correction.passage = correction.passage if passage is UNSET else passage
                correction.reworded_at = now
            case CorrectionRetracted(correction_id=correction_id):
                corrections[correction_id].retracted_at = now
            case _:
                pass

    def _release_slug(self, post: Post) -> None:
        if post.slug not in post.public_slugs and self.post_slugs.get(post.slug) == post.id:
            del self.post_slugs[post.slug]

    # --- queries -----------------------------------------------------------------------------------

    def applies(self, post: Post, correction: Correction) -> bool:
        """Return whether a correction applies to the revision published last. Texts are plain, without Markdown."""
        own, live = post.published[correction.revision], post.published[post.live_revision]
        if correction.passage is not None:
            in_own, in_live = (
                any(correction.passage in part for part in (title, teaser or "", body))
                for title, teaser, body in (own, live)
            )
            return in_own == in_live
        earlier = [text for revision, text in post.published.items() if revision < correction.revision]
        return own == live or live not in earlier

    def position_at(self, time: int) -> int:
        """Return the last position that was recorded by `time`; recorded time never decreases."""
        return len([recorded_at for recorded_at in self.times if recorded_at <= time])

    def category(self, category_id: str | None) -> Category | None:
        """Return the category with an id, or the category into which it was merged."""
        category = self.categories.get(category_id or "")
        while category and category.merged_into:
            category = self.categories[category.merged_into]
        return category if category and not category.deleted else None

    def existing_categories(self) -> list[Category]:
        """Return the categories that are not merged or deleted, in the order of creation."""
        return [
            category
            for category in self.categories.values()
            if category.merged_into is None and not category.deleted
        ]

    def category_by_slug(self, slug: str) -> Category | None:
        """Return the category with a current or former slug."""
        return self.category(self.category_slugs.get(slug))

    def children(self, category_id: str | None) -> list[Category]:
        """Return the direct children, by name."""
        children = [category for category in self.existing_categories() if category.parent == category_id]
        return sorted(children, key=lambda category: (category.name.casefold(), category.seq))

    def ancestors(self, category: Category) -> list[Category]:
        """Return the ancestors, from the root down."""
        parent = self.category(category.parent)
        return [*self.ancestors(parent), parent] if parent else []

    def categories_of(self, post: Post) -> list[Category]:
        """Return the categories of a post by name, without duplicates."""
        categories = {category.id: category for category in map(self.category, post.categories) if category}
        return sorted(categories.values(), key=lambda category: (category.name.casefold(), category.seq))

    def post_by_slug(self, slug: str) -> Post | None:
        """Return the post with a current slug or a formerly public one."""
        return self.posts.get(self.post_slugs.get(slug, ""))

    def article_by_slug(self, slug: str) -> Post | None:
        """Return the published post with a slug that is or was public."""
        post = self.post_by_slug(slug)
        return post if post and post.article and slug in post.public_slugs else None

    def articles(self) -> list[Post]:
        """Return the published posts, newest first; with equal dates, the post created last comes first."""
        live = [(post.article.published_at, post.seq, post) for post in self.posts.values() if post.article]
        return [post for _, _, post in sorted(live, key=lambda entry: entry[:2], reverse=True)]

    def articles_in(self, category: Category, *, descend: bool) -> list[Post]:
        """Return the articles in a category; with `descend`, also those in its descendants."""

        def is_listed(candidate: Category) -> bool:
            return candidate.id == category.id or (
                descend and category.id in {ancestor.id for ancestor in self.ancestors(candidate)}
            )

        return [post for post in self.articles() if any(map(is_listed, self.categories_of(post)))]

    def articles_by(self, author_id: str) -> list[Post]:
        """Return the articles of an author."""
        return [post for post in self.articles() if post.article and author_id in post.article.authors]

    def posts_with(self, status: PostStatus | None) -> list[Post]:
        """Return the posts with a status, or all posts, newest first."""
        posts = [post for post in self.posts.values() if status is None or post.status is status]
        return sorted(posts, key=lambda post: (post.created_at, post.seq), reverse=True)

    def previous_slugs(self, post: Post) -> list[str]:
        """Return the former public slugs of the article, in the order in which they became public."""
        return [slug for slug in post.public_slugs if post.article and slug != post.article.slug]
