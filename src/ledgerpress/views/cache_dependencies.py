"""What an answer depends on: topics, each of which is touched by certain events and by no others.

A query of the read models names its topics by `Snapshot.about`. One that does not, and takes the connection as it is,
depends on every event: a topic that was forgotten makes an answer go too early, and never stay too long.
`ledgerpress.views.cache_invalidation` says which topics events touch.
"""

from typing import Final, TypeAlias

Topic: TypeAlias = tuple[str, int | str]

TAXONOMY: Final[Topic] = ("taxonomy", 0)
"""All categories: their names, slugs and places in the tree."""
AUTHORS: Final[Topic] = ("authors", 0)
"""Which authors there are."""
SITE: Final[Topic] = ("site", 0)
"""The site's name."""

FOREVER: Final = 2**63
"""Later than any clock tells, in microseconds."""


_OF_DRAFTS: Final = frozenset({"post", "post slug"})


def article(which: int | str) -> Topic:
    """Return the topic of what readers see of a post, given by where it was created, or by id."""
    return "article", which


def post(which: int | str) -> Topic:
    """Return the topic of all that is done to a post, given by where it was created, or by id."""
    return "post", which


def categories_of(seq: int) -> Topic:
    """Return the topic of the categories that a post was put into."""
    return "categories of", seq


def public_slug(slug: str) -> Topic:
    """Return the topic of which article a slug leads to. Nothing that is done to a draft touches it."""
    return "public slug", slug


def post_slug(slug: str) -> Topic:
    """Return the topic of which post a slug, present or former, leads to, published or not."""
    return "post slug", slug


def listing(k: int) -> Topic:
    """Return the topic of which posts are in a listing, in which order, and how many."""
    return "listing", k


def counted_in(k: int) -> Topic:
    """Return the topic of how many articles a category has, with those below it or without."""
    return "counted in", k


def author(author_id: str) -> Topic:
    """Return the topic of an author."""
    return "author", author_id


def actor(actor_id: str) -> Topic:
    """Return the topic of an actor."""
    return "actor", actor_id


class CacheDependencies:
    """What one answer depends on, written down while it is read.

    The answer holds as long as none of `topics` is touched; with `everything`, as long as there is no event at all.
    It holds for clocks from `since` up to, and not including, `until`. An answer with `is_kept` false is told once.
    """

    __slots__ = ("everything", "is_kept", "since", "topics", "until")

    def __init__(self) -> None:
        self.topics: set[Topic] = set()
        self.everything = False
        self.since = -FOREVER
        self.until = FOREVER
        self.is_kept = True

    @property
    def tells_of_drafts(self) -> bool:
        """Whether something that is done to what is not public may touch a topic."""
        return any(
            kind in _OF_DRAFTS or (kind == "listing" and str(which)[0] == "-") for kind, which in self.topics
        )

    def within(self, *, since: int = -FOREVER, until: int = FOREVER) -> None:
        """Note that the answer holds for clocks from `since` until before `until`, in microseconds since 1970, UTC."""
        self.since = max(self.since, since)
        self.until = min(self.until, until)

    def told_once(self) -> None:
        """Note that the answer is for whoever asked alone, or depends on what no topic stands for."""
        self.is_kept = False
