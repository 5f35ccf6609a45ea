"""Choose the moments, authors, posts and categories for queries."""

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import TypeVar

from ledgerpress.features.posts.model import PostStatus
from ledgerpress.graphql.scalars import iso_time
from ledgerpress.views.listings.queries import ListingKey
from tests.newsroom_model import Newsroom, Post
from tests.property.expected_responses import Arguments, Json

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Moment:
    """A position, and optionally a time at which it was the last one, for a query by time."""

    position: int
    time: int | None

    @property
    def as_of(self) -> Json:
        return {"position": self.position} if self.time is None else {"time": iso_time(self.time)}


def moments(chance: Random, times: Sequence[int], count: int) -> list[Moment]:
    """Return `count` positions in order.

    About half of those that were the last one for some time get such a time instead.
    """
    chosen = []
    for position in sorted(chance.sample(range(1, len(times) + 1), count)):
        lasted = range(times[position - 1], times[position] if position < len(times) else times[-1] + 1)
        by_time = len(lasted) > 0 and chance.random() < 0.5
        chosen.append(Moment(position, chance.choice(lasted) if by_time else None))
    return chosen


class Chooser:
    """Chooses arguments: mostly objects that exist at the time, sometimes objects that are created later."""

    def __init__(self, chance: Random, known: Newsroom) -> None:
        self._chance = chance
        self._known = known
        self._posts = list(known.posts.values())
        self._places = places(known.articles())

    def choose(self, room: Newsroom, *, readers: bool | None = None) -> Arguments:
        chance, known, pick = self._chance, self._known, self._pick
        articles, existing = room.articles(), room.existing_categories()
        category = pick([category.id for category in existing], list(known.categories))
        post = pick(list(room.posts.values()), self._posts)
        slugs = [slug for post in room.posts.values() for slug in post.public_slugs]
        inside = [post for post in articles if category in post.categories]
        recent = articles[:12] if chance.random() < 0.5 else articles
        return Arguments(
            readers=chance.random() < 0.5 if readers is None else readers,
            article=pick(articles, self._posts).id,
            slug=pick(slugs, [post.slug for post in self._posts]),
            category=category,
            category_slug=pick(list(room.category_slugs), list(known.category_slugs)),
            author=pick(list(room.authors), list(known.authors)),
            post=post.id,
            post_slug=pick(list(room.post_slugs), list(known.post_slugs)),
            status=chance.choice((None, *PostStatus)),
            place=pick(places(recent), self._places),
            within=pick(places(inside), self._places),
            category_seq=pick(
                [category.seq for category in existing],
                [category.seq for category in known.categories.values()],
            ),
            draft=ListingKey(post.created_at, post.seq),
        )

    def _pick(self, current: Sequence[T], every: Sequence[T]) -> T:
        return self._chance.choice(current if current and self._chance.random() < 0.85 else every)


def places(articles: Sequence[Post]) -> list[ListingKey]:
    return [ListingKey(post.article.published_at, post.seq) for post in articles if post.article]
