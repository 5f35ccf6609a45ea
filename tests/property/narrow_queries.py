"""Many small queries that each depend on little data, so that a response that is cached too long is detected."""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, Final, TypeVar

from ledgerpress.commands.client_identity import ANONYMOUS, LOCAL_OPERATOR, Identity
from ledgerpress.commands.roles_and_permissions import Role
from ledgerpress.eventlog.codec import Recorded
from ledgerpress.eventlog.event_and_withdrawn_event import Event
from ledgerpress.features.actors.model import OPERATOR
from ledgerpress.features.posts.model import PostStatus
from ledgerpress.graphql.relay import global_ids
from ledgerpress.graphql.scalars import iso_time
from ledgerpress.views.listings.queries import ListingKey
from ledgerpress.views.paging import encode_cursor
from tests.identities import identity
from tests.newsroom_model import Newsroom
from tests.property.command_generator import DAY

T = TypeVar("T")

_LIST: Final = (
    "{ totalCount pageInfo { hasNextPage hasPreviousPage startCursor endCursor } nodes { id slug title } }"
)
_CHANGES: Final = "{ totalCount nodes { position type actor { name kind } subject { id } } }"
DOCUMENTS: Final = {
    "front": "query ($at: AsOf) { recentPosts(first: 4, asOf: $at) { nodes { id title age updatedAt } } }",
    "every article": f"query ($at: AsOf) {{ articles(asOf: $at) {_LIST} }}",
    "beyond": f"query ($at: AsOf, $place: String!) {{ articles(first: 2, after: $place, asOf: $at) {_LIST} }}",
    "back": f"query ($place: String!) {{ articles(last: 2, before: $place) {_LIST} }}",
    "oldest": f"{{ articles(first: 2, orderBy: PUBLISHED_AT_ASC) {_LIST} }}",
    "in a category": f"query ($in: ID!, $at: AsOf) {{ articles(filter: {{ category: $in }}, asOf: $at) {_LIST} }}",
    "by an author": f"query ($by: ID!, $at: AsOf) {{ articles(filter: {{ author: $by }}, asOf: $at) {_LIST} }}",
    "article": """query ($article: ID!, $at: AsOf) { article(id: $article, asOf: $at) {
        slug title teaser teaserIsCut updatedAt previousSlugs body { html wordCount } } }""",
    "corrections": """query ($article: ID!, $at: AsOf) { article(id: $article, asOf: $at) {
        corrections { id at kind note passage rewordedAt appliesToArticle } } }""",
    "every correction": """query ($post: ID!, $at: AsOf) { post(id: $post, asOf: $at) {
        corrections { id note retractedAt revision } } }""",
    "age": "query ($article: ID!, $at: AsOf) { article(id: $article, asOf: $at) { age } }",
    "its people": "query ($article: ID!) { article(id: $article) { authors { name version } categories { name } } }",
    "article by slug": "query ($slug: String!, $at: AsOf) { article(slug: $slug, asOf: $at) { id slug title } }",
    "category": """query ($in: ID!, $at: AsOf) { category(id: $in, asOf: $at) { name slug version description
        parent { name } children { name } ancestors { name } } }""",
    "count": "query ($in: ID!, $at: AsOf) { category(id: $in, asOf: $at) { articleCount } }",
    "own": f"query ($in: ID!) {{ category(id: $in) {{ articles(first: 2, includeDescendants: false) {_LIST} }} }}",
    "category by slug": "query ($slug: String!) { category(slug: $slug) { id slug } }",
    "categories": "query ($at: AsOf) { categories(asOf: $at) { totalCount nodes { name articleCount } } }",
    "author": "query ($by: ID!, $at: AsOf) { author(id: $by, asOf: $at) { name slug version } }",
    "author by slug": "query ($slug: String!, $at: AsOf) { author(slug: $slug, asOf: $at) { id slug name } }",
    "names of authors": "{ authors { totalCount nodes { name } } }",
    "authors": "{ authors { totalCount nodes { id name articles { totalCount } } } }",
    "post": """query ($post: ID!, $at: AsOf) { post(id: $post, asOf: $at) { version status slug title teaser
        hasUnpublishedChanges body { markdown } authors { name } } }""",
    "what readers see": "query ($post: ID!) { post(id: $post) { article { title } } }",
    "its categories": "query ($post: ID!, $at: AsOf) { post(id: $post, asOf: $at) { categories { name } } }",
    "post by slug": "query ($slug: String!) { post(slug: $slug) { id slug } }",
    "posts": f"query ($status: PostStatus, $at: AsOf) {{ posts(filter: {{ status: $status }}, asOf: $at) {_LIST} }}",
    "history": f"query ($post: ID!, $at: AsOf) {{ post(id: $post, asOf: $at) {{ history {_CHANGES} }} }}",
    "what changed": """query ($post: ID!) { post(id: $post) { history(first: 3) {
        nodes { occurredAt changedFields before after withdrawn } } } }""",
    "why": "query ($post: ID!) { post(id: $post) { history(first: 2) { nodes { reason event } } } }",
    "blame": "query ($post: ID!) { post(id: $post) { blame { text version reason } } }",
    "diff": """query ($post: ID!) { post(id: $post) { diff(from: 1, to: 2) { title { before after }
        body { unified } categoriesAdded { name articleCount } authorsAdded { name } } } }""",
    "history of a category": f"query ($in: ID!) {{ category(id: $in) {{ history {_CHANGES} }} }}",
    "changes": f"{{ changes(first: 3) {_CHANGES} }}",
    "changes of one": f"query ($subject: ID!) {{ changes(filter: {{ stream: $subject }}) {_CHANGES} }}",
    "changes in": f"query ($in: ID!) {{ changes(filter: {{ category: $in }}) {_CHANGES} }}",
    "changes since": f"query ($time: DateTime!) {{ changes(first: 2, filter: {{ recordedFrom: $time }}) {_CHANGES} }}",
    "node": "query ($any: ID!) { node(id: $any) { id __typename ... on Actor { name } ... on Author { byline: name } } }",
    "actor": "query ($actor: ID!) { node(id: $actor) { ... on Actor { name kind } } }",
    "viewer": "{ viewer { role permissions actor { name } } }",
    "related": """query ($article: ID!, $at: AsOf) { article(id: $article, asOf: $at) {
        related { title } next { title } previous { title } } }""",
    "tokens": "{ tokens { totalCount nodes { id revokedAt } } }",
    "site": "query ($at: AsOf) { site(asOf: $at) { name language timeZone version } }",
    "where the site is": "query ($at: AsOf) { site(asOf: $at) { position } }",
    "moment": "query ($at: AsOf) { moment(asOf: $at) { position time } }",
    "nonsense": 'query ($at: AsOf) { articles(first: 1000, asOf: $at) { totalCount } node(id: "x") { id } }',
}
READER_OF_THE_PAST: Final = "reader of the past"
VIEWERS: Final[dict[str, Identity]] = {
    "operator": LOCAL_OPERATOR,
    "reader": ANONYMOUS,
    READER_OF_THE_PAST: ANONYMOUS,
    "editor": identity(Role.EDITOR, OPERATOR.id),
    "auditor": identity(Role.AUDITOR, OPERATOR.id),
    "author": identity(Role.AUTHOR, OPERATOR.id),
}


