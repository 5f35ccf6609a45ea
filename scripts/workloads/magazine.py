"""A small magazine and the query of its front page: articles by one or two authors, in three categories each."""

from typing import Final

from ledgerpress.features.authors.commands import RegisterAuthor
from ledgerpress.features.categories.commands import CreateCategory
from ledgerpress.features.categories.model import CategoryRef
from ledgerpress.features.posts.create_edit_categorize_commands import CreatePost
from ledgerpress.server.store import Store

ARTICLES: Final = 60
FRONT_PAGE: Final = """
query FrontPage($first: Int!) {
  articles(first: $first) {
    pageInfo { hasNextPage endCursor }
    nodes {
      id slug title teaser teaserIsCut publishedAt updatedAt age
      authors { name }
      categories { id slug name }
    }
  }
}
"""
"""Ten fields of each article, one of them its three categories."""
_HOUR: Final = 3_600_000_000
_SECTIONS: Final = ("Harbour", "Town", "Sport", "Theatre", "Council", "Weather", "Books", "Food", "Letters")
_WRITERS: Final = ("Ada Brook", "Ben Carver", "Cleo Dale", "Dora Elm")
_TEXT: Final = (
    "The council met again and said that the *night market* would move to the old tram depot before winter, while "
    "residents asked who pays for lamps, benches and the bridge; a vote is due in March.\n\n## What is known\n\n"
    "Nothing of this is new. It has been said for years, by [one mayor](https://example.org/mayor) and the next.\n\n"
)


async def write_magazine(store: Store) -> None:
    """Write the magazine to an empty store. Every second article has no explicit teaser."""
    handle = store.commands.handle
    writers = [(await handle(RegisterAuthor(name=name))).subject_id for name in _WRITERS]
    sections = [(await handle(CreateCategory(name=name))).subject_id for name in _SECTIONS]
    for number in range(ARTICLES):
        await handle(
            CreatePost(
                title=f"Number {number}: what the harbour says",
                teaser=f"What number {number} is about." if number % 2 else None,
                body=f"Number {number}. {_TEXT}" * 3,
                author_ids=tuple(writers[(number + step) % 4] for step in range(1 + number % 2)),
                categories=tuple(CategoryRef(id=sections[(number + step * 2) % 9]) for step in range(3)),
                publish=True,
                published_at=store.clock.now() - (ARTICLES - number) * 7 * _HOUR,
            )
        )
