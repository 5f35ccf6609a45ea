"""One day in which everything happens: the example that is always tried, whatever chance brings."""

from typing import Final

from ledgerpress.application import categories, people, posts
from tests.property.asks import DATES, Ask, CategorizeTooLate, Expecting
from tests.property.session import Action, ClockMoves, Fault, Restart

WHOLE_DAY: Final[list[Action]] = [
    Ask(people.NameSite, title="The Tide"),
    Ask(people.RegisterAuthor, title="Bo Lind"),
    Ask(people.RenameAuthor, author=0, title="Ada Brook-Lind"),
    Ask(people.RegisterActor, title="Night desk"),
    Ask(people.RenameActor, author=3, title="Late desk"),
    Ask(posts.CreatePost, title="रात का बाज़ार", text="One line.", flag=True, date=DATES[1], author=2, other=2),
    Ask(posts.EditPost, post=0, title="Tide mill turns", slug="a", flag=True),
    Ask(posts.EditPost, post=0, title=None, slug="b", text="Two.", flag=True),
    Ask(posts.EditPost, post=0, title=None, slug="tide-mill", other=1, author=1),
    Ask(posts.EditPost, post=2, title=None, slug="a"),
    Ask(posts.EditPost, post=2, title=None, slug="tram"),
    Ask(posts.EditPost, post=2, title=None, slug="tram-line"),
    Ask(posts.CategorizePost, post=2, category=2, twice=True),
    Ask(posts.UncategorizePost, post=2, category=1, by_slug=True),
    Fault(2),
    Ask(posts.PublishPost, post=0, text="The mill has two wheels.", flag=True),
    Ask(posts.PublishPost, post=2, date=DATES[2], key=1, twice=True),
    Ask(posts.UnpublishPost, post=2, key=1),
    Restart(batch_size=3, lose_views=False),
    Ask(posts.UnpublishPost, post=1, expecting=Expecting.STALE),
    Ask(posts.UnpublishPost, post=1, expecting=Expecting.RIGHT),
    ClockMoves(-3_600),
    Ask(posts.ArchivePost, post=1),
    Ask(posts.EditPost, post=1, title="Too late"),
    Ask(posts.UnarchivePost, post=1),
    Ask(posts.ArchivePost, post=3),
    Ask(posts.PublishPost, post=20),
    Ask(categories.CreateCategory, title="Night market", flag=True, other=2),
    Ask(categories.RenameCategory, category=1, title="Town life", slug="b"),
    Ask(categories.RenameCategory, category=1, title=None, slug="town", expecting=Expecting.AHEAD),
    Ask(categories.DescribeCategory, category=0, text="What is new."),
    Ask(categories.MoveCategory, category=1, other=2, flag=True),
    Ask(categories.MoveCategory, category=2, other=1, flag=True),
    (
        Ask(categories.MoveCategory, category=0, other=1, flag=True),
        Ask(categories.MoveCategory, category=1, other=0, flag=True),
    ),
    Ask(categories.DeleteCategory, category=2),
    Ask(categories.MergeCategory, category=2, other=1, by_slug=True),
    Ask(posts.CategorizePost, post=0, category=2),
    Ask(categories.CreateCategory, title="Weather"),
    Ask(categories.DeleteCategory, category=4),
    Ask(CategorizeTooLate, post=0, category=4),
    Fault(7),
    Restart(batch_size=2, lose_views=True),
    Ask(categories.CreateCategory, title="Weather"),
    Ask(posts.UncategorizePost, post=0, category=1),
]
