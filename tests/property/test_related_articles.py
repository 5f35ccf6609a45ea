"""Related articles and neighbours equal those of a plain model, as of any position, also after articles were hidden.

`LEDGERPRESS_TEST_SEED=N` repeats a run.
"""

import os
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any, Final

from tests.fixed_sources import SetClock
from tests.integration.graphql_client import Client, client

CATEGORIES: Final = ("town", "tides", "culture", "games")
STEPS: Final = 60
READ_POSITIONS: Final = 12
MAX_POSTS: Final = 18
"""Fewer than the candidates of a category, so that all articles count."""
HOUR: Final = 3_600_000_000
QUERY: Final = """
    query ($slug: String!, $asOf: AsOf) {
        article(slug: $slug, asOf: $asOf) { related(first: 10) { slug } next { slug } previous { slug } }
    }
"""


@dataclass
class Post:
    """A post of the model. Categories are in the order in which the post was put into them."""

    id: str
    seq: int
    date: str
    is_public: bool = True
    categories: list[str] = field(default_factory=list)


Posts = dict[str, Post]


def expected(posts: Posts, slug: str) -> dict[str, Any]:
    """Return what the article shows. `posts` are those that are public."""
    article = posts[slug]

    def place(other: str) -> tuple[str, int]:
        return posts[other].date, posts[other].seq

    def weight(other: str) -> int:
        shared = set(article.categories) & set(posts[other].categories)
        return sum(2**40 // sum(name in post.categories for post in posts.values()) for name in shared)

    related = [other for other in posts if other != slug and weight(other)]
    main = article.categories[:1]
    listing = sorted((each for each in posts if set(main) <= set(posts[each].categories)), key=place)
    at = listing.index(slug)
    return {
        "related": sorted(related, key=lambda other: (weight(other), *place(other)), reverse=True)[:10],
        "previous": listing[at - 1] if at else None,
        "next": listing[at + 1] if at + 1 < len(listing) else None,
    }


async def shown(site: Client, slug: str, position: int) -> dict[str, Any]:
    article = (await site.ask(QUERY, slug=slug, asOf={"position": position}))["article"]
    neighbours = {name: article[name] and article[name]["slug"] for name in ("previous", "next")}
    return {"related": [other["slug"] for other in article["related"]], **neighbours}


async def step(site: Client, chance: Random, posts: Posts) -> None:
    """Change the site and the model."""
    kind = chance.choice(["write", "write", "categorize", "categorize", "uncategorize", "hide", "publish"])
    if not posts or (kind == "write" and len(posts) < MAX_POSTS):
        slug = f"article-{len(posts)}"
        categories = chance.sample(CATEGORIES, chance.randint(0, 3))
        inside = [{"slug": name} for name in categories]
        before = await site.store.log.head()
        post = await site.write(slug, slug=slug, categories=inside, body="Text.", publish=True)
        posts[slug] = Post(post["id"], before + 1, "", categories=categories)
    else:
        slug, post_of_model = chance.choice(list(posts.items()))
        name = chance.choice(CATEGORIES)
        change: dict[str, Any] = {"id": post_of_model.id, "category": {"slug": name}}
        if kind == "categorize" and name not in post_of_model.categories:
            await site.do("postCategorize", **change)
            post_of_model.categories.append(name)
        elif kind == "uncategorize" and name in post_of_model.categories:
            await site.do("postUncategorize", **change)
            post_of_model.categories.remove(name)
        elif kind == "hide":
            await site.do("postUnpublish", id=post_of_model.id)
            post_of_model.is_public = False
        elif kind == "publish":
            at = f"2024-0{chance.randint(1, 3)}-0{chance.randint(1, 9)}T00:00:00Z"
            await site.do("postPublish", id=post_of_model.id, publishedAt=at)
            post_of_model.is_public = True
    for slug, post_of_model in posts.items():
        if post_of_model.is_public:
            query = "query ($slug: String!) { article(slug: $slug) { publishedAt } }"
            post_of_model.date = (await site.ask(query, slug=slug))["article"]["publishedAt"]


async def test_related_articles_and_neighbours_equal_those_of_a_model(tmp_path: Path) -> None:
    seed = int(os.environ.get("LEDGERPRESS_TEST_SEED", "1"))
    print(f"LEDGERPRESS_TEST_SEED = {seed}")  # noqa: T201
    chance, clock = Random(seed), SetClock()
    posts: Posts = {}
    states: list[tuple[int, Posts]] = []
    async with client(tmp_path / "data", clock=clock, open_past=True) as site:
        for name in CATEGORIES:
            await site.do("categoryCreate", name=name.title(), slug=name)
        for _ in range(STEPS):
            clock.time += HOUR
            await step(site, chance, posts)
            states.append((await site.store.log.head(), deepcopy(posts)))
        # The last state is the current one; the others are the past, without what is hidden now.
        for position, then in [*chance.sample(states, READ_POSITIONS), states[-1]]:
            public = {slug: post for slug, post in then.items() if post.is_public and posts[slug].is_public}
            for slug in public:
                assert await shown(site, slug, position) == expected(public, slug), (position, slug)