@dataclass(frozen=True)
class Query:
    """One of the documents, with a viewer and variables."""

    name: str
    viewer: str
    variables: dict[str, Any]

    @property
    def arguments(self) -> dict[str, Any]:
        """The arguments of `execute_document`."""
        return {
            "query": DOCUMENTS[self.name],
            "variables": self.variables,
            "identity": VIEWERS[self.viewer],
            "open_past": self.viewer == READER_OF_THE_PAST,
        }


class QueryGenerator:
    """Generates queries about objects of a newsroom, and about some that do not exist yet."""

    def __init__(self, chance: Random, room: Newsroom, history: Sequence[Recorded[Event]]) -> None:
        self._chance = chance
        self._room = room
        self._history = history

    def query(self) -> Query:
        """Return a random query."""
        name = self._chance.choice(list(DOCUMENTS))
        viewer = self._chance.choice([*VIEWERS, "operator", "operator", "operator"])
        return Query(name, viewer, self.variables(name))

    def variables(self, name: str, *, past: bool = True) -> dict[str, Any]:
        """Return variables for the document `name`; with `past`, sometimes including `at`."""
        generators: dict[str, Callable[[], Any]] = {
            "at": self._at, "place": self._place, "slug": self._slug, "status": self._status, "subject": self._any,
            "any": self._any, "actor": self._actor, "in": self._category, "by": self._author, "time": self._time,
            "post": lambda: global_ids.encode("Post", self._post()), "article": lambda: global_ids.encode("Article", self._post()),
        }  # fmt: skip
        names = re.findall(r"\$(\w+):", DOCUMENTS[name])
        return {
            variable: generators[variable]()
            for variable in names
            if variable != "at" or (past and self._chance.random() < 0.4)
        }

    def _at(self) -> dict[str, Any] | None:
        head = len(self._history)
        match self._chance.randrange(8):
            case 0:
                return None
            case 1:
                return {"position": head + self._chance.randrange(3)}
            case 2 | 3:
                return {"time": self._time()}
            case _:
                return {"position": self._chance.randrange(head + 1)}

    def _time(self) -> str:
        times = [recorded.header.recorded_at for recorded in self._history[-30:]]
        near = self._chance.choice(times) + self._chance.choice((-1, 0, 0, 1, DAY, -DAY))
        return iso_time(near)

    def _place(self) -> str:
        post = self._pick([post for post in self._room.posts.values() if post.article])
        date = post.article.published_at if post and post.article else 0
        return encode_cursor(ListingKey(date, post.seq if post else 0))

    def _slug(self) -> str:
        own = [slug for post in self._room.posts.values() for slug in (post.slug, *post.public_slugs)]
        return self._pick([*own, *self._room.category_slugs, *self._room.author_slugs]) or "tram"

    def _status(self) -> str | None:
        status = self._chance.choice((None, *PostStatus))
        return status.name if status else None

    def _post(self) -> str:
        return self._pick(list(self._room.posts)) or "nobody"

    def _category(self) -> str:
        return global_ids.encode("Category", self._one_of(self._room.categories))

    def _author(self) -> str:
        return global_ids.encode("Author", self._one_of(self._room.authors))

    def _actor(self) -> str:
        actors = [
            recorded.header.stream for recorded in self._history if recorded.header.type == "actor.registered"
        ]
        return global_ids.encode("Actor", (self._pick(actors[-3:]) or "actor.nobody").partition(".")[2])

    def _any(self) -> str:
        article, post = global_ids.encode("Article", self._post()), global_ids.encode("Post", self._post())
        return self._chance.choice((self._actor(), self._author(), self._category(), post, article))

    def _one_of(self, choices: Iterable[str]) -> str:
        names = list(choices)
        return self._chance.choice(names) if names else "nobody"

    def _pick(self, choices: Sequence[T]) -> T | None:
        return self._chance.choice(choices) if choices else None
