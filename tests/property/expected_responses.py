"""The expected GraphQL responses, computed from a newsroom in plain Python."""

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Final, Generic, TypeAlias, TypeVar

from ledgerpress.eventlog.codec import Recorded
from ledgerpress.eventlog.event_and_withdrawn_event import Event
from ledgerpress.features.posts.model import PostStatus
from ledgerpress.graphql.relay import global_ids
from ledgerpress.graphql.scalars import iso_time
from ledgerpress.views.listings.queries import ListingKey
from ledgerpress.views.paging import encode_cursor
from ledgerpress.views.relative_time_text import relative_time
from tests.newsroom_model import Article, Author, Category, Correction, Newsroom, Post

T = TypeVar("T")
Json: TypeAlias = dict[str, Any]

QUESTIONS: Final = """
query ($at: AsOf, $readers: Boolean!, $article: ID!, $slug: String!, $category: ID!, $categorySlug: String!,
    $author: ID!, $post: ID!, $postSlug: String!, $status: PostStatus, $place: String!, $within: String!,
    $made: String!, $draft: String!) {
  moment(asOf: $at) { position time }
  site(asOf: $at) { name language timeZone version position }
  article(id: $article, asOf: $at) { ...Whole }
  recent: recentPosts(first: 5, asOf: $at) { ...Listed }
  recentBeyond: recentPosts(first: 3, after: $place, asOf: $at) { ...Listed }
  category(id: $category, asOf: $at) { ...Section }
  categories(first: 4, after: $made, asOf: $at) { ...Made }
  ... @include(if: $readers) {
    articleBySlug: article(slug: $slug, asOf: $at) { ...Whole }
    recentBack: articles(last: 3, before: $place, asOf: $at) { ...Listed }
    oldest: articles(first: 3, after: $place, orderBy: PUBLISHED_AT_ASC, asOf: $at) { ...Listed }
    categoryBySlug: category(slug: $categorySlug, asOf: $at) { ...Section }
    inCategory: articles(first: 2, filter: { category: $category }, orderBy: PUBLISHED_AT_ASC, asOf: $at) {
      ...Listed
    }
    author(id: $author, asOf: $at) { id name slug version articles(first: 2) { ...Listed } }
  }
  ... @skip(if: $readers) {
    firstCategories: categories(first: 4, asOf: $at) { ...Made }
    post(id: $post, asOf: $at) { ...Draft }
    postBySlug: post(slug: $postSlug, asOf: $at) { ...Draft }
    posts(first: 3, filter: { status: $status }, asOf: $at) { ...Drafts }
    postsBeyond: posts(first: 3, after: $draft, filter: { status: $status }, asOf: $at) { ...Drafts }
    postsBack: posts(last: 3, before: $draft, asOf: $at) { ...Drafts }
  }
}
fragment Line on Article { id slug title age publishedAt }
fragment Whole on Article {
  ...Line updatedAt teaser previousSlugs body { markdown } categories { id slug name }
  authors { id name version } corrections { ...Note }
}
fragment Note on Correction { id at kind note passage rewordedAt retractedAt appliesToArticle revision }
fragment Listed on ArticleConnection {
  totalCount pageInfo { hasNextPage hasPreviousPage startCursor endCursor } edges { cursor node { ...Line } }
}
fragment Name on Category { id slug name }
fragment Section on Category {
  ...Name version description articleCount parent { ...Name } children { ...Name articleCount } ancestors { ...Name }
  articles(first: 3) { ...Listed }
  beyond: articles(first: 3, after: $within) { ...Listed }
  back: articles(last: 2, before: $within) { ...Listed }
  own: articles(first: 2, includeDescendants: false) { ...Listed }
}
fragment Made on CategoryConnection {
  totalCount pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
  edges { cursor node { ...Name version articleCount parent { id } children { id } } }
}
fragment Draft on Post {
  id slug title teaser version status createdAt hasUnpublishedChanges body { markdown }
  categories { ...Name } authors { id name } article { ...Line updatedAt }
  corrections { ...Note }
}
fragment Drafts on PostConnection {
  totalCount pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
  edges { cursor node { id slug title version status article { slug title } } }
}
"""
"""The query of these tests. Without `$at` it reads the present."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Arguments:
    """The arguments of `QUESTIONS`; `place` and `within` are cursors among articles, `draft` among posts.

    The query always reads some fields. `readers` adds either more public fields or the fields for editors.
    """

    readers: bool

    article: str
    slug: str
    category: str
    category_slug: str
    author: str
    post: str
    post_slug: str
    status: PostStatus | None
    place: ListingKey
    within: ListingKey
    category_seq: int
    draft: ListingKey

    def variables(self) -> Json:
        return {
            "readers": self.readers,
            "article": global_ids.encode("Article", self.article),
            "slug": self.slug,
            "category": global_ids.encode("Category", self.category),
            "categorySlug": self.category_slug,
            "author": global_ids.encode("Author", self.author),
            "post": global_ids.encode("Post", self.post),
            "postSlug": self.post_slug,
            "status": self.status and self.status.name,
            "place": encode_cursor(self.place),
            "within": encode_cursor(self.within),
            "made": encode_cursor(ListingKey(0, self.category_seq)),
            "draft": encode_cursor(self.draft),
        }


class VersionedNewsroom(Newsroom):
    """A newsroom that also knows the version of every stream."""

    def __init__(self) -> None:
        self.versions: dict[str, int] = {}
        super().__init__()

    def apply(self, recorded: Recorded[Event]) -> None:
        super().apply(recorded)
        self.versions[recorded.header.stream] = recorded.header.stream_version


@dataclass(frozen=True, slots=True)
class Listing(Generic[T]):
    """The keys of a listing with their objects, in order."""

    entries: Sequence[tuple[ListingKey, T]]
    node: Callable[[T], Json]
    newest_first: bool = True

    def first(self, size: int, after: ListingKey | None = None) -> Json:
        rest = [entry for entry in self.entries if after is None or self._beyond(entry[0], after)]
        return self._page(rest[:size], more=len(rest) > size, behind=len(rest) < len(self.entries))

    def last(self, size: int, before: ListingKey) -> Json:
        rest = [entry for entry in self.entries if self._beyond(before, entry[0])]
        behind = len(rest) < len(self.entries)
        return self._page(rest[-size:], more=behind, behind=len(rest) > size)

    def _beyond(self, key: ListingKey, place: ListingKey) -> bool:
        return key < place if self.newest_first else key > place

    def _page(self, part: Sequence[tuple[ListingKey, T]], *, more: bool, behind: bool) -> Json:
        cursors = [encode_cursor(key) for key, _ in part]
        return {
            "totalCount": len(self.entries),
            "pageInfo": {
                "hasNextPage": more,
                "hasPreviousPage": behind,
                "startCursor": cursors[0] if cursors else None,
                "endCursor": cursors[-1] if cursors else None,
            },
            "edges": [
                {"cursor": cursor, "node": self.node(item)}
                for cursor, (_, item) in zip(cursors, part, strict=True)
            ],
        }


class ExpectedResponses:
    """The responses of a newsroom at one moment; ages are relative to `now`.

    `hidden` are the ids of the posts whose articles are not visible, and of the corrections that are not. With `to_public`, they are responses to readers.
    """

    def __init__(
        self,
        room: VersionedNewsroom,
        now: int,
        hidden: Collection[str] = (),
        *,
        to_public: bool = False,
    ) -> None:
        self._to_public = to_public
        self._room = room
        self._now = now
        self._hidden = hidden
        shown = [post for post in room.articles() if post.id not in hidden]
        self._articles = [(ListingKey(a.published_at, post.seq), post) for post, a in _live(shown)]
        self._own: dict[str, list[tuple[ListingKey, Post]]] = {}
        self._within: dict[str, list[tuple[ListingKey, Post]]] = {}
        self._sort_into_categories()

    def data(self, arguments: Arguments) -> Json:
        """Return the data of the response to `QUESTIONS`."""
        room, position = self._room, len(self._room.times)
        category = room.category(arguments.category)
        recent = Listing(self._articles, self._line)
        return {
            "moment": {"position": position, "time": iso_time(room.times[-1])},
            "site": {
                "name": room.site_name,
                "language": room.language,
                "timeZone": room.time_zone,
                "version": room.versions.get("site", 0),
                "position": position,
            },
            "article": self._whole(room.posts.get(arguments.article)),
            "recent": recent.first(5),
            "recentBeyond": recent.first(3, arguments.place),
            "category": self._section(category, arguments.within),
            "categories": self._category_page(arguments.category_seq),
            **(
                self._to_readers(arguments, category, recent)
                if arguments.readers
                else self._to_editors(arguments)
            ),
        }

    def _to_readers(self, arguments: Arguments, category: Category | None, recent: Listing[Post]) -> Json:
        room = self._room
        within = self._within.get(category.id, []) if category else []
        author = room.authors.get(arguments.author)
        return {
            "articleBySlug": self._whole(room.article_by_slug(arguments.slug)),
            "recentBack": recent.last(3, arguments.place),
            "oldest": self._oldest(self._articles).first(3, arguments.place),
            "categoryBySlug": self._section(room.category_by_slug(arguments.category_slug), arguments.within),
            "inCategory": self._oldest(within).first(2),
            "author": self._author(author) if author and self._sees(author) else None,
        }

    def _to_editors(self, arguments: Arguments) -> Json:
        room, drafts = self._room, self._drafts(arguments.status)
        return {
            "firstCategories": self._category_page(0),
            "post": self._draft(room.posts.get(arguments.post)),
            "postBySlug": self._draft(room.post_by_slug(arguments.post_slug)),
            "posts": drafts.first(3),
            "postsBeyond": drafts.first(3, arguments.draft),
            "postsBack": self._drafts(None).last(3, arguments.draft),
        }

    def _sort_into_categories(self) -> None:
        """Add each article to the lists of its categories and of all their ancestors."""
        room = self._room

        @cache
        def sections(category_ids: frozenset[str]) -> tuple[set[str], set[str]]:
            own = [category for category in map(room.category, category_ids) if category]
            above = {ancestor.id for category in own for ancestor in room.ancestors(category)}
            return {category.id for category in own}, {category.id for category in own} | above

        for entry in self._articles:
            own, within = sections(frozenset(entry[1].categories))
            for category_id in own:
                self._own.setdefault(category_id, []).append(entry)
            for category_id in within:
                self._within.setdefault(category_id, []).append(entry)

    def _oldest(self, entries: Sequence[tuple[ListingKey, Post]]) -> Listing[Post]:
        return Listing(entries[::-1], self._line, newest_first=False)

    # --- articles ----------------------------------------------------------------------------------

    def _line(self, post: Post) -> Json:
        ((_, article),) = _live([post])
        return {
            "id": global_ids.encode("Article", post.id),
            "slug": article.slug,
            "title": article.title,
            "age": relative_time(article.published_at, self._now),
            "publishedAt": iso_time(article.published_at),
        }

    def _whole(self, post: Post | None) -> Json | None:
        if post is None or post.article is None or post.id in self._hidden:
            return None
        article = post.article
        authors = [self._room.authors[author_id] for author_id in article.authors]
        return {
            **self._line(post),
            "updatedAt": iso_time(article.updated_at),
            "teaser": article.body.partition("\n\n")[0] if article.teaser is None else article.teaser,
            "previousSlugs": self._room.previous_slugs(post),
            "body": {"markdown": article.body},
            "categories": [_name(category) for category in self._room.categories_of(post)],
            "authors": [self._byline(author) for author in authors],
            "corrections": [
                self._note(post, correction)
                for correction in post.corrections
                if correction.retracted_at is None and correction.id not in self._hidden
            ],
        }

    def _note(self, post: Post, correction: Correction) -> Json:
        reworded, retracted = correction.reworded_at, correction.retracted_at
        return {
            "id": global_ids.encode("Correction", correction.id),
            "at": iso_time(correction.at),
            "kind": correction.kind,
            "note": correction.note,
            "passage": correction.passage,
            "rewordedAt": None if reworded is None else iso_time(reworded),
            "retractedAt": None if retracted is None else iso_time(retracted),
            "appliesToArticle": self._room.applies(post, correction),
            "revision": None if self._to_public else correction.revision,
        }

    def _byline(self, author: Author) -> Json:
        version = self._room.versions[f"author.{author.id}"]
        return {"id": global_ids.encode("Author", author.id), "name": author.name, "version": version}

    def _sees(self, author: Author) -> bool:
        """Return whether the author is visible: to staff always, to readers with a visible article."""
        return not self._to_public or any(author.id in _by(post) for _, post in self._articles)

    def _author(self, author: Author) -> Json:
        own = [entry for entry in self._articles if author.id in _by(entry[1])]
        return {**self._byline(author), "slug": author.slug, "articles": Listing(own, self._line).first(2)}

    # --- the tree ----------------------------------------------------------------------------------

    def _section(self, category: Category | None, place: ListingKey) -> Json | None:
        if category is None:
            return None
        room = self._room
        within = Listing(self._within.get(category.id, []), self._line)
        return {
            **_name(category),
            "version": category.version,
            "description": category.description,
            "articleCount": len(within.entries),
            "parent": _name(parent) if (parent := room.category(category.parent)) else None,
            "children": [
                {**_name(child), "articleCount": self._count(child)} for child in room.children(category.id)
            ],
            "ancestors": [_name(ancestor) for ancestor in room.ancestors(category)],
            "articles": within.first(3),
            "beyond": within.first(3, place),
            "back": within.last(2, place),
            "own": Listing(self._own.get(category.id, []), self._line).first(2),
        }

    def _count(self, category: Category) -> int:
        return len(self._within.get(category.id, []))

    def _category_page(self, after: int) -> Json:
        existing = [(ListingKey(0, category.seq), category) for category in self._room.existing_categories()]
        page = Listing(existing, self._in_list, newest_first=False).first(4, ListingKey(0, after))
        page["pageInfo"]["hasPreviousPage"] = after != 0
        return page

    def _in_list(self, category: Category) -> Json:
        parent = self._room.category(category.parent)
        return {
            **_name(category),
            "version": category.version,
            "articleCount": self._count(category),
            "parent": {"id": global_ids.encode("Category", parent.id)} if parent else None,
            "children": [
                {"id": global_ids.encode("Category", child.id)} for child in self._room.children(category.id)
            ],
        }

    # --- posts -------------------------------------------------------------------------------------

    def _draft(self, post: Post | None) -> Json | None:
        if post is None:
            return None
        authors = [self._room.authors[author_id] for author_id in post.authors]
        return {
            **self._in_drafts(post),
            "teaser": post.teaser,
            "createdAt": iso_time(post.created_at),
            "hasUnpublishedChanges": post.changed,
            "body": {"markdown": post.body},
            "categories": [_name(category) for category in self._room.categories_of(post)],
            "authors": [
                {"id": global_ids.encode("Author", author.id), "name": author.name} for author in authors
            ],
            "article": {**self._line(post), "updatedAt": iso_time(post.article.updated_at)}
            if post.article
            else None,
            "corrections": [self._note(post, correction) for correction in post.corrections],
        }

    def _in_drafts(self, post: Post) -> Json:
        article = post.article
        return {
            "id": global_ids.encode("Post", post.id),
            "slug": post.slug,
            "title": post.title,
            "version": post.version,
            "status": post.status.name,
            "article": {"slug": article.slug, "title": article.title} if article else None,
        }

    def _drafts(self, status: PostStatus | None) -> Listing[Post]:
        posts = self._room.posts_with(status)
        return Listing([(ListingKey(post.created_at, post.seq), post) for post in posts], self._in_drafts)


def _live(posts: Iterable[Post]) -> list[tuple[Post, Article]]:
    return [(post, post.article) for post in posts if post.article]


def _by(post: Post) -> tuple[str, ...]:
    return post.article.authors if post.article else ()


def _name(category: Category) -> Json:
    return {"id": global_ids.encode("Category", category.id), "slug": category.slug, "name": category.name}
