"""The data that all servers hold, and the answers that they have to give."""

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

from ledgerpress import rfc3339
from scripts.workloads.generated_log import WORDS

CATEGORIES: Final = 50
PAGE: Final = 10
_START: Final = 1_700_000_000
_HOUR: Final = 3_600


@dataclass(frozen=True, slots=True)
class Category:
    """A category."""

    slug: str
    name: str


@dataclass(frozen=True, slots=True)
class Post:
    """A published post in three categories; `published_at` is in seconds since 1970."""

    slug: str
    title: str
    teaser: str
    body: str
    published_at: int
    categories: tuple[Category, ...]

    @property
    def time(self) -> str:
        """The publication date, in RFC 3339."""
        return rfc3339.format_time(self.published_at * 1_000_000)


class Newsroom:
    """A newsroom of a given size; the same size always gives the same data."""

    def __init__(self, posts: int) -> None:
        self.size = posts
        self.categories = [Category(f"section-{n}", f"Section {n}") for n in range(CATEGORIES)]

    @cached_property
    def posts(self) -> list[Post]:
        """All posts, oldest first."""
        return [self._post(number) for number in range(self.size)]

    def later_posts(self) -> Iterator[Post]:
        """Yield more posts without end, each newer than the ones before."""
        number = self.size
        while True:
            yield self._post(number)
            number += 1

    def front_page(self) -> list[dict[str, Any]]:
        """Return the newest posts, in the form of `agreement.canonical`."""
        return [{**_summary(post), "categories": _categories(post)} for post in self.posts[: -PAGE - 1 : -1]]

    def category_page(self, category: Category) -> dict[str, Any]:
        """Return a category with its newest posts, in the form of `agreement.canonical`."""
        newest = [post for post in reversed(self.posts) if category in post.categories][:PAGE]
        return {"slug": category.slug, "name": category.name, "articles": [_summary(post) for post in newest]}

    def _post(self, number: int) -> Post:
        chance = random.Random(number)  # noqa: S311  # reproducible data
        first = number * 7 % CATEGORIES
        return Post(
            slug=f"post-{number}",
            title=f"Post {number}: " + " ".join(chance.choices(WORDS, k=6)),
            teaser=" ".join(chance.choices(WORDS, k=20)),
            body="\n\n".join(" ".join(chance.choices(WORDS, k=60)) for _ in range(chance.randrange(2, 9))),
            published_at=_START + number * _HOUR,
            categories=tuple(self.categories[(first + step) % CATEGORIES] for step in (0, 11, 23)),
        )


def article(post: Post) -> dict[str, Any]:
    """Return the article of a post, in the form of `agreement.canonical`."""
    return {**_summary(post), "body": post.body, "categories": _categories(post)}


def digest_of_generator() -> bytes:
    """Return bytes that change when the generated data changes."""
    sample = Newsroom(3).posts
    return json.dumps([article(post) for post in sample]).encode()


def _summary(post: Post) -> dict[str, Any]:
    return {
        "slug": post.slug,
        "title": post.title,
        "teaser": post.teaser,
        "publishedAt": post.published_at * 1_000_000,
    }


def _categories(post: Post) -> list[dict[str, str]]:
    return [
        {"slug": each.slug, "name": each.name} for each in sorted(post.categories, key=lambda each: each.slug)
    ]
