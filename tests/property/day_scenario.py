"""A day with every kind of command and fault: the example that tests always run, in addition to random ones."""

from typing import Final

from ledgerpress.features.actors.commands import RegisterActor, RenameActor
from ledgerpress.features.authors.commands import RegisterAuthor, RenameAuthor
from ledgerpress.features.categories import commands as categories
from ledgerpress.features.posts import (
    correction_commands,
    lifecycle_commands,
    restore_version_and_revert_change_commands,
)
from ledgerpress.features.posts import create_edit_categorize_commands as posts
from ledgerpress.features.site.commands import LocalizeSite, NameSite
from ledgerpress.features.tokens import commands as tokens
from tests.property.command_generator import DATES, CategorizeTooLate, CommandSpec, Expecting
from tests.property.store_session import Action, ClockMoves, Fault, Restart

PAST: Final = 6
"""The number of the post that commands restore and revert."""
WHOLE_DAY: Final[list[Action]] = [
    CommandSpec(NameSite, title="The Tide"),
    CommandSpec(LocalizeSite, other=1, author=2),
    CommandSpec(LocalizeSite, other=2, author=1),
    CommandSpec(LocalizeSite, other=3, author=1),
    CommandSpec(RegisterAuthor, title="Bo Lind"),
    CommandSpec(RenameAuthor, author=0, title="Ada Brook-Lind"),
    CommandSpec(RegisterActor, title="Night desk"),
    CommandSpec(RenameActor, author=3, title="Late desk"),
    CommandSpec(tokens.CreateToken, title="Feed", twice=True, key=0),
    CommandSpec(tokens.CreateToken, title="Desk", author=3, flag=True, by_slug=True, date=DATES[4]),
    CommandSpec(tokens.RevokeToken, author=0, twice=True),
    CommandSpec(
        posts.CreatePost, title="रात का बाज़ार", text="One line.", flag=True, date=DATES[1], author=2, other=2
    ),
    CommandSpec(posts.EditPost, post=0, title="Tide mill turns", slug="a", flag=True),
    CommandSpec(posts.EditPost, post=0, title=None, slug="b", text="Two.", flag=True),
    CommandSpec(posts.EditPost, post=0, title=None, slug="tide-mill", other=1, author=1),
    CommandSpec(posts.EditPost, post=2, title=None, slug="a"),
    CommandSpec(posts.EditPost, post=2, title=None, slug="tram"),
    CommandSpec(posts.EditPost, post=2, title=None, slug="tram-line"),
    CommandSpec(posts.CategorizePost, post=2, category=2, twice=True),
    CommandSpec(posts.UncategorizePost, post=2, category=1, by_slug=True),
    Fault(2),
    CommandSpec(lifecycle_commands.PublishPost, post=0, text="The mill has two wheels.", flag=True),
    CommandSpec(lifecycle_commands.PublishPost, post=2, date=DATES[2], key=1, twice=True),
    CommandSpec(lifecycle_commands.UnpublishPost, post=2, key=1),
    Restart(batch_size=3, lose_views=False),
    CommandSpec(lifecycle_commands.UnpublishPost, post=1, expecting=Expecting.STALE),
    CommandSpec(lifecycle_commands.UnpublishPost, post=1, expecting=Expecting.RIGHT),
    ClockMoves(-3_600),
    CommandSpec(lifecycle_commands.ArchivePost, post=1),
    CommandSpec(posts.EditPost, post=1, title="Too late"),
    CommandSpec(lifecycle_commands.UnarchivePost, post=1),
    CommandSpec(lifecycle_commands.ArchivePost, post=3),
    CommandSpec(lifecycle_commands.PublishPost, post=20),
    CommandSpec(lifecycle_commands.PublishPost, post=2, date=DATES[4]),
    CommandSpec(posts.CreatePost, title="x" * 301),
    CommandSpec(posts.CreatePost, title=""),
    CommandSpec(posts.CreatePost, slug="Not A Slug"),
    CommandSpec(posts.CreatePost, slug="b"),
    CommandSpec(posts.CreatePost, title="Night market"),
    CommandSpec(lifecycle_commands.UnpublishPost, post=4),
    CommandSpec(categories.CreateCategory, title="Markets", flag=True, other=2),
    CommandSpec(posts.CategorizePost, post=0, category=3),
    CommandSpec(categories.RenameCategory, category=1, title="Town life", slug="b"),
    CommandSpec(categories.RenameCategory, category=1, title=None, slug="town", expecting=Expecting.AHEAD),
    CommandSpec(categories.DescribeCategory, category=0, text="What is new."),
    CommandSpec(categories.MoveCategory, category=1, other=2, flag=True),
    CommandSpec(categories.MoveCategory, category=2, other=1, flag=True),
    (
        CommandSpec(categories.MoveCategory, category=0, other=1, flag=True),
        CommandSpec(categories.MoveCategory, category=1, other=0, flag=True),
    ),
    CommandSpec(categories.DeleteCategory, category=2),
    CommandSpec(categories.MergeCategory, category=3, other=2, by_slug=True),
    CommandSpec(posts.CategorizePost, post=0, category=2),
    CommandSpec(categories.RenameCategory, category=2, slug="markets"),
    CommandSpec(categories.CreateCategory, title="Weather"),
    CommandSpec(categories.RenameCategory, category=4, title=None, slug="sky"),
    CommandSpec(categories.DeleteCategory, category=4),
    CommandSpec(CategorizeTooLate, post=0, category=4),
    Fault(7),
    Restart(batch_size=2, lose_views=True),
    CommandSpec(categories.CreateCategory, title="Weather"),
    CommandSpec(posts.UncategorizePost, post=0, category=1),
    CommandSpec(lifecycle_commands.UnpublishPost, post=0),
    CommandSpec(lifecycle_commands.PublishPost, post=0),
    CommandSpec(categories.CreateCategory, title="Ferries", flag=True, other=1),
    CommandSpec(posts.CategorizePost, post=0, category=6),
    CommandSpec(categories.CreateCategory, title="Boats"),
    CommandSpec(categories.MergeCategory, category=6, other=7),
    CommandSpec(posts.EditPost, post=0, title=None, slug="unseen"),
    CommandSpec(posts.CreatePost, title="Fog", flag=True, key=2, twice=True),
    CommandSpec(categories.CreateCategory, title="Parks"),
    CommandSpec(categories.CreateCategory, title="Ponds", flag=True, other=8),
    CommandSpec(categories.CreateCategory, title="Woods"),
    CommandSpec(categories.MergeCategory, category=8, other=10),
    CommandSpec(categories.DeleteCategory, category=10),
    CommandSpec(categories.MoveCategory, category=9),
    CommandSpec(categories.DeleteCategory, category=10),
    CommandSpec(categories.CreateCategory, title="Parks"),
    CommandSpec(posts.CreatePost, title="Locks", text="Two.", slug="locks"),
    CommandSpec(posts.EditPost, post=PAST, title="Sluices", slug="sluices", text="Three.", by_slug=True),
    CommandSpec(posts.EditPost, post=PAST, title="Weirs", category=1),
    CommandSpec(restore_version_and_revert_change_commands.RevertPost, post=PAST, other=2),
    CommandSpec(restore_version_and_revert_change_commands.RevertPost, post=PAST, other=3, flag=True),
    CommandSpec(restore_version_and_revert_change_commands.RevertPost, post=PAST, other=2),
    CommandSpec(restore_version_and_revert_change_commands.RestorePost, post=PAST, other=3, flag=True),
    CommandSpec(restore_version_and_revert_change_commands.RestorePost, post=PAST, other=1, twice=True),
    CommandSpec(restore_version_and_revert_change_commands.RestorePost, post=PAST, other=11),
    CommandSpec(correction_commands.AddCorrection, post=PAST, text="They are weirs.", author=1, twice=True),
    CommandSpec(correction_commands.AddCorrection, post=PAST, text="No locks.", other=3, by_slug=True),
    CommandSpec(correction_commands.RewordCorrection, other=1, text="They were weirs.", by_slug=True),
    CommandSpec(correction_commands.RetractCorrection, other=1, twice=True),
    CommandSpec(correction_commands.RewordCorrection, other=1, text="Once more."),
    CommandSpec(
        correction_commands.EditWithCorrection, post=PAST, text="It is a mill.", category=2, title="Tide mill"
    ),
    CommandSpec(correction_commands.PublishWithCorrection, post=PAST, text="Nothing else."),
    CommandSpec(correction_commands.RewordCorrection, other=0, text="It has two wheels.", flag=False),
]
