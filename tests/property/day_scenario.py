"""One day in which everything happens: the example that is always tried, besides random ones."""

from typing import Final

from ledgerpress.features.actors.commands import RegisterActor, RenameActor
from ledgerpress.features.authors.commands import RegisterAuthor, RenameAuthor
from ledgerpress.features.categories import commands as categories
from ledgerpress.features.posts import create_edit_categorize_commands as posts
from ledgerpress.features.posts import lifecycle_commands, restore_version_and_revert_change_commands
from ledgerpress.features.site.commands import NameSite
from ledgerpress.features.tokens import commands as tokens
from tests.property.command_generator import DATES, Ask, CategorizeTooLate, Expecting
from tests.property.store_session import Action, ClockMoves, Fault, Restart

PAST: Final = 6
"""The number of the post whose past is asked for."""
WHOLE_DAY: Final[list[Action]] = [
    Ask(NameSite, title="The Tide"),
    Ask(RegisterAuthor, title="Bo Lind"),
    Ask(RenameAuthor, author=0, title="Ada Brook-Lind"),
    Ask(RegisterActor, title="Night desk"),
    Ask(RenameActor, author=3, title="Late desk"),
    Ask(tokens.CreateToken, title="Feed", twice=True, key=0),
    Ask(tokens.CreateToken, title="Desk", author=3, flag=True, by_slug=True, date=DATES[4]),
    Ask(tokens.RevokeToken, author=0, twice=True),
    Ask(
        posts.CreatePost, title="रात का बाज़ार", text="One line.", flag=True, date=DATES[1], author=2, other=2
    ),
    Ask(posts.EditPost, post=0, title="Tide mill turns", slug="a", flag=True),
    Ask(posts.EditPost, post=0, title=None, slug="b", text="Two.", flag=True),
    Ask(posts.EditPost, post=0, title=None, slug="tide-mill", other=1, author=1),
    Ask(posts.EditPost, post=2, title=None, slug="a"),
    Ask(posts.EditPost, post=2, title=None, slug="tram"),
    Ask(posts.EditPost, post=2, title=None, slug="tram-line"),
    Ask(posts.CategorizePost, post=2, category=2, twice=True),
    Ask(posts.UncategorizePost, post=2, category=1, by_slug=True),
    Fault(2),
    Ask(lifecycle_commands.PublishPost, post=0, text="The mill has two wheels.", flag=True),
    Ask(lifecycle_commands.PublishPost, post=2, date=DATES[2], key=1, twice=True),
    Ask(lifecycle_commands.UnpublishPost, post=2, key=1),
    Restart(batch_size=3, lose_views=False),
    Ask(lifecycle_commands.UnpublishPost, post=1, expecting=Expecting.STALE),
    Ask(lifecycle_commands.UnpublishPost, post=1, expecting=Expecting.RIGHT),
    ClockMoves(-3_600),
    Ask(lifecycle_commands.ArchivePost, post=1),
    Ask(posts.EditPost, post=1, title="Too late"),
    Ask(lifecycle_commands.UnarchivePost, post=1),
    Ask(lifecycle_commands.ArchivePost, post=3),
    Ask(lifecycle_commands.PublishPost, post=20),
    Ask(lifecycle_commands.PublishPost, post=2, date=DATES[4]),
    Ask(posts.CreatePost, title="x" * 301),
    Ask(posts.CreatePost, title=""),
    Ask(posts.CreatePost, slug="Not A Slug"),
    Ask(posts.CreatePost, slug="b"),
    Ask(posts.CreatePost, title="Night market"),
    Ask(lifecycle_commands.UnpublishPost, post=4),
    Ask(categories.CreateCategory, title="Markets", flag=True, other=2),
    Ask(posts.CategorizePost, post=0, category=3),
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
    Ask(categories.MergeCategory, category=3, other=2, by_slug=True),
    Ask(posts.CategorizePost, post=0, category=2),
    Ask(categories.RenameCategory, category=2, slug="markets"),
    Ask(categories.CreateCategory, title="Weather"),
    Ask(categories.RenameCategory, category=4, title=None, slug="sky"),
    Ask(categories.DeleteCategory, category=4),
    Ask(CategorizeTooLate, post=0, category=4),
    Fault(7),
    Restart(batch_size=2, lose_views=True),
    Ask(categories.CreateCategory, title="Weather"),
    Ask(posts.UncategorizePost, post=0, category=1),
    Ask(lifecycle_commands.UnpublishPost, post=0),
    Ask(lifecycle_commands.PublishPost, post=0),
    Ask(categories.CreateCategory, title="Ferries", flag=True, other=1),
    Ask(posts.CategorizePost, post=0, category=6),
    Ask(categories.CreateCategory, title="Boats"),
    Ask(categories.MergeCategory, category=6, other=7),
    Ask(posts.EditPost, post=0, title=None, slug="unseen"),
    Ask(posts.CreatePost, title="Fog", flag=True, key=2, twice=True),
    Ask(categories.CreateCategory, title="Parks"),
    Ask(categories.CreateCategory, title="Ponds", flag=True, other=8),
    Ask(categories.CreateCategory, title="Woods"),
    Ask(categories.MergeCategory, category=8, other=10),
    Ask(categories.DeleteCategory, category=10),
    Ask(categories.MoveCategory, category=9),
    Ask(categories.DeleteCategory, category=10),
    Ask(categories.CreateCategory, title="Parks"),
    Ask(posts.CreatePost, title="Locks", text="Two.", slug="locks"),
    Ask(posts.EditPost, post=PAST, title="Sluices", slug="sluices", text="Three.", by_slug=True),
    Ask(posts.EditPost, post=PAST, title="Weirs", category=1),
    Ask(restore_version_and_revert_change_commands.RevertPost, post=PAST, other=2),
    Ask(restore_version_and_revert_change_commands.RevertPost, post=PAST, other=3, flag=True),
    Ask(restore_version_and_revert_change_commands.RevertPost, post=PAST, other=2),
    Ask(restore_version_and_revert_change_commands.RestorePost, post=PAST, other=3, flag=True),
    Ask(restore_version_and_revert_change_commands.RestorePost, post=PAST, other=1, twice=True),
    Ask(restore_version_and_revert_change_commands.RestorePost, post=PAST, other=11),
]
